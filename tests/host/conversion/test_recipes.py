"""Recipes: as they are typed, as data, and what each does to a graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx_networks import Network
from rkbench.conversion.draft import Draft
from rkbench.conversion.recipes import ALL, draft_of, objections
from rkbench.errors import UsageError


@pytest.mark.parametrize(
    ("typed", "dtype", "config", "hybrid"),
    [
        ("fp16", "fp16", {}, None),
        ("int8", "int8", {}, None),
        ("int8-mmse", "int8", {"quantized_algorithm": "mmse"}, None),
        ("int8-kl", "int8", {"quantized_algorithm": "kl_divergence"}, None),
        ("int8-layer", "int8", {"quantized_method": "layer"}, None),
        ("int16", "int16", {}, None),
        ("hybrid(auto)", "int8", {}, "auto"),
        ("hybrid(Conv_1;Conv,2)", "int8", {}, {"Conv_1": "float16", "Conv,2": "float16"}),
        ("single-core", "fp16", {"single_core_mode": True}, None),
        ("compress,int8", "int8", {"compress_weight": True}, None),
        (
            "single-core,int8-kl",
            "int8",
            {"single_core_mode": True, "quantized_algorithm": "kl_divergence"},
            None,
        ),
    ],
)
def test_what_is_typed_becomes_a_draft(typed: str, dtype: str, config: object, hybrid: object) -> None:
    draft = draft_of(typed, "rk3588", "2.5.0")
    assert (draft.dtype, draft.config, draft.hybrid) == (dtype, config, hybrid)
    assert draft.name == typed


def test_toolkit_and_target_are_words_too() -> None:
    draft = draft_of("toolkit=2.3.0,target=rk3568", "rk3588", "2.5.0")
    assert (draft.toolkit, draft.target) == ("2.3.0", "rk3568")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("int7", "no recipe is called 'int7'"),
        ("", "an empty recipe"),
        ("fp16,int8", "fp16 and int8 cannot be had together"),
        ("fix,fix", "fix and fix cannot be had together"),
        ("toolkit=2.9", "rknn-toolkit2 2.9 is not among"),
        ("toolkit", "lacks its value"),
        ("target=rk9999", "unknown target"),
        ("hybrid()", "lacks its value"),
        ("gap=medium", "no recipe is called 'gap=medium'"),
    ],
)
def test_what_is_no_recipe_is_refused(typed: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        draft_of(typed, "rk3588", "2.5.0")
    assert raised.value.hint


def test_what_a_target_rejects_is_known_before_anything_runs() -> None:
    assert "one NPU core" in objections(draft_of("single-core", "rk3568", "2.5.0"))[0]
    assert objections(draft_of("single-core", "rk3588", "2.5.0")) == ()
    assert "one NPU core" in objections(draft_of("single-core,target=rk3568", "rk3588", "2.5.0"))[0]


def network(tmp_path: Path) -> Path:
    net = Network(1, 8, 14, 14).conv(8, 16).add("Relu").conv(16, 16, name="bare").add("GlobalAveragePool")
    return net.save(tmp_path / "net.onnx")


def changed(typed: str, source: Path, tmp_path: Path) -> tuple[Path, tuple[str, ...]]:
    draft = draft_of(typed, "rk3588", "2.5.0")
    target = tmp_path / "changed.onnx"
    (change,) = draft.changes
    said = change.change(source, draft, target)
    return target, said


def outputs(path: Path, seed: int = 1) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(str(path))
    random = np.random.default_rng(seed)
    fed = {node.name: random.standard_normal(node.shape).astype("float32") for node in session.get_inputs()}
    return list(session.run(None, fed))


@pytest.mark.parametrize(
    ("typed", "ops"),
    [
        ("gap=mean", ["Conv", "Relu", "Conv", "ReduceMean"]),
        ("gap=avgpool", ["Conv", "Relu", "Conv", "AveragePool"]),
        ("gap=staged", ["Conv", "Relu", "Conv", "AveragePool", "AveragePool"]),
        ("initializers=inputs", ["Conv", "Relu", "Conv", "GlobalAveragePool"]),
    ],
)
def test_popular_advice_changes_the_graph_and_not_its_outputs(
    typed: str, ops: list[str], tmp_path: Path
) -> None:
    source = network(tmp_path)
    target, said = changed(typed, source, tmp_path)
    model = onnx.load(target)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ops
    assert len(said) == 1
    if typed != "initializers=inputs":  # whose new inputs would be fed
        np.testing.assert_allclose(outputs(target)[0], outputs(source)[0], rtol=1e-5, atol=1e-6)


def test_relu_kept_says_that_it_changes_the_outputs(tmp_path: Path) -> None:
    target, said = changed("relu=kept", network(tmp_path), tmp_path)
    model = onnx.load(target)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == [
        "Conv",
        "Relu",
        "Conv",
        "Relu",
        "GlobalAveragePool",
    ]
    assert said == ("bare: a ReLU behind it, which changes the outputs",)
    assert not draft_of("relu=kept", "rk3588", "2.5.0").changes[0].is_exact


def test_initializers_become_inputs(tmp_path: Path) -> None:
    source = network(tmp_path)
    target, said = changed("initializers=inputs", source, tmp_path)
    graph = onnx.load(target).graph
    assert len(graph.input) == 1 + len(graph.initializer)
    assert said == ("4 initializers listed as inputs",)


def test_split_outputs_are_the_parts_of_the_joined_one(tmp_path: Path) -> None:
    net = Network(1, 8, 4, 4).conv(8, 4, name="boxes")
    boxes = net.value
    net.value = "x"
    net.conv(8, 2, name="logits").add("Sigmoid", name="scores")
    scores, net.value = net.value, boxes
    source = net.add("Concat", scores, name="joined", axis=1).save(tmp_path / "net.onnx")
    target, said = changed("outputs=split", source, tmp_path)
    onnx.checker.check_model(onnx.load(target), full_check=True)
    assert said == ("joined_out leaves as boxes_out, scores_out",)
    (joined,), parts = outputs(source), outputs(target)
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), joined)


@pytest.mark.parametrize("typed", ["gap=mean", "gap=staged", "outputs=split", "relu=kept", "fix"])
def test_where_there_is_nothing_to_change_nothing_is_written(typed: str, tmp_path: Path) -> None:
    source = Network(1, 8, 4, 4).conv(8, 8).add("Relu").save(tmp_path / "net.onnx")
    target, said = changed(typed, source, tmp_path)
    assert (target.exists(), said) == (False, ())


def test_every_recipe_is_said_in_one_line_and_no_word_stands_twice() -> None:
    assert len({recipe.word for recipe in ALL}) == len(ALL)
    for recipe in ALL:
        assert 20 < len(recipe.summary) < 100
        value = {"toolkit": "=2.3.2", "target": "=rk3568", "hybrid": "(auto)"}.get(recipe.word, "")
        assert isinstance(draft_of(recipe.word + value, "rk3588", "2.5.0"), Draft)
