"""What a sweep leaves out, how many conversions fit at once, and which recipes are worth trying."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_toolkit import make_environment
from onnx_networks import Network
from rkbench.conversion.build import ConversionRequest, build, known_conversion
from rkbench.conversion.recipes import draft_of, objections
from rkbench.results.gating import parse_requirements
from rkbench.sweep.plan import PlannedVariant, PredictedBytes, plan_sweep, side_by_side
from rkbench.sweep.predicting import predicted
from rkbench.sweep.recipes import worth_trying
from rkbench.toolkit.environment import ToolkitEnvironment

HERE = ToolkitEnvironment(Path("/nowhere/python"), "2.5.0", has_torch=False, folder=None)


def planned(recipe: str, size: int | None = None, low: int | None = None) -> PlannedVariant:
    request = ConversionRequest(Path("net.onnx"), draft_of(recipe, "rk3588", "2.5.0"), HERE)
    return PlannedVariant(request, None if size is None else PredictedBytes(size, low))


def test_what_is_surely_too_big_is_not_built_and_what_may_be_is() -> None:
    variants = (
        planned("fp16", 63_000_000, 60_000_000),
        planned("int8", 11_000_000, 9_000_000),
        planned("int16"),
    )
    plan = plan_sweep(variants, (), parse_requirements(["size <= 10MB", "cosine >= 0.999"]))
    assert [each.recipe for each in plan.variants] == ["int8", "int16"]
    (left,) = plan.left_out
    assert left.draft.name == "fp16"
    assert left.reason == "cannot win: at least 60.0 MB are predicted, and size <= 10MB is required"


@pytest.mark.parametrize(
    ("cpus", "available", "fit"),
    [(8, 100_000_000_000, 8), (8, 4_000_000_000, 3), (8, 500_000_000, 1), (2, 100_000_000_000, 2)],
)
def test_as_many_conversions_at_once_as_cores_and_memory_take(cpus: int, available: int, fit: int) -> None:
    plan = plan_sweep((planned("fp16", 63_000_000), planned("int8")), (), ())
    assert side_by_side(plan, cpus, available) == fit


@pytest.mark.parametrize("target", ["rk3588", "rk3568"])
def test_nine_recipes_or_more_are_worth_trying_and_can_be_had(target: str) -> None:
    recipes = worth_trying(target, calibrated=True)
    drafts = [draft_of(recipe, target, "2.5.0") for recipe in recipes]
    assert len({draft.name for draft in drafts}) == len(recipes)
    assert sum(not objections(draft) for draft in drafts) >= 9
    floats = [draft_of(recipe, target, "2.5.0") for recipe in worth_trying(target, calibrated=False)]
    assert not any(draft.is_quantized for draft in floats)


def test_what_was_converted_before_is_known_until_the_onnx_or_the_recipe_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = Network(1, 3, 8, 8).conv(3, 8).add("Relu").save(tmp_path / "net.onnx")
    made = ConversionRequest(
        path, draft_of("fix,fp16", "rk3588", "2.5.0"), make_environment(tmp_path / "toolkit")
    )
    assert known_conversion(made) is None
    size = build(made).record.size_bytes
    known = known_conversion(made)
    assert known is not None
    assert (known.fresh, known.record.recipe) == (False, "fix,fp16")
    assert [each.predicted for each in predicted([made])] == [PredictedBytes(size, size)]
    assert known_conversion(replace(made, draft=draft_of("int8", "rk3588", "2.5.0"))) is None
    Network(1, 3, 8, 8).conv(3, 4).save(path)
    assert known_conversion(made) is None
