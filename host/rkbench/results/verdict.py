"""The verdict of a push in one sentence, from its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rkbench.results.caveats import is_wrong
from rkbench.results.comparison import Comparison
from rkbench.results.latency_tests import LatencyTest
from rkbench.results.latency_words import LatencyWords, describe_latency, load_sentence, mean_sentence
from rkbench.results.measure_types import Measure
from rkbench.results.measures import COSINE, LATENCY_P50, MAX_ERROR, NPU_MEMORY, SIZE, TOP1
from rkbench.results.model import STOPPED, RunResult
from rkbench.results.names import told_apart
from rkbench.results.offline_words import offline_sentences
from rkbench.results.ranking_words import ranking_sentence
from rkbench.results.tail_tests import TailTest, tail_sentence
from rkbench.stats.paired import FASTER, SLOWER
from rkbench.units import MARK, signed

#: More than so many that are just faster are counted, not named.
MOST_NAMED = 4
#: So many of those that share a figure are named; of one more than that all are.
MOST_SHARED = 6


def verdict_sentence(runs: Sequence[RunResult], comparison: Comparison) -> str:
    """Return what the runs prove, in one sentence. Who yields wrong outputs wins nothing."""
    ranked, runs = ranking_sentence(comparison.ranking, runs), told_apart(runs)
    good = [run for run in runs if run.failure is None or (run.verdict == STOPPED and run.latency)]
    ended = _ended_early(runs)
    if not good:
        return f"No run was completed:{ended}"
    wrong = {run.id: run.variant.name for run in good if any(map(is_wrong, run.outputs))}
    out = {comparison.baseline, *wrong, *(refusal.run for refusal in comparison.refused)}
    candidates = [run for run in good if run.id not in out]
    base = next((run for run in good if run.id == comparison.baseline), None)
    if base is None or base.id in wrong or not candidates:
        sentence = _alone(base or good[0])
    else:
        sentence = _compared(base, candidates, comparison) + offline_sentences(base, candidates)
    told = f" The outputs of {_listed(list(wrong.values()))} are not what was expected." if wrong else ""
    names = {run.id: run.variant.name for run in runs}
    shown = {run.id: run for run in candidates}
    means = mean_sentence((test for test in comparison.mean_tests if test.run in shown), names, shown)
    latency = f"{_tails(candidates, comparison, runs)}{means}{load_sentence(comparison.latency_tests)}"
    found = f"{sentence}{latency}{told}{ended}"
    return f"{ranked} {found}" if ranked else found


def _tails(candidates: Sequence[RunResult], comparison: Comparison, runs: Sequence[RunResult]) -> str:
    """Return of which candidates the slowest calls differ, as sentences that each begin with a blank."""
    names = {run.id: run.variant.name for run in runs}
    simulated = {run.id: run.simulated for run in candidates}
    told = (
        tail_sentence(test, names, simulated=simulated[test.run])
        for test in comparison.tail_tests
        if test.run in simulated and not _follows_from_the_rest(test, comparison.test_of(test.run))
    )
    return "".join(f" {sentence}" for sentence in told if sentence)


def _follows_from_the_rest(tail: TailTest, test: LatencyTest | None) -> bool:
    """Return whether all calls are slower or faster, and the slowest with them."""
    judgement = test.judgement if test else None
    return (judgement == SLOWER and tail.share > tail.share_against) or (
        judgement == FASTER and tail.share < tail.share_against
    )


def _ended_early(runs: Sequence[RunResult]) -> str:
    """Return who failed and who was stopped, as sentences that each begin with a blank."""
    stopped = [run.variant.name for run in runs if run.verdict == STOPPED]
    failed = [run.variant.name for run in runs if run.failure is not None and run.verdict != STOPPED]
    was = "was" if len(stopped) == 1 else "were"
    told = ((failed, "failed"), (stopped, f"{was} stopped"))
    return "".join(f" {_listed(names)} {what}." for names, what in told if names)


def _alone(run: RunResult) -> str:
    mark = _mark(run)
    parts = [SIZE.text(run)]
    if NPU_MEMORY.value(run) is not None:
        parts.append(f"{mark}{NPU_MEMORY.text(run)} of NPU memory")
    if run.latency:
        parts.append(f"p50 {mark}{LATENCY_P50.text(run)}{', simulated' if run.simulated else ''}")
    parts.append(_words(run))
    return f"{run.variant.name}: {', '.join(parts)}."


def _compared(base: RunResult, candidates: Sequence[RunResult], comparison: Comparison) -> str:
    """Say who is smallest, lightest and fastest, and what the outputs of the ones named are worth."""
    praise: dict[str, list[str]] = {}
    shared: dict[tuple[str, ...], list[str]] = {}
    for words, measure in (("smallest", SIZE), ("lightest to load", NPU_MEMORY)):
        best, percent = _best(candidates, measure, comparison)
        mark = MARK if measure is not SIZE and any(run.simulated for run in best) else ""
        told = f"the {words} ({mark}{percent:+.1f} %)"
        if len(best) == 1:
            praise.setdefault(best[0].id, []).append(told)
        elif best:
            shared.setdefault(tuple(run.id for run in best), []).append(told)
    latency = describe_latency(base, candidates, comparison)
    together = {ids for ids in shared if all(_is_faster(run_id, comparison) for run_id in ids)}
    for ids in together:
        shared[ids].append(f"faster, {_range_of(ids, candidates, comparison)}")
    sharing = {run_id for ids in shared for run_id in ids}
    for run_id, words in latency.faster.items():
        if not any(run_id in ids for ids in together) or words.startswith("the"):
            praise.setdefault(run_id, []).append(words)
    named = [run for run in candidates if run.id in praise or run.id in sharing]
    if not named:
        tail = f"{latency.rest}; " if latency.rest else ""
        return f"{base.variant.name} is not beaten in size or memory: {tail}{_words(base)}."
    claims = [f"{_several(ids, candidates)} are {_listed(words)}" for ids, words in shared.items()]
    praised = [run for run in named if run.id in praise]
    known = _told(praised, praise, is_told_anyway=bool(shared))
    claims += [
        f"{run.variant.name} is {_listed(praise[run.id])}"
        + (f", but {latency.slower[run.id]}" if run.id in latency.slower else "")
        for run in known
    ]
    if len(known) < len(praised):
        claims.append(f"{len(praised) - len(known)} others are faster, too")
    claims += _slower([run for run in named if run.id not in praise], latency)
    if latency.rest and not any(run.id in latency.slower for run in named):
        claims.append(latency.rest)
    shown = [run for run in named if run in known or run.id in sharing]
    return f"Against {base.variant.name}: {'; '.join(claims)}; {_accuracies([base, *shown])}."


def _is_faster(run_id: str, comparison: Comparison) -> bool:
    test = comparison.test_of(run_id)
    return test is not None and test.judgement == FASTER


def _range_of(ids: Sequence[str], candidates: Sequence[RunResult], comparison: Comparison) -> str:
    """Return between what the differences of several runs that are all faster lie, with their intervals."""
    tests = [test for run_id in ids if (test := comparison.test_of(run_id))]
    lows, highs = [test.low_percent or 0.0 for test in tests], [test.high_percent or 0.0 for test in tests]
    mark = MARK if any(run.simulated for run in candidates) else ""
    return f"{mark}{signed(min(lows))} to {signed(max(highs))} %"


def _several(ids: Sequence[str], candidates: Sequence[RunResult]) -> str:
    """Return the names of runs that share a figure; of many how many more there are, of all just that."""
    if len(ids) == len(candidates) > MOST_NAMED:
        return f"all {len(ids)} others"
    names = [run.variant.name for run in candidates if run.id in ids]
    more = len(names) - MOST_SHARED
    return _listed(names if more < 2 else [*names[:MOST_SHARED], f"{more} more"])


def _slower(runs: Sequence[RunResult], latency: LatencyWords) -> list[str]:
    """Return which of those that share what is best are slower than the baseline, as clauses."""
    slower = [run for run in runs if run.id in latency.slower]
    if len(slower) > MOST_NAMED:
        return [f"{len(slower)} of them are slower"]
    return [f"{run.variant.name} is {latency.slower[run.id]}" for run in slower]


def _told(
    named: Sequence[RunResult], praise: Mapping[str, Sequence[str]], *, is_told_anyway: bool
) -> Sequence[RunResult]:
    """Return who is told of by name: all where they are few, else who is more than just faster.

    Somebody is, unless others are.
    """
    if len(named) <= MOST_NAMED:
        return named
    best = [run for run in named if any(not words.startswith("faster") for words in praise[run.id])]
    return best if best or is_told_anyway else named[:MOST_NAMED]


def _mark(run: RunResult) -> str:
    return MARK if run.simulated else ""


def _accuracies(runs: Sequence[RunResult]) -> str:
    """Return what the outputs of the runs are worth: once where it is the same, the kind said once.

    Of many that differ: between what they lie, and whose those are.
    """
    named: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        named.setdefault(_accuracy(run), []).append(run.variant.name)
    if len(named) == 1:
        return f"{_words(runs[0])} in all of them"
    return _range(runs) or _each(named)


def _each(named: Mapping[tuple[str, str], Sequence[str]]) -> str:
    told, last = [], ""
    for (kind, value), names in named.items():
        told.append(f"{value if kind == last else f'{kind} {value}'.strip()} in {_listed(names)}")
        last = kind
    return ", ".join(told)


def _range(runs: Sequence[RunResult]) -> str:
    """Return the worst and the best outputs of many that all have a cosine; "" of few, or without."""
    known = [(value, run) for run in runs if (value := COSINE.value(run)) is not None]
    if len(known) < len(runs) or len({_accuracy(run) for run in runs}) <= MOST_SHARED:
        return ""
    pick = (min, max) if COSINE.higher_is_better else (max, min)
    worst, best = (of(known, key=lambda pair: pair[0])[1] for of in pick)
    return f"{_words(worst)} in {worst.variant.name} to {_accuracy(best)[1]} in {best.variant.name}"


def _best(
    candidates: Sequence[RunResult], measure: Measure, comparison: Comparison
) -> tuple[list[RunResult], float]:
    """Return the candidates with the lowest value, and how far that lies below the baseline.

    Several where they read alike; none where it is not more than one percent.
    """
    differences = comparison.of(measure).differences
    known = [(percent, run) for run in candidates if (percent := differences.get(run.id)) is not None]
    if not known:
        return [], 0.0
    percent, lowest = min(known, key=lambda pair: pair[0])
    alike = [run for _, run in known if measure.text(run) == measure.text(lowest)]
    return (alike, percent) if percent < -1 else ([], percent)


def _words(run: RunResult) -> str:
    return " ".join(_accuracy(run)).strip()


def _accuracy(run: RunResult) -> tuple[str, str]:
    """Return the kind of figure that every output has, and the figure; the agreement beside it, if any."""
    mark = _mark(run)
    for kind, measure in (("lowest cosine", COSINE), ("max. error", MAX_ERROR)):
        if measure.value(run) is not None:
            agrees = "" if TOP1.value(run) is None else f" (top-1 {mark}{TOP1.text(run)})"
            return kind, mark + measure.text(run) + agrees
    if any(output.nan_count or output.inf_count for output in run.outputs):
        return "", "outputs with NaN or infinities"
    if any(output.is_broken for output in run.outputs):
        return "", "outputs with numbers where the golden has infinities"
    return "", "outputs not checked"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
