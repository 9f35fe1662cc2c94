"""The scenario `soak`, folded as it comes: a summary of every window, raw latencies of some of them.

Hours of latencies are not kept at full rate: each window is summarised from all of its calls, and whole
windows are kept raw, evenly over the soak, every second one given up whenever they are more than RAW_CALLS.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING

from rkbench_agent.wire.messages import Latencies
from rkbench_agent.wire.scenario_messages import SoakWindow

from rkbench.results.latencies import RawLatencies
from rkbench.stats.quantiles import calls_for
from rkbench.stats.slope import MINIMUM_COUNT, RISES, find_leak
from rkbench.stats.summary import percentile
from rkbench.units import format_seconds

if TYPE_CHECKING:
    from rkbench.stats.levels import Drift

NS_PER_S = 1e9
#: So many calls are kept raw at most, of columns of 8 bytes each.
RAW_CALLS = 200_000
#: So many windows, at least, can be called steady: Pettitt's test finds no step at all in 15 or fewer.
FEWEST_WINDOWS = 20
#: So much of the windows has to have its memory read for that to be judged.
_KNOWN_SHARE = 0.75
#: The median of so many calls is a level, whatever one of them did.
_LEVEL_CALLS = 9


@dataclass(frozen=True)
class SoakSummary:
    """One window: `since_s` the start of the soak, from all of its calls. `p99_s` is None below 662 calls."""

    since_s: float
    count: int
    p50_s: float
    p99_s: float | None
    max_s: float
    rss_bytes: int | None = None
    dma_buf_bytes: int | None = None


@dataclass(frozen=True)
class SoakFinding:
    """What speaks against a soak: the code of its caveat, and a text."""

    code: str
    text: str


@dataclass(frozen=True)
class Soak:
    """A soak as a whole. `findings` are what speaks against it: drift, leak, outputs; empty: steady, where
    there are 20 windows or more.

    `drift_ratio` is by how much the windows' p50 grew from the first to the last (Theil and Sen, 95 %).
    `leak_bytes_per_call` is how process memory or NPU buffers grew in the second half; None: they did not.
    Outputs are compared by digest, `digested` of them; `kept_calls` of `count` are kept raw.
    """

    elapsed_s: float
    count: int
    windows: tuple[SoakSummary, ...]
    findings: tuple[SoakFinding, ...]
    digested: int
    changed: int
    first_changed: int | None
    drift_ratio: float | None
    drift_low: float | None
    drift_high: float | None
    leak_bytes_per_call: float | None
    kept_calls: int


class SoakFold:
    """Takes the messages of one soak; what it holds is bounded, however long that goes on."""

    def __init__(self) -> None:
        self.raw = RawLatencies()
        self._window = RawLatencies()
        self._summaries: list[SoakSummary] = []
        self._last: SoakWindow | None = None
        self._elapsed_ns = 0
        self._stride = 1

    def add(self, batch: Latencies) -> None:
        """Take a batch of the window that goes on; warm-up is kept as it is."""
        (self.raw if batch.warmup else self._window).append(batch)

    def end_window(self, window: SoakWindow) -> None:
        """Summarise the window that is over, and keep it raw or not."""
        done, self._window = self._window, RawLatencies()
        durations = sorted(done.timed())
        if durations:
            self._summaries.append(
                SoakSummary(
                    since_s=self._elapsed_ns / NS_PER_S,
                    count=len(durations),
                    p50_s=percentile(durations, 50) / NS_PER_S,
                    p99_s=_percentile_s(durations, 99.0),
                    max_s=durations[-1] / NS_PER_S,
                    rss_bytes=window.rss_bytes,
                    dma_buf_bytes=window.dma_buf_bytes,
                )
            )
        self._elapsed_ns += window.elapsed_ns
        self._last = window
        if window.block % self._stride == 0:
            self.raw.extend(done)
        while len(self.raw.duration_ns) > RAW_CALLS and len(set(self.raw.block)) > 1:
            self._stride *= 2
            self.raw = self.raw.only(_Multiples(self._stride))

    def result(self) -> Soak | None:
        """Return what is known so far; None before the first window was over."""
        if self._last is None or not self._summaries:
            return None
        drift = _drift([window.p50_s for window in self._summaries])
        leaks = [_leak(self._summaries, value) for value in (_rss, _dma)]
        leak = max((found for found in leaks if found is not None), default=None)
        return Soak(
            elapsed_s=self._elapsed_ns / NS_PER_S,
            count=sum(window.count for window in self._summaries),
            windows=tuple(self._summaries),
            findings=tuple(_findings(_moved(self._summaries, drift), leak, self._last)),
            digested=self._last.digested,
            changed=self._last.changed,
            first_changed=self._last.first_changed,
            drift_ratio=drift.ratio if drift else None,
            drift_low=drift.low if drift else None,
            drift_high=drift.high if drift else None,
            leak_bytes_per_call=leak,
            kept_calls=len(self.raw.timed()),
        )


class _Multiples:
    """The block numbers that are multiples of another."""

    def __init__(self, of: int) -> None:
        self._of = of

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and number % self._of == 0


def _percentile_s(durations: Sequence[int], percent: float) -> float | None:
    enough = len(durations) >= calls_for(percent)
    return percentile(durations, percent) / NS_PER_S if enough else None


def _drift(levels: Sequence[float]) -> Drift | None:
    from rkbench.stats.levels import find_drift, joined_levels  # with numpy, which a list of runs needs not

    return find_drift(joined_levels(levels))


def _leak(windows: Sequence[SoakSummary], value: Callable[[SoakSummary], int | None]) -> float | None:
    """Return by how many bytes a call memory grew; None where it did not, or is unknown.

    By the rule of load cycles, with windows for cycles.
    """
    from rkbench.stats.levels import joined_count, joined_levels

    known = [float(held) for window in windows if (held := value(window)) is not None]
    if len(known) < _KNOWN_SHARE * len(windows):
        return None
    slope = find_leak(joined_levels(known))
    if slope.judgement != RISES or slope.per_step is None:
        return None
    calls = fmean(window.count for window in windows[len(windows) // 2 :]) * len(windows) / len(known)
    return slope.per_step / (joined_count(len(known)) * calls)


def is_short(found: Soak) -> bool:
    """Return whether a soak has too few windows to be called steady."""
    return len(found.windows) < FEWEST_WINDOWS


def memory_windows(found: Soak) -> int | None:
    """Return how many windows had the process memory read, where those are too few to find a leak in."""
    known = sum(window.rss_bytes is not None for window in found.windows)
    enough = max(MINIMUM_COUNT, _KNOWN_SHARE * len(found.windows))
    return known if known < enough else None


def _rss(window: SoakSummary) -> int | None:
    return window.rss_bytes


def _dma(window: SoakSummary) -> int | None:
    return window.dma_buf_bytes


def _moved(windows: Sequence[SoakSummary], drift: Drift | None) -> SoakFinding | None:
    """Return how the level changed, at one moment or evenly; None where it stayed."""
    from rkbench.stats.change import find_change, is_step
    from rkbench.stats.levels import joined_count, joined_levels

    levels = joined_levels([window.p50_s for window in windows])
    change = find_change(levels)
    drifts = drift is not None and drift.matters
    if change is not None and change.matters and (not drifts or is_step(levels, change)):
        at_s = windows[change.index * joined_count(len(windows))].since_s
        return SoakFinding("drift", f"calls are {_changed(change.ratio)} from {format_seconds(at_s)} on")
    told = (
        [f"calls grew {_changed(drift.ratio)} from the first window to the last"] if drift and drifts else []
    )
    told += _apart(windows)
    return SoakFinding("drift", "; ".join(told)) if told else None


def _apart(windows: Sequence[SoakSummary]) -> list[str]:
    """Return which windows were slower or faster than the others, where several were.

    Of windows of few calls neighbours are taken together, by their median: a slow call is no slow window.
    """
    from rkbench.stats.change import FEWEST_SCATTERED, find_apart

    calls = median([window.count for window in windows])
    join = max(1, min(math.ceil(_LEVEL_CALLS / calls), len(windows) // FEWEST_SCATTERED))
    parts = [windows[start : start + join] for start in range(0, len(windows) - join + 1, join)]
    apart = find_apart([median([window.p50_s for window in part]) for part in parts])
    if apart is None:
        return []
    first, last = (parts[place] for place in (apart.places[0], apart.places[-1]))
    between = f"between {format_seconds(first[0].since_s)} and {format_seconds(last[-1].since_s)}"
    count = len(apart.places) * join
    return [f"{count} of {len(windows)} windows are {_changed(apart.ratio)} than most, {between}"]


def _changed(ratio: float) -> str:
    return f"{'slower' if ratio > 0 else 'faster'} by {abs(ratio) * 100:.1f} %"


def _findings(moved: SoakFinding | None, leak: float | None, last: SoakWindow) -> list[SoakFinding]:
    found = []
    if last.changed:
        text = f"{last.changed} of {last.digested} outputs differ from the first"
        found.append(SoakFinding("nondeterministic", f"{text}, from iteration {last.first_changed} on"))
    if moved is not None:
        found.append(moved)
    if leak is not None:
        found.append(SoakFinding("memory_leak", f"memory grows by {leak:.3g} B with every call"))
    return found
