"""The rates that a server was tried with: what each did to the latency. Pure text."""

from __future__ import annotations

from rkbench.results.model import RunResult
from rkbench.results.server import Server, ServerTry, parse_slo, told_try
from rkbench.stats.figures import TIMES_TO_SEE_FURTHER
from rkbench.units import SECONDS, UNKNOWN, format_between, format_rate, format_seconds, text_beside
from rkbench.views.push.offline import TableLine, fitted_lines
from rkbench.views.push.paragraphs import mark_of

#: Columns are left out from the first of these on where the terminal is too narrow for all.
_LEAST_WANTED = ("max", "p90", "calls", "p50")


def server_lines(run: RunResult, width: int) -> list[TableLine]:
    """Return the tries of one run as lines of a table, heads first, in `width` columns if possible."""
    found = run.server
    if found is None:
        return []
    lines = fitted_lines(_columns(found, mark_of(run)), width, _LEAST_WANTED, left=(found.slo,))
    goodput = found.goodput_per_s
    chosen = [False, *(goodput is not None and item.rate_per_s == goodput for item in found.tries)]
    return [TableLine(text, flag) for text, flag in zip(lines, chosen, strict=True)]


def server_text(run: RunResult) -> str:
    """Return in words what the rates of a server say."""
    found = run.server
    if found is None:
        return ""
    name, mark = run.variant.name, mark_of(run)
    if not found.slo:
        tried = found.tries[-1]
        if tried.queue_grew:
            due, served = (mark + format_rate(rate) for rate in (tried.rate_per_s, tried.served_per_s))
            return f"{name} does not serve {due}: it did {served}, and the queue grew."
        return (
            f"{name} serves {mark}{format_rate(tried.rate_per_s)} of random arrivals with p99"
            f" {mark if tried.p99_s else ''}{format_seconds(tried.p99_s)} from when a call was due."
        )
    early = "; the search ended early" if run.failure else ""
    if found.goodput_per_s is None:
        lowest = min((item.rate_per_s for item in found.tries if item.rate_per_s), default=None)
        if lowest is None:
            most = mark + format_rate(found.tries[-1].served_per_s)
            return f"{name} serves {most} at most, always busy; no rate was tried{early}."
        said = f"{name} surely keeps {found.slo} at no rate that was tried"
        return f"{said} down to {mark}{format_rate(lowest)}{_undecided(found, mark)}{early}."
    above = f"; at {mark}{format_rate(found.failing_per_s)} it no longer does" if found.failing_per_s else ""
    goodput = mark + format_rate(found.goodput_per_s)
    highest = f"the highest rate tried that keeps {found.slo}"
    said = f"{name}: goodput {goodput}, {highest} beyond chance{above}{_undecided(found, mark)}{early}."
    return f"{said} {_unseen(told_try(found).count)}"


def _unseen(calls: int) -> str:
    """Return what so many calls may not have met: once in n/3 of them is met by none of n in 5 % (e^-3)."""
    return f"Of {calls} calls: what stalls less than once in {calls // 3} may have stayed unseen."


def _undecided(found: Server, mark: str) -> str:
    """Return up to which rate it can't be told, and how many calls tell more; "" where all can."""
    unsure = [item for item in found.tries if item.rate_per_s and item.is_kept is None]
    if not unsure:
        return ""
    highest, calls = max(item.rate_per_s or 0.0 for item in unsure), max(item.count for item in unsure)
    return f"; up to {mark}{format_rate(highest)} can't be told: --iterations {TIMES_TO_SEE_FURTHER * calls}"


def _columns(found: Server, mark: str) -> dict[str, list[str]]:
    tries = found.tries
    columns = {
        "arrivals": [
            "always busy" if item.rate_per_s is None else mark + format_rate(item.rate_per_s)
            for item in tries
        ],
        "served": [mark + format_rate(item.served_per_s) for item in tries],
        "p50": [_time(item.p50_s, mark) for item in tries],
        "p90": [_time(item.p90_s, mark) for item in tries],
        "p99": [_time(item.p99_s, mark) for item in tries],
        "max": [_time(item.max_s, mark) for item in tries],
        "calls": [str(item.count) for item in tries],
    }
    if found.slo:
        columns[found.slo] = [_kept(item, mark, parse_slo(found.slo).limit_s) for item in tries]
    return columns


def _time(duration_s: float | None, mark: str) -> str:
    return UNKNOWN if duration_s is None else mark + format_seconds(duration_s)


#: What is said of an objective: unsure where the interval holds its limit.
_WORDS = {True: "kept", False: "missed", None: "unsure"}


def _kept(item: ServerTry, mark: str, limit_s: float) -> str:
    """Return whether a try keeps the objective, with what bounds its percentile."""
    if item.rate_per_s is None:
        return ""
    low_s, high_s = item.objective_low_s, item.objective_high_s
    if low_s is None:
        return UNKNOWN if item.is_kept is None else _WORDS[item.is_kept]
    from_low = f"from {mark}{text_beside(SECONDS, low_s, limit_s)}"
    between = from_low if high_s is None else mark + format_between(SECONDS, low_s, high_s, limit_s)
    return f"{_WORDS[item.is_kept]} ({between})"
