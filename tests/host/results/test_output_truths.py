"""Outputs of which the truth is known, through the agent's figures into what a run says of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_runs import make_run
from numpy.typing import NDArray
from rkbench.results.caveats import caveats_of
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import RunResult
from rkbench.results.outputs import outputs
from rkbench_agent.run.accuracy import output_error
from rkbench_agent.run.output_watch import OutputWatch
from rkbench_agent.wire.caveats import Caveat

Array = NDArray[np.generic]
CASES = 4


def run_of(pairs: list[tuple[Array, Array]], step: float | None = None) -> RunResult:
    """Return a run whose one output was the first of each pair where the second was expected."""
    watch, errors = OutputWatch(), []
    for case, (actual, expected) in enumerate(pairs):
        errors.append(output_error("r", case, 0, "y", actual, expected))
        watch.add([np.array([case])], [actual], {0: expected})
    found = outputs(errors, watch.checks("r", ["y"]), watch.parts("r"))
    made = make_run()
    return replace(made, outputs=found, variant=replace(made.variant, output_steps=(step,)))


def caveats(run: RunResult) -> dict[str, Caveat]:
    """Return what is doubted of the run, by code."""
    return {found.code: found for found in caveats_of(run, RawLatencies())}


def detector(seed: int, scores: bool = True) -> Array:
    """Return boxes of 0..640 over scores of 0..1, as YOLOv8 has them in one output."""
    random = np.random.RandomState(seed)
    boxes = random.uniform(0, 640, (1, 4, 840))
    return np.concatenate([boxes, random.beta(0.2, 3, (1, 80, 840)) * scores], axis=1).astype(np.float32)


def quantized(values: Array, step: float) -> Array:
    """Return what an int8 output with this scale, and the zero point for 0..255 steps, yields."""
    stepped: Array = (np.clip(np.round(values / step), 0, 255) * step).astype(np.float32)  # type: ignore[operator]
    return stepped


def test_a_detector_with_one_scale_is_named_although_its_cosine_is_perfect() -> None:
    step = 640 / 255
    pairs = [(quantized(detector(seed), step), detector(seed)) for seed in range(CASES)]
    run = run_of(pairs, step)
    (output,) = run.outputs
    assert output.cosine is not None and output.cosine > 0.9999
    found = caveats(run)
    assert "4..83 of axis 1 (80 of 84) never change, where the golden does" in found["dead_part"].message
    assert "a step of its one scale, 2.51, is wider than all that they hold" in found["dead_part"].message
    assert "end the ONNX before the Concat" in found["dead_part"].advice
    assert "one scale, 2.51 a step, over parts of very different range" in found["one_scale"].message


def test_a_detector_with_a_scale_for_each_part_is_not_named() -> None:
    pairs = []
    for seed in range(CASES):
        boxes, scores = np.split(detector(seed), [4], axis=1)
        split = np.concatenate([quantized(boxes, 640 / 255), quantized(scores, 1 / 255)], axis=1)
        pairs.append((split, detector(seed)))
    assert not {"dead_part", "one_scale", "constant_output"} & caveats(run_of(pairs)).keys()


def test_a_dead_channel_is_named() -> None:
    pairs = []
    for seed in range(CASES):
        expected = np.random.RandomState(seed).standard_normal((1, 16, 8, 8)).astype(np.float32)
        actual = expected.copy()
        actual[:, 5] = 0.25
        pairs.append((actual, expected))
    found = caveats(run_of(pairs))
    assert "5 of axis 1 (1 of 16) never change, where the golden does" in found["dead_part"].message
    assert found["dead_part"].advice.startswith("keep the layers that only they come from in float16")
    assert "one_scale" not in found


def test_a_channel_that_is_constant_in_the_golden_too_is_not_dead() -> None:
    expected = np.random.RandomState(0).standard_normal((1, 16, 8, 8)).astype(np.float32)
    expected[:, 5] = 0.0
    assert "dead_part" not in caveats(run_of([(expected, expected), (expected + 1, expected + 1)]))


@pytest.mark.parametrize(("size", "is_dead"), [(3e-8, False), (1e-5, False), (1e-3, True)])
@pytest.mark.parametrize("scale", [1.0, 1e-6])
def test_a_channel_that_float16_rounds_away_is_not_dead(size: float, scale: float, *, is_dead: bool) -> None:
    pairs = []
    for seed in range(CASES):
        expected = np.random.RandomState(seed).uniform(0, scale, (1, 16, 8, 8)).astype(np.float32)
        expected[:, 5] *= size
        actual = expected.copy()
        actual[:, 5] = 0.0
        pairs.append((actual, expected))
    assert ("dead_part" in caveats(run_of(pairs))) is is_dead


def test_an_output_that_is_healthy_is_told_nothing_of() -> None:
    pairs = []
    for seed in range(CASES):
        expected = np.random.RandomState(seed).standard_normal((1, 8, 20, 20)).astype(np.float32)
        pairs.append((quantized(expected + 4, 8 / 255) - 4, expected))
    told = caveats(run_of(pairs, 8 / 255))
    assert not {"dead_part", "one_scale", "outputs_wrong", "not_finite", "ties"} & told.keys()


def test_a_mask_that_is_infinite_in_both_is_said_and_casts_no_doubt() -> None:
    mask = np.array([[1.0, -np.inf, 2.0]], np.float32)
    found = caveats(run_of([(mask, mask)]))
    assert found["equal_nonfinite"].weight == "information"
    assert "1 values are NaN or infinite in the golden as well" in found["equal_nonfinite"].message
    assert "not_finite" not in found


@pytest.mark.parametrize(
    ("actual", "expected", "snr"),
    [
        ([[1.0, 2.0]], [[1.0, 2.0]], float("inf")),
        ([[0.0, 0.0]], [[0.0, 0.0]], float("inf")),
        ([[994.0, 1.0]], [[0.0, 0.0]], float("-inf")),
        ([[0.0, 0.0]], [[1.0, 2.0]], 0.0),
    ],
)
def test_an_snr_may_be_infinite_and_json_has_a_flag(actual: object, expected: object, snr: float) -> None:
    (output,) = run_of([(np.array(actual, np.float32), np.array(expected, np.float32))]).outputs
    assert output.snr == snr
    assert (output.snr_db is None) is bool(output.snr_infinite)


def test_the_worst_case_counts_where_one_expects_zero_and_gets_garbage() -> None:
    good = np.array([[1.0, 2.0]], np.float32)
    run = run_of([(good, good), (good * 994, good * 0)])
    assert (run.outputs[0].cosine, run.outputs[0].snr) == (0.0, float("-inf"))
