"""A soak over its time: some of its windows as lines of a table, and what it found. Pure text."""

from __future__ import annotations

from collections.abc import Sequence

from rkbench.results.model import TEMPERATURE, RunResult
from rkbench.results.soak import FEWEST_WINDOWS, Soak, SoakSummary, is_short, memory_windows
from rkbench.units import UNKNOWN, format_bytes, format_celsius, format_seconds
from rkbench.views.push.offline import TableLine, aligned_right
from rkbench.views.push.paragraphs import mark_of

SHOWN_LINES = 12


def soak_lines(run: RunResult) -> list[TableLine]:
    """Return the windows of one run as lines of a table, neighbours together, its heads first."""
    if run.soak is None:
        return []
    mark, windows = mark_of(run), run.soak.windows
    step = -(-len(windows) // SHOWN_LINES)
    groups = [windows[start : start + step] for start in range(0, len(windows), step)]
    rows: list[tuple[str, ...]] = [("since", "calls", "p50", "p99", "max", "NPU buffers", "process", "")]
    rows += [_row(group, mark) for group in groups]
    known = [place for place in range(len(rows[0])) if {row[place] for row in rows[1:]} != {UNKNOWN}]
    return [TableLine(text) for text in aligned_right([[row[place] for place in known] for row in rows])]


def soak_text(run: RunResult) -> str:
    """Return in words what a soak found."""
    found = run.soak
    if found is None:
        return ""
    mark = mark_of(run)
    verdict = _verdict(found, " (simulated)" if mark else "")
    drift = ""
    if found.drift_ratio is not None and found.drift_low is not None and found.drift_high is not None:
        bounds = f"{found.drift_low * 100:+.1f} to {found.drift_high * 100:+.1f}"
        drift = f"; p50 drifted by {mark}{found.drift_ratio * 100:+.1f} % ({bounds})"
    outputs = f"{found.changed} of {found.digested} outputs changed" if found.digested else "outputs unknown"
    heat = [sensor.max for sensor in run.readings.of(TEMPERATURE)] if run.readings else []
    hottest = f"; hottest {mark}{format_celsius(max(heat))}" if heat else ""
    kept = f"; {found.kept_calls} of {found.count} latencies are kept raw"
    took = format_seconds(found.elapsed_s)
    return f"{run.variant.name} in {took}: {verdict}; {outputs}{drift}{hottest}{kept}."


def _verdict(found: Soak, mark: str) -> str:
    """Return whether it was steady: said only where it could be told."""
    count, read = len(found.windows), memory_windows(found)
    if found.findings:
        return f"not steady{mark}: {'; '.join(finding.text for finding in found.findings)}"
    if is_short(found):
        needed = f"{count} of the {FEWEST_WINDOWS} windows that it takes"
        return f"too short to tell whether it is steady: {needed}"
    if read is not None:
        return f"calls are steady; whether memory grows is unknown, read in {read} of {count} windows"
    return "steady"


def _row(group: Sequence[SoakSummary], mark: str) -> tuple[str, ...]:
    p50s = sorted(window.p50_s for window in group)
    p99s = [window.p99_s for window in group if window.p99_s is not None]
    last = group[-1]
    return (
        format_seconds(group[0].since_s),
        str(sum(window.count for window in group)),
        mark + format_seconds(p50s[len(p50s) // 2]),
        mark + format_seconds(max(p99s)) if p99s else UNKNOWN,
        mark + format_seconds(max(window.max_s for window in group)),
        UNKNOWN if last.dma_buf_bytes is None else mark + format_bytes(last.dma_buf_bytes),
        UNKNOWN if last.rss_bytes is None else mark + format_bytes(last.rss_bytes),
        "",
    )
