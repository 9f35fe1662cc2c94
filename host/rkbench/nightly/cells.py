"""The cells of a night: every model on every board that fits, by every plan."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rkbench.boards.model import Board
from rkbench.campaign.askable import check_outputs_of
from rkbench.errors import UsageError
from rkbench.nightly.converting import NightModel, NightModels
from rkbench.nightly.judge import AcceptedRun
from rkbench.nightly.suite import Entry, NightPlan, Suite
from rkbench.nightly.suite_lines import located
from rkbench.results.night import PAIRED, Compared
from rkbench.rknn.targets import npu_generation
from rkbench.stats.gates import Gate
from rkbench.units import printable
from rkbench.variants.preflight import open_variant

#: Returns the boards that a word of a suite can mean; raises InventoryError.
Find = Callable[[str], Sequence[Board]]


@dataclass(frozen=True)
class Cell:
    """One variant on one board by one plan. `position` is its place in the night.

    `accepted` are its baselines, real and simulated; `beside` is the one whose model is to be measured in
    turns with its own (see `pairing`), `not_paired` why none is though that could be. `made`: how its file
    was converted for the night, or why it was not.
    """

    position: int
    model: str
    file: Path
    sha256: str
    golden: Path | None
    board: Board
    plan: NightPlan
    gates: tuple[Gate, ...]
    compare: Compared = PAIRED
    accepted: tuple[AcceptedRun, ...] = ()
    beside: AcceptedRun | None = None
    not_paired: str = ""
    labels: Path | None = None
    metric: str | None = None
    made: NightModel | None = None

    @property
    def variant(self) -> str:
        """The file's stem, as in a push."""
        return printable(self.file.stem)

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells the cells of a night apart."""
        return (self.variant, self.board.name, self.plan.name)


@dataclass(frozen=True)
class _File:
    path: Path
    sha256: str
    generation: str
    target: str
    outputs: tuple[str, ...] = ()
    made: NightModel | None = None


@dataclass(frozen=True)
class Unfit:
    """A model that a board of its entry cannot run."""

    file: str
    target: str
    board: Board


def left_out(suite: Suite, find: Find) -> tuple[Unfit, ...]:
    """Return what `make_cells` leaves out: a model is for another NPU generation than the board's."""
    return tuple(
        Unfit(file.path.name, file.target or file.generation, board)
        for entry in suite.entries
        for file in map(_read, entry.files)
        for board in _boards(entry, find)
        if not _fits(file, board)
    )


def boards_of(suite: Suite, find: Find) -> list[list[Board]]:
    """Return the boards of each entry of `suite`; raises InventoryError for those that are unknown."""
    return [_boards(entry, find) for entry in suite.entries]


def make_cells(suite: Suite, find: Find, models: NightModels | None = None) -> tuple[Cell, ...]:
    """Return the cells of `suite`, model by model; `models` are those of its ONNX files.

    A board of another NPU generation is left out; a model that no board is left for, and two cells of one
    name, are UsageErrors. Raises InventoryError for unknown boards, ModelError for what is no model.
    """
    cells: list[Cell] = []
    seen: dict[tuple[str, str, str], Path] = {}
    for number, entry in enumerate(suite.entries):
        boards = _boards(entry, find)
        made = models[number] if models else ()
        for file in (*map(_read, entry.files), *map(_made, made)):
            _check_outputs(suite, number, entry, file)
            for board, plan in _fitting(suite, entry, file, boards):
                cell = Cell(
                    len(cells),
                    entry.name or printable(file.path.stem),
                    file.path,
                    file.sha256,
                    entry.golden,
                    board,
                    plan,
                    entry.gates,
                    suite.compare,
                    labels=entry.labels,
                    metric=entry.metric,
                    made=file.made,
                )
                other = seen.setdefault(cell.key, file.path)
                if other is not file.path:
                    raise UsageError(
                        f"{suite.path}: {other} and {file.path} are both {cell.variant} on {board.name}",
                        hint="give the files different names, the entries different boards or plans",
                    )
                cells.append(cell)
    return tuple(cells)


def fingerprint(suite: Suite, cells: Sequence[Cell]) -> str:
    """Return what a night must agree in to be resumed: the suite, its boards, its models and goldens."""
    digest = hashlib.sha256(suite.text.encode())
    for cell in cells:
        own = Path(cell.metric.rpartition(":")[0]) if cell.metric else None
        beside = (cell.golden, cell.labels, own, cell.plan.other)
        digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in beside if path]
        digest.update("\0".join((*cell.key, cell.sha256, *(digests or [""]))).encode())
    return digest.hexdigest()


def _check_outputs(suite: Suite, number: int, entry: Entry, file: _File) -> None:
    """Raise UsageError for a gate on an output that a file has not, as far as its outputs are known."""
    if not file.outputs:
        return
    try:
        check_outputs_of(entry.gates, file.path.name, file.outputs)
    except UsageError as error:
        told = UsageError(f"{suite.path}: [[models]] {number + 1}: {error.message}", hint=error.hint)
        raise located(told, suite.path, suite.text) from error


def _boards(entry: Entry, find: Find) -> list[Board]:
    """Return every board that any word of the entry means, each once."""
    found = {board.name: board for word in entry.boards for board in find(word)}
    return list(found.values())


def _fitting(
    suite: Suite, entry: Entry, file: _File, boards: Sequence[Board]
) -> Iterator[tuple[Board, NightPlan]]:
    fitting = [board for board in boards if _fits(file, board)]
    if not fitting:
        there = ", ".join(f"{board.name} ({board.soc})" for board in boards)
        raise UsageError(
            f"{suite.path}: no board fits {file.path.name} ({file.target or file.generation}): {there}",
            hint="name a board of its SoC, or leave the model out",
        )
    for board in fitting:
        for plan in entry.plans:
            _check_other(suite, plan, board)
            yield board, plan


def _check_other(suite: Suite, plan: NightPlan, board: Board) -> None:
    """Raise UsageError where a board cannot run the second model of a plan, ModelError where it is none."""
    other = None if plan.other is None else _read(plan.other)
    if other is not None and not _fits(other, board):
        raise UsageError(
            f"{suite.path}: [plans.{plan.name}]: interfere_with {other.path.name} is for "
            f"{other.target or other.generation}, and {board.name} is {board.soc}",
            hint="give the models of its boards a plan with another one: plans = [...] in [[models]]",
        )


def _fits(file: _File, board: Board) -> bool:
    if file.made is not None:  # rk3588s: the same NPU
        return (board.soc or "").removesuffix("s") == file.target
    wanted = npu_generation(board.soc)
    return wanted is None or not file.generation or file.generation == wanted


def _read(path: Path) -> _File:
    with open_variant(path) as model:
        file = model.file
        outputs = tuple(tensor.name for tensor in model.outputs)
        return _File(path, file.sha256, file.npu_generation or "", file.target or "", outputs)


def _made(model: NightModel) -> _File:
    """Return a conversion as a file; one that failed stands where its file would."""
    known = _read(model.path) if model.is_made and model.path.exists() else None
    outputs = known.outputs if known else ()
    return _File(model.path, model.sha256, "", model.made_by.target, outputs, model)
