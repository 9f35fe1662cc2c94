"""Nights beside their baselines: the accepted model is kept, and takes turns with tonight's file."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fake_boards import FakeSession
from night_lab import BOARDS, MODELS, NightLab
from rkbench.boards.provider import open_boards
from rkbench.nightly.accept import Accepted, accept_night
from rkbench.nightly.begin import Terms, load_references
from rkbench.nightly.cells import fingerprint, make_cells
from rkbench.nightly.kept import MODEL, kept_folder
from rkbench.nightly.night import run_night
from rkbench.nightly.pairing import ASKED, NOT_KEPT, SAME_MODEL, longest_s, with_baselines
from rkbench.nightly.suite import NIGHTLY, load_suite
from rkbench.results.night import CellEnded, CellResult, Night, Told
from rkbench.store import Store, open_store
from rkbench.views.nightly.sentences import gate_line, gates_in

FP16, INT8 = MODELS
LEFT, RIGHT = BOARDS


@pytest.fixture
def lab(tmp_path: Path) -> NightLab:
    lab = NightLab(tmp_path)
    lab.own_models()
    return lab


@pytest.fixture
def store(lab: NightLab) -> Iterator[Store]:
    with open_store(lab.store) as opened:
        yield opened


def run(lab: NightLab, store: Store, heard: list[Told | CellEnded] | None = None) -> Night:
    suite = load_suite(lab.suite)
    cells = make_cells(suite, open_boards(lab.inventory).find)
    listener = (lambda _: None) if heard is None else heard.append
    begun = suite.name, fingerprint(suite, cells), cells
    return run_night(*begun, store, FakeSession, listener, Terms(retry_pause_s=0.0))


def accepted_night(lab: NightLab, store: Store) -> Accepted:
    """Run a night, accept it, and let both models change."""
    run(lab, store)
    accepted = accept_night(store, "last", "")
    lab.change(*MODELS)
    return accepted


def cell_of(night: Night, variant: str, board: str) -> CellResult:
    return next(cell for cell in night.cells if (cell.variant, cell.board) == (variant, board))


def test_what_a_night_does_to_both_models_is_no_difference(lab: NightLab, store: Store) -> None:
    assert accepted_night(lab, store).not_kept == ()
    lab.behave(LEFT, seed=7, latency={"factor": 1.2})
    heard: list[Told | CellEnded] = []
    night = run(lab, store, heard)
    assert (night.exit_code, {cell.compared for cell in night.cells}) == (0, {"paired"})
    for cell in night.cells:
        beside, own = (store.run(run_id) for run_id in cell.runs)
        assert beside is not None
        assert own is not None
        assert cell.beside == (beside.id,)
        assert (beside.variant.name, own.variant.name) == (f"{cell.variant} (baseline)", cell.variant)
        assert beside.push == own.push
    told = [event.text for event in heard if isinstance(event, Told)]
    variants = {key.variant for key in store.latest(simulated=True)}
    assert variants == {FP16, INT8}  # none of them "(baseline)"
    assert told == ["4 of 4 cells beside their baselines' models: about 22 s on a board"]


def test_a_model_that_is_slower_than_its_baseline_is_red_whatever_the_night_is(
    lab: NightLab, store: Store
) -> None:
    """3 % against a gate of 1 %, in a night that is 4 % faster: history would see the model 1 % faster."""
    lab.suite.write_text(lab.suite.read_text().replace("p50 within 5%", "p50 within 1%"))
    accepted_night(lab, store)
    slower = {FP16: {"seed": 5, "latency": {"factor": 0.96 * 1.03}}}
    lab.behave(LEFT, seed=6, latency={"factor": 0.96}, per_model=slower)
    night = run(lab, store)
    crossed = list(gates_in(night, "fail"))
    assert [(cell.key, gate.gate) for cell, gate in crossed] == [((FP16, LEFT, "default"), "p50 within 1%")]
    ((cell, gate),) = crossed
    assert [round(found.difference_percent or 0) for found in gate.measurements] == [3, 3, 3]
    assert (len(cell.runs), len(cell.beside)) == (4, 2)
    assert "in turns with the baseline's model; changed since the baseline: model" in gate_line(cell, gate)


def test_four_nights_with_two_percent_between_them_are_green_at_a_gate_of_one(
    lab: NightLab, store: Store
) -> None:
    lab.suite.write_text(lab.suite.read_text().replace("p50 within 5%", "p50 within 1%"))
    accepted_night(lab, store)
    noise = random.Random(20)
    for _ in range(4):
        for board in BOARDS:
            lab.behave(board, seed=noise.randrange(1 << 30), latency={"factor": noise.gauss(1.0, 0.02)})
        night = run(lab, store)
        assert [gate.gate for _, gate in gates_in(night, "fail")] == []


def test_a_model_that_did_not_change_is_measured_once_and_history_judges(lab: NightLab, store: Store) -> None:
    run(lab, store)
    accept_night(store, "last", "")
    lab.change(INT8)
    night = run(lab, store)
    same, other = cell_of(night, FP16, LEFT), cell_of(night, INT8, LEFT)
    assert (same.compared, same.not_paired, len(same.runs), same.beside) == ("history", SAME_MODEL, 1, ())
    assert (other.compared, other.not_paired, len(other.runs)) == ("paired", "", 2)


def test_a_suite_can_ask_for_history(lab: NightLab, store: Store) -> None:
    accepted_night(lab, store)
    lab.suite.write_text(f'compare = "history"\n{lab.suite.read_text()}')
    night = run(lab, store)
    assert {(cell.compared, cell.not_paired, len(cell.runs)) for cell in night.cells} == {
        ("history", ASKED, 1)
    }


def test_gates_without_a_latency_to_compare_cost_no_second_measurement(lab: NightLab, store: Store) -> None:
    accepted_night(lab, store)
    lab.suite.write_text(lab.suite.read_text().replace("p50 within 5%", "size within 5%"))
    night = run(lab, store)
    assert {(cell.compared, cell.not_paired, len(cell.runs)) for cell in night.cells} == {("history", "", 1)}


def test_without_the_kept_model_history_judges_and_says_so(lab: NightLab, store: Store) -> None:
    accepted_night(lab, store)
    kept = {path.parent.name: path for path in kept_folder(str(lab.store)).glob(f"*/{MODEL}")}
    fp16, int8 = (kept[store.run(item.run).variant.sha256] for item in store.baselines()[::2])  # type: ignore[union-attr]
    fp16.unlink()
    int8.write_bytes(int8.read_bytes()[:-1])
    night = run(lab, store)
    assert night.exit_code == 0
    assert cell_of(night, FP16, LEFT).not_paired == NOT_KEPT
    assert cell_of(night, INT8, LEFT).not_paired.startswith("the baseline's model ")
    assert str(int8.name) in cell_of(night, INT8, LEFT).not_paired
    assert {(cell.compared, len(cell.runs)) for cell in night.cells} == {("history", 1)}


def test_where_the_baselines_model_crashes_history_judges_the_other(lab: NightLab, store: Store) -> None:
    accepted_night(lab, store)
    lab.behave(LEFT, seed=0, per_model={f"{FP16} (baseline)": {"crash": {"stage": "inference"}}})
    night = run(lab, store)
    cell = cell_of(night, FP16, LEFT)
    assert (cell.state, cell.compared, len(cell.runs), len(cell.beside)) == ("pass", "history", 2, 1)
    assert "the baseline's model failed in inference: " in cell.not_paired


def test_accepting_a_paired_night_takes_tonights_model_and_drops_the_old(lab: NightLab, store: Store) -> None:
    accepted_night(lab, store)
    before = {path.parent.name for path in kept_folder(str(lab.store)).glob(f"*/{MODEL}")}
    night = run(lab, store)
    accepted = accept_night(store, "last", "")
    assert {item.run for item in accepted.baselines} == {cell.runs[-1] for cell in night.cells}
    after = {path.parent.name for path in kept_folder(str(lab.store)).glob(f"*/{MODEL}")}
    assert len(after) == len(before) == 2
    assert not after & before


def test_a_model_that_changed_since_its_night_is_accepted_and_not_kept(lab: NightLab, store: Store) -> None:
    run(lab, store)
    lab.change(FP16)
    accepted = accept_night(store, "last", "")
    assert len(accepted.baselines) == 4
    assert len(accepted.not_kept) == 2
    assert accepted.not_kept[0].endswith("is no longer the file that was measured")


def test_a_time_budget_grants_a_pair_twice_the_time_and_its_loads(lab: NightLab, store: Store) -> None:
    lab.suite.write_text(lab.suite.read_text().replace("duration = 0", "duration = 30"))
    accepted_night(lab, store)
    suite = load_suite(lab.suite)
    cells = make_cells(suite, open_boards(lab.inventory).find)
    pairs = with_baselines(cells, load_references(store, suite.name, lambda _: None))
    assert (longest_s(cells), longest_s(pairs)) == (30.0, 60.0)
    quick = [replace(cell, plan=replace(cell.plan, settings=NIGHTLY)) for cell in pairs]
    assert longest_s(quick) == pytest.approx(
        11.2
    )  # eight starts of each worker, 0.7 s: calls take no time here
