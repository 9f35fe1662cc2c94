"""Which cells are measured beside the model of their baseline, and how long that takes: pure.

What two nights differ by is in no interval; what one night does to both files is no difference between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rkbench_agent.wire.words import SINGLE_STREAM, VIRTUAL

from rkbench.campaign.duration import Cost, estimate_s
from rkbench.campaign.plan import complete, runtime_of
from rkbench.nightly.by_history import ByHistory
from rkbench.nightly.cells import Cell
from rkbench.nightly.judge import AcceptedRun, References, is_by_pairs
from rkbench.results.measures import LATENCY_P50
from rkbench.results.night import HISTORY
from rkbench.units import format_about_seconds

SAME_MODEL = "the model is its baseline's own"
NOT_KEPT = "the baseline's model is not kept (bench baseline accept keeps it)"
OTHER_SCENARIO = "only calls one after the other have pairs"
ASKED = "the suite asks for it"


def with_baselines(
    cells: Iterable[Cell], references: References, history: ByHistory | None = None
) -> list[Cell]:
    """Return `cells` with their accepted runs, and the one whose model is measured in turns with theirs.

    None is, where no gate asks how a latency differs from the baseline's; one on history does until `history`
    has nights enough.
    """
    past = history or ByHistory()
    return [_with_baseline(cell, references.get(cell.key, ()), past) for cell in cells]


def longest_s(cells: Sequence[Cell]) -> float:
    """Return how long measuring one of `cells` may take by its plan: two models take twice as long."""
    return max(_plan_s(cell) for cell in cells)


def pairs_told(cells: Sequence[Cell]) -> str:
    """Return how many of `cells` are paired and how long they are measured, in words; "" where none is."""
    count = sum(cell.beside is not None for cell in cells)
    about = format_about_seconds(_paired_s(cells))
    of = f"{count} of {len(cells)} cells"
    return f"{of} beside their baselines' models: about {about} on a board" if count else ""


def _paired_s(cells: Iterable[Cell]) -> float:
    """Return about how long the paired ones of `cells` are measured on the board that takes longest."""
    boards: dict[str, float] = {}
    for cell in cells:
        if cell.beside is not None:
            boards[cell.board.name] = boards.get(cell.board.name, 0.0) + _plan_s(cell)
    return max(boards.values(), default=0.0)


def is_virtual(cell: Cell) -> bool:
    """Return whether what a cell measures is simulated."""
    return cell.board.simulated or runtime_of(cell.plan.settings, cell.board) == VIRTUAL


def _with_baseline(cell: Cell, accepted: tuple[AcceptedRun, ...], past: ByHistory) -> Cell:
    virtual = is_virtual(cell)
    fitting = next((item for item in accepted if item.run.simulated == virtual), None)
    asked = any(
        is_by_pairs(gate) and not (gate.of_history and past.knows(cell.key, gate.quantity.word))
        for gate in cell.gates
    )
    is_there = cell.made is None or cell.made.is_made
    if fitting is None or not asked or not is_there:
        return replace(cell, accepted=accepted)
    why_not = _why_not(cell, fitting)
    beside = None if why_not else fitting
    return replace(cell, accepted=accepted, beside=beside, not_paired=why_not)


def _why_not(cell: Cell, accepted: AcceptedRun) -> str:
    if cell.compare == HISTORY:
        return ASKED
    if cell.plan.settings.scenario != SINGLE_STREAM:
        return OTHER_SCENARIO
    if accepted.run.variant.sha256 == cell.sha256:
        return SAME_MODEL
    return "" if accepted.model is not None else NOT_KEPT


def _plan_s(cell: Cell) -> float:
    """Return how long a cell is measured: by the baseline's own figures where it is paired."""
    least_s = cell.plan.settings.min_duration_s
    if cell.beside is None:
        return least_s
    run = cell.beside.run
    load_s = run.load.duration_s if run.load else None
    cost = Cost(LATENCY_P50.value(run) or 0.0, load_s or 0.0)
    settings = complete(cell.plan.settings, cell.board, 2)
    return max(2 * least_s, estimate_s(settings, [cost, cost], virtual=settings.runtime == VIRTUAL))
