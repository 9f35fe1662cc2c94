"""Some cases of many that are not what was expected: when they are no accident, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rkbench.results.caveats import is_wrong
from test_output_truths import Array, caveats, quantized, run_of

COUNT = 64
DEMO = Path(__file__).parents[3] / "host/rkbench/demo/data"
Change = Callable[[Array], Any]


def cases(change: Change, wrong: Sequence[int], quiet: Sequence[int] = ()) -> list[tuple[Array, Array]]:
    """Return int8 outputs that are near but in the cases `wrong`; of the `quiet` little is expected."""
    pairs = []
    for case in range(COUNT):
        expected = np.random.RandomState(case).uniform(-4, 4, (1, 32)).astype(np.float32)
        expected *= np.float32(1e-4 if case in quiet else 1)
        actual = quantized(expected + 4, 1 / 32) - 4
        pairs.append((change(actual) if case in wrong else actual, expected))
    return pairs


def poor(values: Array) -> Any:
    """Return an output of another class: nothing in common, and as large."""
    return np.roll(values, 7, axis=1)


def test_a_quarter_of_cases_that_are_garbage_is_doubted_and_counted() -> None:
    run = run_of(cases(np.negative, range(7, 22)))
    told = caveats(run)["outputs_wrong"]
    assert told.weight == "doubt"
    assert "output 'y': 15 of 64 cases have a cosine below 0.5: lowest -0.9999" in told.message
    assert is_wrong(run.outputs[0])
    assert "layer that loses them: bench inspect" in told.advice


def test_the_worst_case_is_named() -> None:
    pairs = cases(np.negative, range(7, 22))
    pairs[9] = (-pairs[9][1], pairs[9][1])  # type: ignore[operator]
    assert "lowest -1 in case 9;" in caveats(run_of(pairs))["outputs_wrong"].message


def test_cases_of_twice_the_size_are_told_by_their_snr() -> None:
    told = caveats(run_of(cases(lambda values: 2 * values, range(15))))["outputs_wrong"].message
    assert "15 of 64 cases have an SNR below 3 dB: lowest" in told


def test_one_case_that_is_the_opposite_is_enough() -> None:
    told = caveats(run_of(cases(np.negative, [63])))["outputs_wrong"].message
    assert "1 of 64 cases has a cosine below 0.5: lowest -0.9999" in told
    assert "in case 63" in told


@pytest.mark.parametrize("wrong", [[], [5], [5, 40], [5, 9, 40, 50, 60, 63]])
def test_a_few_poor_cases_of_an_int8_model_are_not_doubted(wrong: list[int]) -> None:
    run = run_of(cases(poor, wrong))
    assert run.outputs[0].cosine is not None and (run.outputs[0].cosine < 0.5) is bool(wrong)
    assert "outputs_wrong" not in caveats(run)
    assert not is_wrong(run.outputs[0])


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("times", [1, 3, 9])
def test_an_int8_classifier_behind_a_softmax_is_not_doubted(times: int, sharpness: float) -> None:
    """The demo's, as the vendor's simulator computed it, with so many times its error in the logits."""
    expected = np.load(DEMO / "golden.npz")["outputs/logits"].astype(np.float32)
    actual = np.load(DEMO / "digits.int8.replay.npz")["outputs/logits"].astype(np.float32)
    assert np.any(actual != expected)
    worse = expected + times * (actual - expected)
    pairs = list(zip(_softmax(worse, sharpness), _softmax(expected, sharpness), strict=True))
    assert "outputs_wrong" not in caveats(run_of([(np.rint(a * 255) / 255, b) for a, b in pairs]))


def _softmax(logits: Array, sharpness: float) -> Any:
    powers = np.exp(sharpness * (logits - logits.max(-1, keepdims=True)))
    return (powers / powers.sum(-1, keepdims=True)).astype(np.float32)


def test_cases_in_which_next_to_nothing_is_expected_are_not_doubted() -> None:
    run = run_of(cases(np.negative, [], quiet=range(0, 64, 4)))
    assert run.outputs[0].cosine is not None and run.outputs[0].cosine < 0.5
    assert "outputs_wrong" not in caveats(run)
