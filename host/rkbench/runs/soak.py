"""The scenario `soak`, folded as it comes: a summary of every window, raw latencies of some of them.

Hours of latencies are not kept at full rate: each window is summarised from all of its calls, and whole
windows are kept raw, evenly over the soak, every second one given up whenever they are more than RAW_CALLS.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from rkbench_agent.wire.messages import Latencies
from rkbench_agent.wire.scenario_messages import SoakWindow

from rkbench.runs.latencies import RawLatencies
from rkbench.stats.slope import RISES, find_slope
from rkbench.stats.summary import percentile

NS_PER_S = 1e9
#: So many calls are kept raw at most, of columns of 8 bytes each.
RAW_CALLS = 200_000
#: Slopes are taken over all pairs: more windows than this are joined with their neighbours.
MOST_LEVELS = 120
#: A page: less growth than that in a window is no leak.
PAGE_BYTES = 4096
#: Fewer calls carry no p99 (see `stats.quantiles`).
P99_CALLS = 662
#: A drift of less than this means nothing.
EFFECT = 0.02


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
    """A soak as a whole. `findings` are what speaks against it: drift, leak, outputs; empty: steady.

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
                    p99_s=percentile(durations, 99) / NS_PER_S if len(durations) >= P99_CALLS else None,
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
            findings=tuple(_findings(drift, leak, self._last)),
            digested=self._last.digested,
            changed=self._last.changed,
            first_changed=self._last.first_changed,
            drift_ratio=drift[0] if drift else None,
            drift_low=drift[1] if drift else None,
            drift_high=drift[2] if drift else None,
            leak_bytes_per_call=leak,
            kept_calls=len(self.raw.timed()),
        )


class _Multiples:
    """The block numbers that are multiples of another."""

    def __init__(self, of: int) -> None:
        self._of = of

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and number % self._of == 0


_Drift = tuple[float, float, float]


def _drift(levels: Sequence[float]) -> _Drift | None:
    joined = _joined(levels)
    slope = find_slope(joined)
    if slope.per_step is None or slope.low is None or slope.high is None:
        return None
    scale = (len(joined) - 1) / sorted(joined)[len(joined) // 2]
    return slope.per_step * scale, slope.low * scale, slope.high * scale


def _leak(windows: Sequence[SoakSummary], value: Callable[[SoakSummary], int | None]) -> float | None:
    """Return by how many bytes a call memory grew in the second half; None where it did not, or is unknown.

    The first half is the allocators' to settle in.
    """
    half = windows[len(windows) // 2 :]
    known = [float(held) for window in half if (held := value(window)) is not None]
    if len(known) < len(half):
        return None
    slope = find_slope(_joined(known))
    if slope.judgement != RISES or slope.per_step is None or slope.per_step < PAGE_BYTES:
        return None
    join = math.ceil(len(known) / MOST_LEVELS)
    return slope.per_step / (join * fmean(window.count for window in half))


def _joined(levels: Sequence[float]) -> list[float]:
    join = math.ceil(len(levels) / MOST_LEVELS)
    return [fmean(levels[start : start + join]) for start in range(0, len(levels), max(1, join))]


def _rss(window: SoakSummary) -> int | None:
    return window.rss_bytes


def _dma(window: SoakSummary) -> int | None:
    return window.dma_buf_bytes


def _findings(drift: _Drift | None, leak: float | None, last: SoakWindow) -> list[SoakFinding]:
    found = []
    if last.changed:
        text = f"{last.changed} of {last.digested} outputs differ from the first"
        found.append(SoakFinding("nondeterministic", f"{text}, from iteration {last.first_changed} on"))
    if drift is not None and drift[1] * drift[2] > 0 and abs(drift[0]) > EFFECT:
        word = "slower" if drift[0] > 0 else "faster"
        text = f"calls grew {word} by {abs(drift[0]) * 100:.1f} % from the first window to the last"
        found.append(SoakFinding("drift", text))
    if leak is not None:
        found.append(SoakFinding("memory_leak", f"memory grows by {leak:.0f} B with every call"))
    return found
