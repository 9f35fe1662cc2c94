"""What is written into a synthetic file is what is read from it, whatever it is."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rknn_writer import FileSpec, GraphSpec, NodeSpec, TensorSpec, opened, write_model

NAMES = st.text(st.characters(codec="utf-8"), max_size=12)
SHAPES = st.lists(st.integers(1, 512), max_size=5).map(tuple)
FLOATS = st.lists(st.floats(width=32, allow_nan=False), max_size=3).map(tuple)
INTEGERS = st.lists(st.integers(-(1 << 31), (1 << 31) - 1), max_size=3).map(tuple)
KINDS = st.sampled_from(["input", "output", "activation", "weight", "cpu_constant", "compiler_constant"])
VERSIONS = st.sampled_from([1, 2, 4, 6, 0x1004])


@st.composite
def tensors(draw: st.DrawFn) -> TensorSpec:
    kind = draw(KINDS)
    constant = kind not in ("input", "output", "activation")
    return TensorSpec(
        name=draw(NAMES),
        kind=kind,
        dtype=draw(st.sampled_from(["INT8", "FLOAT16", "FLOAT32", ""])),
        shape=draw(SHAPES),
        data=draw(st.binary(max_size=40)) if constant else b"",
        size_bytes=0 if constant else draw(st.integers(0, 1 << 31)),
        arena_offset=0 if constant else draw(st.integers(0, 1 << 31)),
        scale=draw(FLOATS),
        zero_point=draw(INTEGERS),
    )


@st.composite
def graphs(draw: st.DrawFn) -> GraphSpec:
    items = draw(st.lists(tensors(), min_size=1, max_size=6))
    indices = st.lists(st.integers(0, len(items) - 1), max_size=3).map(tuple)
    nodes = st.builds(
        NodeSpec,
        name=NAMES,
        type=st.sampled_from(["Conv", "ConvRelu", "Reshape", "InputOperator"]),
        target=st.sampled_from([0, 2]),
        inputs=indices,
        outputs=indices,
        task_counts=st.just(()) | st.tuples(*[st.integers(0, 9)] * 6),
    )
    return GraphSpec(tuple(items), tuple(draw(st.lists(nodes, max_size=4))), draw(indices), draw(indices))


@settings(max_examples=60, deadline=None)
@given(graph=graphs(), version=VERSIONS, trailing=st.binary(max_size=9))
def test_tensors_and_nodes_come_back_as_written(graph: GraphSpec, version: int, trailing: bytes) -> None:
    data = write_model(FileSpec((graph,), version=version, trailing=trailing))
    with opened(data) as model:
        for tensor, written in zip(model.tensors, graph.tensors, strict=True):
            assert (tensor.name, tensor.kind, tensor.dtype) == (written.name, written.kind, written.dtype)
            assert (tensor.shape, tensor.native_shape) == (written.shape, written.shape)
            assert (tensor.scale, tensor.zero_point) == (written.scale, written.zero_point)
            assert (tensor.buffer_bytes, tensor.arena_offset) == (len(written.data), written.arena_offset)
            with model.read_weights(tensor.buffer_index) as view:
                assert bytes(view) == written.data
        for node, spec in zip(model.nodes, graph.nodes, strict=True):
            assert (node.name, node.type, node.inputs, node.outputs) == (
                spec.name,
                spec.type,
                spec.inputs,
                spec.outputs,
            )
            assert (node.task_counts, node.target) == (spec.task_counts, {0: "CPU", 2: "NPU"}[spec.target])
        assert [t.index for t in model.inputs] == list(graph.inputs)
        assert [t.index for t in model.outputs] == list(graph.outputs)


@settings(max_examples=60, deadline=None)
@given(
    items=st.lists(graphs(), max_size=3),
    version=st.sampled_from([1, 2, 4, 6]),
    trailing=st.binary(max_size=9),
)
def test_sections_and_layers_sum_to_the_file(items: list[GraphSpec], version: int, trailing: bytes) -> None:
    data = write_model(FileSpec(tuple(items), version=version, trailing=trailing))
    constants = sum(len(tensor.data) for graph in items for tensor in graph.tensors)
    with opened(data) as model:
        sections = model.sections
        assert sections.total == len(data)
        assert sections.weights + sections.cpu_constants + sections.compiler_constants == constants
        assert sections.trailing == len(trailing)
        owned = sum(layer.size_bytes for layer in model.layers)
        assert owned + model.unattributed.total == len(data)
        assert min(vars(model.unattributed).values()) >= 0
        assert [layer.index for layer in model.layers] == list(range(len(model.nodes)))
