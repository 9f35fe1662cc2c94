"""The rates that a server was tried with: what each did to the latency. Pure text."""

from __future__ import annotations

from rkbench.runs.model import RunResult
from rkbench.runs.server import ServerTry
from rkbench.units import MARK, UNKNOWN, format_rate, format_seconds
from rkbench.views.push.offline import TableLine, aligned_right


def server_lines(run: RunResult) -> list[TableLine]:
    """Return the tries of one run as lines of a table, its heads first."""
    if run.server is None:
        return []
    mark = MARK if run.simulated else ""
    rows: list[tuple[str, ...]] = [
        ("arrivals", "served", "p50", "p90", "p99", "max", "calls", run.server.slo or "")
    ]
    rows += [_row(item, mark, run.server.slo) for item in run.server.tries]
    goodput = run.server.goodput_per_s
    chosen = [False, *(goodput is not None and item.rate_per_s == goodput for item in run.server.tries)]
    return [TableLine(text, flag) for text, flag in zip(aligned_right(rows), chosen, strict=True)]


def server_text(run: RunResult) -> str:
    """Return in words what the rates of a server say."""
    found = run.server
    if found is None:
        return ""
    name, mark = run.variant.name, MARK if run.simulated else ""
    if not found.slo:
        tried = found.tries[-1]
        return (
            f"{name} serves {mark}{format_rate(tried.rate_per_s)} of random arrivals with p99"
            f" {mark if tried.p99_s else ''}{format_seconds(tried.p99_s)} from when a call was due."
        )
    if found.goodput_per_s is None:
        lowest = min((item.rate_per_s for item in found.tries if item.rate_per_s), default=None)
        tried_text = f" down to {mark}{format_rate(lowest)}" if lowest else ""
        return f"{name} keeps {found.slo} at no rate that was tried{tried_text}."
    above = f"; at {mark}{format_rate(found.failing_per_s)} it no longer does" if found.failing_per_s else ""
    goodput = mark + format_rate(found.goodput_per_s)
    return f"{name}: goodput {goodput}, the highest rate tried that keeps {found.slo}{above}."


def _row(item: ServerTry, mark: str, slo: str) -> tuple[str, ...]:
    times = (item.p50_s, item.p90_s, item.p99_s, item.max_s)
    return (
        "always busy" if item.rate_per_s is None else mark + format_rate(item.rate_per_s),
        mark + format_rate(item.served_per_s),
        *((mark if value is not None else "") + format_seconds(value) for value in times),
        str(item.count),
        _kept(item, mark) if slo else "",
    )


def _kept(item: ServerTry, mark: str) -> str:
    if item.is_kept is None:
        return "" if item.rate_per_s is None else UNKNOWN
    bounds = ""
    if item.objective_low_s is not None and item.objective_high_s is not None:
        low, high = (format_seconds(bound) for bound in (item.objective_low_s, item.objective_high_s))
        bounds = f" ({mark}{low} to {high})"
    return ("kept" if item.is_kept else "missed") + bounds
