"""What a night would do, before it does."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.words import SINGLE_STREAM

from rkbench.nightly.dry import DryBoard, DryCell, DryNight
from rkbench.nightly.suite import NightPlan
from rkbench.units import format_about_seconds, format_seconds, printable


def show_dry_night(night: DryNight) -> None:
    """Print what a night would do."""
    for line in dry_lines(night):
        print(printable(line))


def dry_lines(night: DryNight) -> Iterator[str]:
    """Yield it line by line: the night, each board with its cells, what is left out, how long it takes."""
    count = sum(len(board.cells) for board in night.boards)
    on = f"{_counted(count, 'cell')} on {_counted(len(night.boards), 'board')}"
    yield f"{night.suite}: {on}, {_begins(night)}; nothing is run, nothing written"
    if night.no_history:
        yield f"no nights before are known: {night.no_history}"
    for board in night.boards:
        one = board.board
        yield f"{one.name} ({one.soc or 'SoC not told'}, {one.address}): {_state(board)}"
        for cell in board.cells:
            yield f"  {cell.variant} ({_plan(cell)}): {_about(cell.took_s)}{_made(cell)}"
    yield from _gates(night)
    for item in night.left_out:
        yield f"left out: {item.file} on {item.board.name} ({item.board.soc}): it is for {item.target}"
    yield _in_all(night)


def _plan(cell: DryCell) -> str:
    """Return a plan by its name, with its scenario and what that asks for, where it is not the usual one."""
    settings = cell.plan.settings
    if settings.scenario == SINGLE_STREAM:
        return cell.plan.name
    told = {
        "beside": cell.plan.other.name if cell.plan.other else "",
        "contexts": ",".join(map(str, settings.contexts)),
        "placement": ",".join(settings.placements),
        "rate": f"{settings.rate_per_s:g}/s" if settings.rate_per_s is not None else "",
        "goodput of": settings.slo or "" if settings.find_rate else "",
    }
    parts = [f"{word} {value}" for word, value in told.items() if value]
    return f"{cell.plan.name}: {', '.join([settings.scenario, *parts])}"


def _made(cell: DryCell) -> str:
    if cell.made is None:
        return ""
    made = cell.made.made_by
    by = f"{made.onnx} by {made.recipe} with rknn-toolkit2 {made.toolkit_version}"
    return f"; {by}: {'converted before' if cell.made.is_made else 'to be converted'}"


def _gates(night: DryNight) -> Iterator[str]:
    """Yield what the cells are held to, a line for all that are held to the same."""
    held: dict[tuple[str, ...], dict[str, None]] = {}
    for board in night.boards:
        for cell in board.cells:
            plan = "" if cell.plan.name == NightPlan().name else f" ({cell.plan.name})"
            held.setdefault(tuple(gate.text for gate in cell.gates), {})[f"{cell.variant}{plan}"] = None
    for gates, cells in held.items():
        yield f"gates of {'all' if len(held) == 1 else ', '.join(cells)}: {', '.join(gates)}"


def _begins(night: DryNight) -> str:
    if night.goes_on:
        return f"goes on with {night.goes_on}, {night.done} done"
    return "a new night"


def _state(board: DryBoard) -> str:
    if board.out:
        return f"taken out, its cells are not measured: {board.out}"
    if board.users:
        return f"in use by {'; '.join(board.users)}: each cell waits for it"
    return "nothing is known against it (not asked)"


def _about(took_s: float | None) -> str:
    return "never measured" if took_s is None else f"took {format_seconds(took_s)}"


def _in_all(night: DryNight) -> str:
    boards = night.measuring
    if not boards:
        return "nothing would be measured"
    if night.took_s is not None:
        return f"about {format_about_seconds(max(1.0, night.took_s))}, by what the same cells took before"
    cells = [cell for board in boards for cell in board.cells]
    new = sum(cell.took_s is None for cell in cells)
    return f"how long it takes is not known (cells never measured: {new} of {len(cells)})"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
