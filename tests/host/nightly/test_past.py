"""The past of cells out of stored nights, and what a whole night says together."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rkbench.boards.model import Board
from rkbench.nightly.by_history import chosen_twice
from rkbench.nightly.cells import Cell
from rkbench.nightly.past import Pasts, Series, is_same, make_pasts
from rkbench.nightly.pooled import with_history
from rkbench.nightly.suite import NightPlan
from rkbench.results.measures import QUANTITIES
from rkbench.results.night import (
    AgainstHistory,
    BoardReport,
    CellResult,
    Epoch,
    GateResult,
    Night,
    PooledGate,
)
from rkbench.stats.gates import PASS, State, parse_gate
from rkbench.stats.judging import Judgement

GATE = parse_gate("p50 history", QUANTITIES)
KEY = ("digits", "rock", "default")
OLD, NEW = Epoch(kernel="5.10", runtime_version="2.3.0"), Epoch(kernel="6.1", runtime_version="2.3.0")


def gate(value: float | None, state: State = PASS, twice: float | None = None) -> GateResult:
    history = AgainstHistory("no regression", twice=twice)
    return GateResult("p50 history", "p50", "s", state, (Judgement(state, value),), "", history)


def cell(value: float | None, epoch: Epoch | None = NEW, **changes: object) -> CellResult:
    made = CellResult("digits", *KEY, simulated=True, gates=(gate(value),), epoch=epoch)
    return replace(made, **changes)  # type: ignore[arg-type]


def night(number: int, *cells: CellResult, **changes: object) -> Night:
    made = Night(f"night-{number}", "lab", "f", 1e9 + 86400 * number, cells=cells)
    return replace(made, **changes)  # type: ignore[arg-type]


def series(*cells: CellResult, accepted: str | None = None) -> Series:
    nights = [night(number, item) for number, item in enumerate(cells)]
    named = {(KEY, True): accepted} if accepted else {}
    return make_pasts(nights, {"p50": [(KEY, True)]}, named).series["p50", KEY]


def values(found: Series) -> list[float | None]:
    return [None if item is None else item.value if item.accepted else -item.value for item in found.entries]


def test_a_night_counts_unless_a_gate_was_crossed_or_the_run_doubtful() -> None:
    crossed = cell(2.0, gates=(gate(2.0, "fail"),))
    assert values(series(cell(1.0), crossed, cell(3.0, verdict="SUSPECT"), cell(4.0))) == [
        1.0,
        -2.0,
        -3.0,
        4.0,
    ]


def test_what_has_no_figure_is_no_night() -> None:
    other = cell(5.0, simulated=False)
    assert values(series(cell(None), cell(math.inf), cell(0.0), other, cell(1.0))) == [None] * 4 + [1.0]


def test_a_regression_that_was_accepted_begins_a_new_level() -> None:
    crossed = cell(2.0, gates=(gate(2.0, "fail"),))
    assert values(series(cell(1.0), crossed, cell(2.1), accepted="night-1")) == [None, 2.0, 2.1]


def test_a_good_night_that_was_accepted_begins_nothing() -> None:
    assert values(series(cell(1.0), cell(1.1), accepted="night-1")) == [1.0, 1.1]


def test_only_the_last_epoch_counts_also_where_an_earlier_one_was_the_same() -> None:
    found = series(cell(1.0, NEW), cell(2.0, OLD), cell(2.2, OLD), cell(3.0, NEW), cell(3.1, NEW))
    assert values(found) == [None, None, None, 3.0, 3.1]
    assert (found.nights, found.epoch, found.was, found.before) == (2, NEW, OLD, 2.0)


def test_what_is_unknown_of_an_epoch_is_as_any() -> None:
    assert is_same(replace(OLD, kernel=None), NEW)
    assert not is_same(OLD, NEW)


def test_older_nights_have_the_epoch_of_their_board() -> None:
    report = BoardReport("rock", kernel="5.10")
    nights = [night(0, cell(1.0, None), boards=(report,)), night(1, cell(2.0, NEW))]
    found = make_pasts(nights, {"p50": [(KEY, True)]}, {}).series["p50", KEY]
    assert values(found) == [None, 2.0]


def test_a_night_whose_pool_was_red_is_not_accepted() -> None:
    red = PooledGate("digits", "digits", "rk3588", "default", ("rock",), True, gate(None, "fail"))
    found = make_pasts([night(0, cell(1.0), pooled=(red,))], {"p50": [(KEY, True)]}, {}).series["p50", KEY]
    assert values(found) == [-1.0]


def test_every_cell_is_measured_twice_in_its_turn() -> None:
    keys = [(f"m{number}", "rock", "default") for number in range(30)]
    assert [len(chosen_twice(keys, nights)) for nights in range(3)] == [2, 2, 2]
    assert frozenset().union(*(chosen_twice(keys, nights) for nights in range(15))) == frozenset(keys)


BOARDS, MODELS = ("a", "b", "c", "d"), tuple(f"m{number}" for number in range(6))
Value = Callable[[int, str, str], float]


def lab_night(number: int, value: Value, kernel: str = "6.1") -> Night:
    epoch = Epoch(kernel=kernel)
    cells = [
        CellResult(model, model, board, "default", simulated=True, gates=(gate(value(number, model, board)),))
        for model in MODELS
        for board in BOARDS
    ]
    return night(number, *(replace(item, epoch=epoch) for item in cells))


def lab_cells() -> list[Cell]:
    boards = [Board(name, "virtual", soc="rk3588") for name in BOARDS]
    return [
        Cell(0, model, Path(f"{model}.rknn"), "0" * 64, None, board, NightPlan(), (GATE,))
        for model in MODELS
        for board in boards
    ]


def together(tonight: Value, *, kernel: str = "6.1", count: int = 24) -> Night:
    """Return a night by `tonight` after `count` that scatter by 1 %."""
    source = random.Random(1)
    noise = {(n, m, b): source.gauss(1, 0.01) for n in range(count + 1) for m in MODELS for b in BOARDS}
    nights = [lab_night(number, lambda n, m, b: 0.01 * noise[n, m, b]) for number in range(count)]
    cells = lab_cells()
    pasts: Pasts = make_pasts(nights, {"p50": [(item.key, True) for item in cells]}, {})
    last = lab_night(count, lambda n, m, b: 0.01 * noise[n, m, b] * tonight(n, m, b), kernel)
    return with_history(last, cells, pasts)


def labels(pooled: Sequence[PooledGate]) -> dict[str, str]:
    return {item.variant: item.result.history.label for item in pooled if item.result.history}


def test_a_model_slower_on_all_boards_is_red_over_all_of_them() -> None:
    found = together(lambda _, model, board: 1.03 if model == "m2" else 1.0)
    assert found.exit_code == 3
    assert labels(found.pooled) == dict.fromkeys(MODELS, "no regression") | {"m2": "regression"}
    red = found.pooled[2]
    assert (red.soc, red.boards, red.simulated) == ("rk3588", BOARDS, True)
    assert red.result.last.difference_percent == pytest.approx(3, abs=1.5)


def test_a_night_without_change_is_green_and_tells_its_scatter() -> None:
    found = together(lambda *_: 1.0)
    assert found.exit_code == 0
    (scatter,) = found.scatter
    assert (scatter.quantity, scatter.cells, scatter.pairs, scatter.shared_ratio) == ("p50", 24, 0, None)
    assert scatter.deviation_percent == pytest.approx(1.0, abs=0.15)
    assert found.epochs == ()


@pytest.mark.parametrize(("count", "judged"), [(0, 0), (1, 0), (4, 0), (5, 6), (90, 6)])
def test_a_lab_of_any_age_is_green_without_change(count: int, judged: int) -> None:
    found = together(lambda *_: 1.0, count=count)
    assert (found.exit_code, len(found.pooled), len(found.scatter)) == (0, judged, bool(judged))


def test_an_epoch_names_what_changed_and_by_how_much_and_is_not_red() -> None:
    found = together(lambda *_: 1.5, kernel="6.6")
    assert found.exit_code == 0
    assert [item.board for item in found.epochs] == list(BOARDS)
    first = found.epochs[0]
    assert [(item.name, item.baseline, item.value) for item in first.changes] == [("kernel", "6.1", "6.6")]
    assert (first.cells, first.nights) == (6, 0)
    assert first.difference_percent == pytest.approx(50, abs=2)
