"""What a noise floor says of a comparison, in words; and the words of the push that measures it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rkbench.results.comparison import Comparison
from rkbench.results.latency_tests import LatencyTest, needed_text
from rkbench.results.latency_words import figures, load_sentence
from rkbench.results.model import SUSPECT, RunResult
from rkbench.results.noise_floor import NoiseFloor, noise_floor_of
from rkbench.stats.paired import FASTER, SLOWER
from rkbench.units import MARK

#: Less than this is nobody's question.
LEAST_PERCENT = 0.01


def with_floor(runs: Sequence[RunResult], comparison: Comparison, floor: NoiseFloor | None) -> Comparison:
    """Return `comparison` with the noise floor of its board; its verdict says which effects lie below."""
    if floor is None:
        return comparison
    base = next(run for run in runs if run.id == comparison.baseline)
    verdict = f"{comparison.verdict}{_below(runs, comparison, floor)}"
    if floor.push == base.push:
        test = comparison.latency_tests[0]
        verdict = (
            f"{base.variant.name} against itself: {figures(test, base)}. The noise floor of"
            f" {base.board.name} under these conditions is {floor_text(floor, simulated=base.simulated)};"
            f" later comparisons there show it.{load_sentence([test])}"
        )
    return replace(comparison, noise_floor=floor, verdict=verdict)


def measured_floor(runs: Sequence[RunResult], comparison: Comparison) -> tuple[NoiseFloor | None, str]:
    """Return the noise floor that a file beside itself shows; without any, why there is none."""
    base = next((run for run in runs if run.id == comparison.baseline), None)
    if base is None or not comparison.latency_tests or any(run.failure for run in runs):
        return None, "a run did not come to its end"
    if any(run.verdict == SUSPECT for run in runs):
        return None, f"the runs are {SUSPECT}; see their caveats"
    test = comparison.latency_tests[0]
    return noise_floor_of(base, test), needed_text(test)


def floor_text(floor: NoiseFloor, *, simulated: bool) -> str:
    """Return the floor as `±0.4 %`, marked where it is of simulated runs."""
    percent, mark = floor.floor_percent, MARK if simulated else ""
    if percent < LEAST_PERCENT:
        return f"{mark}less than {LEAST_PERCENT:g} %"
    return f"{mark}±{percent:.{1 if percent >= 0.1 else 2}f} %"


def floor_note(floor: NoiseFloor, *, simulated: bool) -> str:
    """Return what stands below a table: the floor, of what file, and when it was measured."""
    of = f"{floor.variant} against itself, {floor.measured_at[:10]}"
    return f"noise floor of this board: {floor_text(floor, simulated=simulated)} ({of})"


def _below(runs: Sequence[RunResult], comparison: Comparison, floor: NoiseFloor) -> str:
    """Return which variants that are faster or slower differ by no more than a file from itself."""
    names = {run.id: run.variant.name for run in runs}
    below = [names[test.run] for test in comparison.latency_tests if _is_below(test, floor)]
    told = floor_text(floor, simulated=any(run.simulated for run in runs))
    return f" The effect of {', '.join(below)} lies below this board's noise floor ({told})." if below else ""


def _is_below(test: LatencyTest, floor: NoiseFloor) -> bool:
    return test.judgement in (FASTER, SLOWER) and abs(test.difference_percent or 0.0) < floor.floor_percent
