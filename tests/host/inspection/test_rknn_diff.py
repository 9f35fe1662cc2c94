"""Two files of one model: what differs, also where every size is equal."""

from __future__ import annotations

from dataclasses import replace

from rkbench.inspection.diff import diff_models
from rkbench.inspection.diff_document import ContentDiff
from rkbench.rknn import open_model
from rknn_writer import MODELS, opened, small_spec, write_model


def test_a_file_does_not_differ_from_itself() -> None:
    path = MODELS / "mb_gap7_rk3588_i8.rknn"
    with open_model(path) as before, open_model(path) as after:
        difference = diff_models(before, after)
    assert difference.empty
    assert difference.same_weights


def test_files_of_equal_size_whose_weights_differ_are_told_apart() -> None:
    data = write_model(small_spec())
    changed = data.replace(b"b" * 32, b"b" * 31 + b"c")
    with opened(data) as before, opened(changed) as after:
        difference = diff_models(before, after)
    assert difference.contents == (ContentDiff("b", "weight", 32, 32),)
    assert (difference.size_difference_bytes, difference.sections, difference.layers) == (0, {}, ())
    assert not difference.same_weights


def test_layers_that_became_float_are_named() -> None:
    with (
        open_model(MODELS / "mb_gap7_rk3588_i8.rknn") as before,
        open_model(MODELS / "hybrid_some_rk3588.rknn") as after,
    ):
        difference = diff_models(before, after)
    pairs = [(layer.name, layer.before, layer.after) for layer in difference.layers]
    changed = [name for name, old, new in pairs if old and new and old.dtype != new.dtype]
    assert changed == ["Conv:Conv_71", "Conv:Conv_75"]
    added = [layer.name for layer in difference.layers if layer.before is None]
    assert added == ["exDataConvert:Relu_68__cvt_int8_float16", "exDataConvert:Relu_76__cvt_float16_int8"]
    assert difference.size_difference_bytes == 134784
    assert sum(difference.sections.values()) == 134784
    assert difference.sections["weights"] == 130304


def test_a_layer_that_is_gone_and_another_target_are_seen() -> None:
    spec = small_spec()
    graph = spec.graphs[0]
    fewer = replace(spec, graphs=(replace(graph, nodes=graph.nodes[:-1]),), target="rk3568")
    with opened(write_model(spec)) as before, opened(write_model(fewer)) as after:
        difference = diff_models(before, after)
    assert [(item.name, item.after) for item in difference.layers] == [("OutputOperator:z", None)]
    assert difference.file == {"target": ("rk3588", "rk3568")}
