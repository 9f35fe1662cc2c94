"""Judging a run: the figure each gate takes, what may be held against what, and what changed since."""

from __future__ import annotations

import random
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_runs import make_run
from rkbench.errors import NightlyBusyError, UsageError
from rkbench.nightly.accept import accept_night
from rkbench.nightly.begin import load_references
from rkbench.nightly.confirming import Pair, confirmed, to_confirm
from rkbench.nightly.judge import AcceptedRun, changes, judge, unmeasured
from rkbench.nightly.lock import run_lock
from rkbench.results.collect import Collected
from rkbench.results.latencies import RawLatencies
from rkbench.results.loads import LoadFigures
from rkbench.results.measures import QUANTITIES
from rkbench.results.model import RunResult
from rkbench.results.night import CellResult, Fault, GateResult, Night
from rkbench.stats import gates as gates_module
from rkbench.stats.clusters import clusters_of
from rkbench.stats.gates import FAIL, NOT_MEASURED, PASS, Gate
from rkbench.stats.judging import judge_rate_budget
from rkbench.store import Store, open_store
from rkbench_agent.wire.caveats import caveat
from rkbench_agent.wire.messages import Latencies
from rkbench_agent.wire.provenance import Provenance


def parse_gate(text: str) -> Gate:
    return gates_module.parse_gate(text, QUANTITIES)


