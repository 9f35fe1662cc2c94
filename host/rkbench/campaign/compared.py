"""The runs of a push compared, fresh or out of a store."""

from __future__ import annotations

from collections.abc import Sequence

from rkbench.errors import UsageError, choice_hint
from rkbench.results.collect import Collected
from rkbench.results.comparison import Comparison, compare_runs
from rkbench.results.verdict import verdict_sentence


def check_baseline(baseline: str | None, names: Sequence[str]) -> None:
    """Raise UsageError where a variant is asked for as the baseline that is none of `names`."""
    if baseline is not None and baseline not in names:
        raise UsageError(f"no variant {baseline!r} for --baseline", hint=choice_hint(baseline, names))


def compare_collected(collected: Sequence[Collected], baseline: str | None = None) -> Comparison:
    """Return the comparison of runs; `baseline` is a variant's name, None the first that did not fail."""
    runs = [item.run for item in collected]
    base = next((run.id for run in runs if run.variant.name == baseline), None)
    latencies = {item.run.id: item.latencies for item in collected}
    return compare_runs(runs, latencies, verdict_sentence, base)
