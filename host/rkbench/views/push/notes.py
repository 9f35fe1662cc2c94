"""What the table of a push leaves unsaid: what can't be told, what is not compared, other conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rkbench_agent.wire.caveats import Caveat

from rkbench.language.language import ENGLISH, Language
from rkbench.results.caveats.cures import is_out_of_time
from rkbench.results.comparison import Comparison
from rkbench.results.condition_words import in_words
from rkbench.results.conditions import CORE_MASK, is_of_other_conditions
from rkbench.results.latency_tests import LatencyTest, needed_text
from rkbench.results.model import RunResult
from rkbench.results.names import run_names
from rkbench.results.noise_words import floor_note
from rkbench.stats.gates import CANNOT_TELL
from rkbench.views.push.extras import is_sweep


def noise_note(runs: Sequence[RunResult], comparison: Comparison) -> str:
    """Return the noise floor of the board in words; "" where none is known."""
    if comparison.noise_floor is None:
        return ""
    return floor_note(comparison.noise_floor, simulated=any(run.simulated for run in runs))


def warnings_of(runs: Sequence[RunResult], comparison: Comparison) -> list[str]:
    """Return what could not be told, what is not compared, and which conditions differ: a sentence each."""
    names = run_names(runs)
    return [
        *latency_notes(runs, comparison, names),
        *_refusals(runs, comparison, names),
        *_conditions(runs, comparison, names),
    ]


def latency_notes(runs: Sequence[RunResult], comparison: Comparison, names: Mapping[str, str]) -> list[str]:
    """Return why latency could not be told, and what would tell: of several of one kind the most it takes."""
    out_of_time = any(map(is_out_of_time, runs))
    untold: dict[str | None, list[LatencyTest]] = {}
    for test in comparison.latency_tests:
        if test.judgement == CANNOT_TELL:
            untold.setdefault(test.unit if test.needed else None, []).append(test)
    return [
        note
        for unit, tests in untold.items()
        for note in (
            _each_needed(tests, comparison, names, out_of_time=out_of_time)
            if unit is None or len({test.needed for test in tests}) < FEWEST_TOGETHER
            else [_together(tests, comparison, names, out_of_time=out_of_time)]
        )
    ]


#: From so many different figures on what is needed is told as a range.
FEWEST_TOGETHER = 3


def _each_needed(
    tests: Sequence[LatencyTest], comparison: Comparison, names: Mapping[str, str], *, out_of_time: bool
) -> Iterator[str]:
    """Yield a sentence for each thing that would tell."""
    untold: dict[str, list[LatencyTest]] = {}
    for test in tests:
        untold.setdefault(f"{needed_text(test)}{_way(test, out_of_time=out_of_time)}", []).append(test)
    for why, found in untold.items():
        yield f"latency of {_untold(found, comparison, names)} can't be told: {why}"


def _together(
    tests: Sequence[LatencyTest], comparison: Comparison, names: Mapping[str, str], *, out_of_time: bool
) -> str:
    """Return one sentence for all that need more of the same."""
    *_, most = ordered = sorted(tests, key=lambda test: test.needed or 0)
    needed = f"{ordered[0].needed} to {needed_text(most)}{_way(most, out_of_time=out_of_time)}"
    return f"latency of {_untold(tests, comparison, names)} can't be told: {needed}"


def _way(test: LatencyTest, *, out_of_time: bool) -> str:
    option = "in a longer --max-duration" if out_of_time else f"--{test.unit}s {test.needed}"
    return f" ({option})" if test.needed else ""


def _untold(tests: Sequence[LatencyTest], comparison: Comparison, names: Mapping[str, str]) -> str:
    every = len(comparison.latency_tests)
    who = [names[test.run] for test in tests]
    return f"all {every}" if len(who) == every > 1 else ", ".join(who)


def _refusals(runs: Sequence[RunResult], comparison: Comparison, names: Mapping[str, str]) -> Iterator[str]:
    by_id = {run.id: run for run in runs}
    told: dict[str, list[str]] = {}
    for refusal in comparison.refused:
        base = by_id[comparison.baseline or refusal.run]
        if is_of_other_conditions(base, by_id[refusal.run]):
            told.setdefault("; ".join(refusal.reasons), []).append(names[refusal.run])
    for why, who in told.items():
        yield f"{_listed(who, len(runs))} {'is' if len(who) == 1 else 'are'} not compared: {why}"


def _conditions(runs: Sequence[RunResult], comparison: Comparison, names: Mapping[str, str]) -> Iterator[str]:
    told: dict[str, list[str]] = {}
    for condition in comparison.conditions:
        if condition.name == CORE_MASK.name and is_sweep(runs):
            continue  # the table is about nothing else
        word, before, after = in_words(condition)
        told.setdefault(f"{word} is {after}, the baseline's {before}", []).append(names[condition.run])
    for differs, who in told.items():
        yield f"{_listed(who, len(runs))}: {differs}"


def _listed(who: Sequence[str], every: int) -> str:
    """Return whom a note concerns: all but the baseline in a word, where these are several."""
    return f"all {len(who)} others" if len(who) == every - 1 > 1 else ", ".join(who)


def with_advice(caveat: Caveat, language: Language = ENGLISH) -> str:
    """Return a caveat and what to do about it in one line."""
    told = told_caveat(caveat, language)
    return f"{told.message} → {told.advice}" if told.advice else told.message


def told_caveat(caveat: Caveat, language: Language) -> Caveat:
    """Return a caveat with what it says in a language, as far as that is known."""
    return replace(caveat, message=language.known(caveat.message), advice=language.known(caveat.advice))
