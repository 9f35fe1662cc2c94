"""The steps of an offline run: rate, load and memory by placement and number of contexts. Pure text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rkbench_agent.wire.words import LITE

from rkbench.campaign.scenarios import MOST_CONTEXTS
from rkbench.results.model import RunResult
from rkbench.results.offline import Offline, OfflineRate
from rkbench.units import UNKNOWN, format_bytes, format_rate, format_seconds
from rkbench.views.push.paragraphs import mark_of

BAR_WIDTH = 20
GAP = "  "
#: Columns are left out from the last of these on where the terminal is too narrow for all.
_LEAST_WANTED = ("", "NPU memory", "process", "p99", "core load %")


@dataclass(frozen=True)
class TableLine:
    """A line of the table; `is_chosen` is that of the saturation."""

    text: str
    is_chosen: bool = False


def offline_lines(run: RunResult, width: int) -> list[TableLine]:
    """Return the table of one run, its heads first, in at most `width` columns where that is possible."""
    if run.offline is None:
        return []
    lines = fitted_lines(_columns(run, run.offline), width, _LEAST_WANTED, left=("cores", ""))
    chosen = [False, *(_is_chosen(run.offline, step) for step in run.offline.steps)]
    return [TableLine(text, flag) for text, flag in zip(lines, chosen, strict=True)]


def offline_text(run: RunResult) -> str:
    """Return in words what the steps of an offline run say."""
    found = run.offline
    if found is None:
        return ""
    mark = mark_of(run)
    point = found.saturation
    what = f"{_contexts(point.contexts)} {where(point.placement)}: {mark}{format_rate(point.rate_per_s)}"
    times = f", {mark}{point.rate_per_s / found.one_per_s:.2f}× one context" if found.one_per_s else ""
    if point.contexts == 1:
        times = ""
    word = "saturates" if point.is_reached else "does most"
    end = _after(found, mark) if point.is_reached else _not_tried(run, found)
    return f"{run.variant.name} {word} at {what}{times}{end}. {_memory(run, found, mark)}"


def fitted_lines(
    columns: dict[str, list[str]], width: int, least_wanted: Sequence[str], left: Sequence[str]
) -> list[str]:
    """Return columns of equal length as lines, their heads first; those in `left` are flush left.

    Where `width` is too narrow for all, columns are left out in the order of `least_wanted`.
    """
    for head in least_wanted:
        if _width(columns) > width:
            columns.pop(head, None)
    widths = {head: max(len(head), *map(len, cells)) for head, cells in columns.items()}
    lines = [_line({head: head for head in columns}, widths, left)]
    for index in range(min(map(len, columns.values()))):
        lines.append(_line({head: cells[index] for head, cells in columns.items()}, widths, left))
    return lines


def aligned_right(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells as lines; every column but the last is flush right."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return [
        GAP.join(
            cell.rjust(width) if index < len(row) - 1 else cell
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _columns(run: RunResult, found: Offline) -> dict[str, list[str]]:
    mark = mark_of(run)
    steps = found.steps
    first = found.one_per_s
    highest = max(step.rate_per_s for step in steps)
    placements = [step.placement for step in steps]
    columns = {
        "cores": [
            p if index == 0 or placements[index - 1] != p else "" for index, p in enumerate(placements)
        ],
        "contexts": [f"{'▸ ' if _is_chosen(found, step) else ''}{step.contexts}" for step in steps],
        "rate": [mark + format_rate(step.rate_per_s) for step in steps],
        "± 95 %": [_half(step) for step in steps],
        "gain": [f"{mark}{step.rate_per_s / first:.2f}×" if first else UNKNOWN for step in steps],
        "p50": [mark + format_seconds(step.p50_s) for step in steps],
        "p99": [(mark if step.p99_s else "") + format_seconds(step.p99_s) for step in steps],
        "core load %": [_load(step, mark) for step in steps],
        "NPU memory": [_held(mark, step.dma_buf_bytes or step.npu_bytes) for step in steps],
        "process": [_held(mark, step.rss_bytes) for step in steps],
        "": ["█" * max(1, round(BAR_WIDTH * step.rate_per_s / highest)) for step in steps],
    }
    return {head: cells for head, cells in columns.items() if set(cells) != {UNKNOWN}}


def _width(columns: dict[str, list[str]]) -> int:
    return sum(max(len(head), *map(len, cells)) + len(GAP) for head, cells in columns.items()) - len(GAP)


def _line(cells: dict[str, str], widths: dict[str, int], left: Sequence[str]) -> str:
    parts = [cell.ljust(widths[h]) if h in left else cell.rjust(widths[h]) for h, cell in cells.items()]
    return GAP.join(parts).rstrip()


def _is_chosen(found: Offline, step: OfflineRate) -> bool:
    return (step.placement, step.contexts) == (found.saturation.placement, found.saturation.contexts)


def _half(step: OfflineRate) -> str:
    if step.high_per_s is None or not step.rate_per_s:
        return UNKNOWN
    return f"{(step.high_per_s / step.rate_per_s - 1) * 100:.1f} %"


def _load(step: OfflineRate, mark: str) -> str:
    each = " ".join(f"{share * 100:3.0f}" for share in step.core_load_ratio)
    return f"{mark}{each.lstrip()}" if each else UNKNOWN


def _held(mark: str, size_bytes: int | None) -> str:
    return UNKNOWN if size_bytes is None else mark + format_bytes(size_bytes)


def _contexts(count: int) -> str:
    return f"{count} context{'s' * (count != 1)}"


def where(placement: str) -> str:
    """Return in words where contexts or models lie."""
    words = {
        "auto": "placed by the driver (auto)",
        "spread": "spread over the cores",
        "all": "on all cores each",
    }
    return words.get(placement, f"on core {placement}")


def _after(found: Offline, mark: str) -> str:
    """Return what the most contexts of the same placement brought."""
    point = found.saturation
    most = max((s for s in found.steps if s.placement == point.placement), key=lambda step: step.contexts)
    change = most.rate_per_s / point.rate_per_s - 1
    return f"; {_contexts(most.contexts)} bring {mark}{change * 100:+.1f} %"


def _not_tried(run: RunResult, found: Offline) -> str:
    """Return why nothing is known of more contexts, with what to type where that would tell."""
    point = found.saturation
    measured = {step.contexts for step in found.steps if step.placement == point.placement}
    failed = [count for count in run.plan.contexts if count > max(measured)]
    if failed:
        what = "was broken off before" if run.failure is not None else "could not be made with"
        return f"; it {what} {_contexts(failed[0])}"
    counts = [str(n) for factor in (1, 2, 3) if (n := point.contexts * factor) <= MOST_CONTEXTS]
    return f"; more were not tried: --contexts {','.join(counts)}" if len(counts) > 1 else ""


def _memory(run: RunResult, found: Offline, mark: str) -> str:
    if run.plan.runtime == LITE:
        shared = "RKNNLite cannot share weights, each instance holds its own (--runtime capi shares them)"
    else:
        shared = "the weights are shared" if found.shares_weights else "each holds weights of its own"
    taken = [
        f"{mark}{format_bytes(size)} {of}"
        for size, of in (
            (found.npu_bytes_per_context, "of NPU memory"),
            (found.rss_bytes_per_context, "of the process"),
        )
        if size is not None
    ]
    return (
        f"Each further context takes {' and '.join(taken)}; {shared}."
        if taken
        else f"{shared[0].upper()}{shared[1:]}."
    )