def latencies(factor: float = 1.0, seed: int = 1) -> RawLatencies:
    """Return 300 iterations of about 2 ms in blocks of 25."""
    source = random.Random(seed)
    durations = array("q", (int(factor * 2e6 * (1 + 0.01 * abs(source.gauss(0, 1)))) for _ in range(300)))
    zeros = array("q", bytes(8 * 300))
    return RawLatencies(zeros, durations, array("q", (number // 25 for number in range(300))), zeros[:])


def made(run: RunResult | None = None, factor: float = 1.0, seed: int = 1) -> Collected:
    return Collected(run or make_run(), latencies(factor, seed), ())


def reference(run: RunResult | None = None) -> AcceptedRun:
    return AcceptedRun(run or make_run(), latencies())


@pytest.mark.parametrize(
    ("gate", "value"),
    [
        ("p50 <= 1s", 0.00226),
        ("size <= 1GB", 14_580_397.0),
        ("load memory <= 1GB", 14_584_128.0),
        ("load rss <= 1GB", 15_298_560.0),
        ("load time <= 1s", 0.107),
        ("throughput >= 1/s", 443.0),
        ("cosine >= 0.5", 0.99999),
        ("top-1 >= 50%", 1.0),
        ("max error <= 1", 0.00804),
    ],
)
def test_every_gate_takes_its_own_figure(gate: str, value: float) -> None:
    (found,) = judge([parse_gate(gate)], made(), None)
    assert (found.state, found.last.value) == (PASS, value)


def test_what_a_run_has_not_is_not_measured() -> None:
    gates = [
        parse_gate(text) for text in ("cosine >= 0.9", "load memory <= 1GB", "top-5 >= 10%", "snr >= 1dB")
    ]
    bare = replace(make_run(), outputs=(), load=None)
    assert [found.state for found in judge(gates, made(bare), None)] == [NOT_MEASURED] * 4


def test_outputs_with_nan_cross_every_gate_on_outputs() -> None:
    run = make_run()
    spoilt = replace(run, outputs=(replace(run.outputs[0], nan_count=3),))
    gates = [
        parse_gate(text) for text in ("cosine >= 0.9", "top-1 >= 10%", "max error <= 1", "cosine within 1%")
    ]
    assert [found.state for found in judge(gates, made(spoilt), reference())] == [FAIL] * 4


def test_without_a_baseline_a_relative_gate_is_not_measured() -> None:
    (found,) = judge([parse_gate("p50 within 5%")], made(), None)
    assert (found.state, found.detail) == (NOT_MEASURED, "no baseline yet: bench baseline accept last")


@pytest.mark.parametrize(
    ("base", "words"),
    [
        (replace(make_run(), simulated=True), "simulated differs: no, baseline yes"),
        (
            replace(make_run(), plan=replace(make_run().plan, core_mask="all")),
            "core mask differs: auto, baseline all",
        ),
        (
            replace(make_run(), plan=replace(make_run().plan, runtime="capi")),
            "runtime differs: lite, baseline capi",
        ),
    ],
)
def test_a_baseline_of_other_conditions_is_none(base: RunResult, words: str) -> None:
    relative, budget = judge(
        [parse_gate("p50 within 5%"), parse_gate("size <= 1GB")], made(), reference(base)
    )
    assert (relative.state, budget.state) == (NOT_MEASURED, PASS)
    assert words in relative.detail


def test_what_changed_is_named_and_the_environment_apart() -> None:
    run = make_run()
    base = replace(
        run, board=replace(run.board, kernel="5.10"), variant=replace(run.variant, sha256="f" * 64)
    )
    now = replace(run, board=replace(run.board, kernel="6.1"))
    found = [(item.name, item.baseline, item.value, item.environment) for item in changes(now, base)]
    assert found == [
        ("model", "f" * 12, run.variant.sha256[:12], False),
        ("kernel", "5.10", "6.1", True),
    ]


def test_a_clock_that_is_not_as_it_was_is_named() -> None:
    run = make_run()
    assert run.readings is not None
    (clock,) = run.readings.sensors
    slow = replace(run, readings=replace(run.readings, sensors=(replace(clock, max=6e8),)))
    found = [(item.name, item.baseline, item.value, item.environment) for item in changes(slow, run)]
    assert found == [("NPU clock", "1.00 GHz", "600 MHz", True)]


def test_a_slow_run_is_red_only_when_the_second_is_slow_too() -> None:
    gates = [parse_gate("p50 within 5%"), parse_gate("size <= 1MB")]
    slow = judge(gates, made(factor=1.1), reference())
    assert [found.state for found in slow] == [FAIL, FAIL]
    assert to_confirm(gates, slow)
    assert not to_confirm(gates, judge(gates, made(seed=2), reference()))
    again = confirmed(gates, slow, judge(gates, made(factor=1.1, seed=3), reference()))
    assert [(found.state, len(found.measurements)) for found in again] == [(FAIL, 2), (FAIL, 1)]
    gone = confirmed(gates, slow, judge(gates, made(seed=3), reference()))
    assert [(found.state, len(found.measurements)) for found in gone] == [(PASS, 2), (FAIL, 1)]
    broken = confirmed(gates, slow, unmeasured(gates, "the cable"))
    assert (broken[0].state, broken[0].detail) == (
        NOT_MEASURED,
        "beyond it once, and could not be measured again: the cable",
    )


def test_a_rate_is_judged_by_the_interval_of_the_mean_and_measured_twice() -> None:
    """443 /s of calls whose mean is known to about 0.1 %: farther away than that it can be told."""
    told = {
        limit: judge([parse_gate(f"throughput >= {limit}/s")], made(), None)[0] for limit in (400, 442.9, 480)
    }
    assert [found.state for found in told.values()] == [PASS, "can't tell", FAIL]
    assert "iterations would tell" in told[442.9].detail or "no number of iterations" in told[442.9].detail
    bounds = told[400].last
    assert bounds.low is not None and bounds.high is not None
    assert 440 < bounds.low < 443 < bounds.high < 446
    assert to_confirm([parse_gate("throughput >= 480/s")], [told[480]])


@pytest.mark.parametrize("call_s", [0.002, 0.0371, 0.0123456789, 1 / 3e3, 0.7e-3])
def test_a_rate_at_its_limit_keeps_it_unless_more_is_asked_for(call_s: float) -> None:
    """Calls that all take as long have no interval but themselves: nothing may be lost in rounding."""
    calls = clusters_of([[[call_s] * 50] * 12])
    for gap in (1.0, 1.03, 1.07):
        rate = 1 / (call_s * gap)
        at, above = (replace(parse_gate(f"throughput {sign} 1/s"), limit=rate) for sign in (">=", ">"))
        states = [judge_rate_budget(gate, (None, rate), calls).state for gate in (at, above)]
        assert states == [PASS, FAIL], (call_s, gap)


MORE_LOADS = "a plan of more loads (--loads)"


@pytest.mark.parametrize(
    ("limit", "state"), [("200ms", PASS), ("109ms", "can't tell"), ("104ms", "can't tell"), ("50ms", FAIL)]
)
def test_a_load_time_is_judged_by_the_interval_of_its_median(limit: str, state: str) -> None:
    run = make_run()
    assert run.load is not None
    times = (0.101, 0.103, 0.105, 0.107, 0.109, 0.111, 0.113)
    loads = tuple(LoadFigures(duration_s=time) for time in times)
    several = replace(run, load=replace(run.load, loads=loads))
    (found,) = judge([parse_gate(f"load time <= {limit}")], made(several), None)
    assert (found.state, found.last.low, found.last.high) == (state, 0.101, 0.113)
    assert found.detail == (
        "" if state != "can't tell" else f"the interval holds its limit: {MORE_LOADS} tells"
    )


def test_an_extreme_has_no_interval_and_is_measured_twice_before_it_is_red() -> None:
    gates = [parse_gate("max <= 1us"), parse_gate("cpu layers == 0")]
    found = judge(gates, made(make_run()), None)
    assert (found[0].state, found[0].last.low) == (FAIL, None)
    assert to_confirm(gates, found)
    assert not to_confirm(gates[1:], found[1:])


def saved_night(store: Store, number: int, *, ended: bool = True, **changes: Any) -> Night:
    """Store a night with one good cell and one that failed."""
    night = Night(f"night-{number}", "lab", "f", 1000.0 * number)
    store.save_night(night)
    gates = [parse_gate("size <= 1GB")]
    run = make_run(number, push=f"push{number}", **changes)
    good = CellResult(
        "m", "fp16", "desk", "p", runs=(run.id,), measured_unix_s=1.0, gates=judge(gates, made(run), None)
    )
    bad = CellResult("m", "int8", "desk", "p", gates=unmeasured(gates, "gone"), fault=Fault("gone"))
    store.save_cell(night, 0, good, [made(run)])
    store.save_cell(night, 1, bad, [])
    store.save_night(replace(night, ended_unix_s=2000.0 if ended else None))
    saved = store.night(night.id)
    assert saved is not None
    return saved


def test_a_night_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        night = saved_night(store, 1)
        assert [cell.state for cell in night.cells] == [PASS, NOT_MEASURED]
        assert night.cells[0].gates[0].last.value == 14_580_397.0
        assert night.ended_unix_s == 2000.0


def test_only_the_last_night_that_ended_tells_its_gates(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        saved_night(store, 1)
        saved_night(store, 2, ended=False)
        found = [(gate.variant, gate.state, gate.measured_unix_s) for gate in store.latest_gates()]
    assert found == [("fp16", PASS, 1.0), ("int8", NOT_MEASURED, None)]


def test_baselines_are_the_last_accepted_and_leave_out_what_failed(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        saved_night(store, 1)
        saved_night(store, 2)
        accepted = accept_night(store, "night-1", "first", lambda: 5.0)
        assert [item.run for item in accepted.baselines] == ["push1-01"]
        assert accepted.left == ("int8 on desk (p): gone",)
        accept_night(store, "push2-02", "second", lambda: 6.0)
        assert [(item.run, item.note) for item in store.baselines("lab")] == [("push2-02", "second")]
        found = load_references(store, "lab", lambda _: None)
        assert found["fp16", "desk", "p"][0].run.id == "push2-02"
        assert store.baselines("other") == []
        for name in ("nothing", "nights", ""):
            with pytest.raises(UsageError):
                accept_night(store, name, "")


def test_a_suspect_run_is_accepted_only_where_that_is_insisted_on(tmp_path: Path) -> None:
    doubts = (caveat("throttling", "it was hot"), caveat("no_golden", "none"))
    with open_store(tmp_path / "store") as store:
        saved_night(store, 1, verdict="SUSPECT", caveats=doubts)
        with pytest.raises(UsageError) as caught:
            accept_night(store, "last", "")
        assert "fp16 on desk (p): push1-01 is SUSPECT (throttling); --force accepts it" in caught.value.hint
        accepted = accept_night(store, "last", "", force=True)
        assert [item.run for item in accepted.baselines] == ["push1-01"]


def test_a_night_whose_runs_are_gone_has_nothing_to_accept(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        night = Night("night-9", "lab", "f", 1000.0)
        store.save_night(night)
        store.save_cell(night, 0, CellResult("m", "fp16", "desk", "p", runs=("push9-01",)), [])
        with pytest.raises(UsageError, match="run push9-01 is no longer in the store"):
            accept_night(store, night.id, "")


def test_the_run_lock_names_its_holder_and_is_free_afterwards(tmp_path: Path) -> None:
    store = str(tmp_path / "deep" / "results.sqlite")
    with (
        run_lock(store, "lab", "ann"),
        pytest.raises(NightlyBusyError, match="lab of ann, since 2"),
        run_lock(store, "lab", "bob"),
    ):
        pass
    with run_lock(store, "lab", "bob"):
        pass


def turns(place: int, factor: float, loads: int) -> RawLatencies:
    """Return blocks of ten calls that take turns with those of another run: A B B A, a quad a load."""
    source, raw = random.Random(place), RawLatencies()
    for load in range(loads):
        for half in (0, 1):
            turn = 4 * load + (place if half == 0 else 3 - place)
            durations = [int(2e6 * factor * source.gauss(1, 0.001)) for _ in range(10)]
            raw.append(Latencies("r", 2 * load + half, False, [turn * 10**9] * 10, durations, load=load))
    return raw


@pytest.mark.parametrize(
    ("factor", "loads", "state", "detail"),
    [
        (1.03, 7, FAIL, ""),
        (1.00, 7, PASS, ""),
        (1.03, 3, "can't tell", "3 loads are too few for an interval"),
        (1.01, 7, "can't tell", "measured in turns, the interval holds the limit: more time tells"),
    ],
)
def test_a_paired_night_is_judged_by_the_turns_and_not_by_the_figures(
    factor: float, loads: int, state: str, detail: str
) -> None:
    base, own = (replace(make_run(), id=run, push="p") for run in ("p-01", "p-02"))
    beside = AcceptedRun(base, turns(0, 1.0, loads))
    collected = Collected(own, turns(1, factor, loads), ())
    (found,) = judge([parse_gate("p50 within 1%")], collected, beside, paired=True)
    assert found.state == state
    assert found.detail.startswith(detail)
    assert found.last.difference_percent == pytest.approx((factor - 1) * 100, abs=0.2)


PAIRED_GATE = parse_gate("p50 within 1%")


def paired(number: int, shifts: tuple[float, ...]) -> Pair:
    """Return the `number`-th measurement of a night, whose loads differ from the baseline's by `shifts`."""
    base, own = (replace(make_run(), id=f"{number}-{run}", push=f"p{number}") for run in (1, 2))
    raw = RawLatencies()
    for load, shift in enumerate(shifts):
        for half in (0, 1):
            turn, durations = 4 * load + 1 + half, [int(2e6 * (1 + shift))] * 10
            raw.append(Latencies("r", 2 * load + half, False, [turn * 10**9] * 10, durations, load=load))
    return Pair(Collected(own, raw, ()), AcceptedRun(base, turns(0, 1.0, len(shifts))))


def judged(pair: Pair) -> tuple[GateResult, ...]:
    return judge([PAIRED_GATE], pair.own, pair.beside, paired=True)


MORE_TELL = "measured in turns, the interval holds the limit: more time tells (duration, iterations)"
UNSURE = (0.05, 0.05, 0.05, 0.04, 0.04, 0.002, 0.001)
FINE = (0.001, -0.001, 0.002, -0.002, 0.003, -0.003, 0.0)


@pytest.mark.parametrize(
    ("again", "state", "detail"),
    [
        (UNSURE, FAIL, "measured twice, 14 loads together"),
        ((0.05,) * 7, FAIL, "measured twice, 14 loads together"),
        (FINE, "can't tell", "beyond it once, not when measured again"),
        ((0.009,) * 7, "can't tell", "beyond it once, not when measured again"),
        (
            (0.06, 0.06, 0.06, -0.03, -0.03, -0.03, 0.04),
            "can't tell",
            f"measured twice, 14 loads together: {MORE_TELL}",
        ),
    ],
)
def test_what_looks_slower_beside_its_baseline_is_measured_again_and_all_loads_decide(
    again: tuple[float, ...], state: str, detail: str
) -> None:
    pairs = (paired(1, UNSURE), paired(2, again))
    first, second = (judged(pair) for pair in pairs)
    assert first[0].state == "can't tell"
    assert to_confirm([PAIRED_GATE], first, paired=True)
    (found,) = confirmed([PAIRED_GATE], first, second, pairs)
    assert (found.state, found.detail, len(found.measurements)) == (state, detail, 3)


def test_a_shift_that_one_measurement_alone_shows_is_not_red_although_both_together_would_be() -> None:
    pairs = (paired(1, (0.10,) * 7), paired(2, (0.03, 0.03, 0.005, 0.005, 0.005, 0.005, 0.005)))
    (found,) = confirmed([PAIRED_GATE], *(judged(pair) for pair in pairs), pairs)
    assert found.state == "can't tell"


def test_what_does_not_look_slower_is_not_measured_again() -> None:
    undecided = judged(paired(1, (0.03, 0.03, 0.005, 0.005, 0.005, 0.005, 0.004)))
    assert undecided[0].state == "can't tell"
    assert not to_confirm([PAIRED_GATE], undecided, paired=True)


def test_an_undecided_pair_stays_so_where_it_could_not_be_measured_again() -> None:
    first = judged(paired(1, UNSURE))
    assert confirmed([PAIRED_GATE], first, unmeasured([PAIRED_GATE], "the cable")) == first


def test_a_latency_of_another_source_is_named_beside_the_verdict() -> None:
    before, now = (
        replace(
            make_run(), simulated=True, provenance=Provenance("from_file", "modelled", "measured", source)
        )
        for source in ("modelled", "predicted")
    )
    (change,) = changes(now, before)
    assert (change.name, change.baseline, change.value, change.environment) == (
        "source of the latency",
        "modelled",
        "predicted",
        True,
    )
    assert changes(now, now) == ()


def test_a_baseline_of_the_other_kind_is_said_to_be_there() -> None:
    for simulated, told in (
        (True, "of a board, tonight's run simulated"),
        (False, "simulated, tonight's run"),
    ):
        run = replace(make_run(), simulated=simulated)
        (found,) = judge([parse_gate("p50 within 5%")], made(run), None, accepted=True)
        assert f"the baseline is {told}" in found.detail
