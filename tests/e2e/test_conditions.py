"""`bench push` in known conditions, on the virtual board: pinned, over all cores, in cycles, by layers."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rkbench.boards.provider import open_boards
from rkbench.boards.virtual.board import VirtualBoard
from rkbench.campaign import Outcome, PushOptions, run_campaign
from rkbench.campaign.settings import SWEEP
from rkbench.cli import part_pin
from rkbench.errors import BenchError, UsageError
from rkbench.results.events import Event, Measuring, Note
from rkbench.results.gating import parse_requirements
from rkbench.session import open_session
from rkbench.store import Store, open_store
from rkbench.units import parse_hertz
from rkbench.views.push.console import print_push
from rkbench.views.push.json import SCHEMA_FILE, push_document
from rkbench.views.terminal import make_console
from rkbench_agent.wire.plan import RunSettings
from strict_schema import strict_validator

DATA = Path(__file__).parents[1] / "data"
RK3588 = DATA / "models/mb_gap7_rk3588_i8.rknn"
ERF = DATA / "models/erf_rk3588_i8.rknn"
RK3568 = DATA / "models/q_compress_weight_True_rk3568.rknn"
TABLE = DATA / "profiles/perf_detail_1.5.2_mb_gap7_rk3588_i8.txt"
GOVERNOR = "sys/class/devfreq/fdab0000.npu/governor"


class Pushed:
    """What a push yielded, the events meanwhile, and the governors after it."""

    def __init__(self, outcome: Outcome, events: list[Event], governor: str, store: Store) -> None:
        self.outcome = outcome
        self.runs = outcome.runs
        self.notes = [event.text for event in events if isinstance(event, Note)]
        self.stages = [event.stage for event in events if isinstance(event, Measuring)]
        self.names = {event.name for event in events if isinstance(event, Measuring)}
        self.governor = governor
        self.stored = [store.run(row.run) for row in store.history()]


def push(folder: Path, soc: str, order: PushOptions, **behaviour: Any) -> Pushed:
    """Push on a virtual board that misbehaves as told; what it yields must fit the schema."""
    inventory = folder / "bench.toml"
    lines = ["[boards.v]", 'host = "virtual"', f'soc = "{soc}"']
    if behaviour:
        (folder / "behaviour.json").write_text(json.dumps(behaviour))
        lines.append(f'behaviour = "{folder / "behaviour.json"}"')
    inventory.write_text("\n".join(lines) + "\n")
    (described,) = open_boards(inventory).find("v")
    events: list[Event] = []
    with VirtualBoard(described) as virtual, open_store(folder / "results.sqlite") as store:
        outcome = run_campaign(
            order, virtual.board, lambda: open_session(virtual.board), store, events.append
        )
        governor = virtual.folder / "tree" / GOVERNOR
        text = governor.read_text().strip() if governor.exists() else ""
        pushed = Pushed(outcome, events, text, store)
    document = json.loads(json.dumps(push_document(outcome.runs, outcome.comparison)))
    strict_validator(SCHEMA_FILE).validate(document)
    return pushed


def test_a_push_with_pinned_clocks_says_so_and_gives_them_back(tmp_path: Path) -> None:
    wanted = {"pin": True, "npu_clock_hz": 600_000_000}
    pushed = push(tmp_path, "rk3588", PushOptions((RK3588,), RunSettings(min_duration_s=0.0, **wanted)))
    (run,) = pushed.runs
    assert run.conditions is not None and run.conditions.pinned
    assert run.conditions.settings["sys/class/devfreq/fdab0000.npu/max_freq"] == "600000000"
    assert run.conditions.big_cpus == (4, 5, 6, 7)
    assert (run.plan.pin, run.plan.npu_clock_hz) == (True, 600_000_000)
    assert pushed.notes[-2:] == [
        "clocks held still by 600 MHz, performance; they are given back afterwards",
        "clocks given back",
    ]
    assert pushed.governor == "rknpu_ondemand"
    assert run.readings is not None and (run.readings.inside_count or 0) >= 2
    assert pushed.stored == [run]


def test_a_clock_that_the_board_lacks_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    wanted = {"pin": True, "npu_clock_hz": 650_000_000}
    with pytest.raises(UsageError, match="has no NPU clock of 650 MHz") as refused:
        push(tmp_path, "rk3588", PushOptions((RK3588,), RunSettings(min_duration_s=0.0, **wanted)))
    assert refused.value.hint.startswith("it has 300 MHz, 400 MHz, 500 MHz")


def test_a_sweep_runs_every_mask_of_three_cores_in_turns(tmp_path: Path) -> None:
    pushed = push(
        tmp_path,
        "rk3588",
        PushOptions((RK3588,), RunSettings(min_duration_s=0.0, core_mask=SWEEP, loads=1, quads=2)),
    )
    assert [run.plan.core_mask for run in pushed.runs] == ["auto", "0", "1", "2", "0-1", "all"]
    assert pushed.outcome.comparison.baseline == pushed.runs[0].id
    assert all(run.latency is not None and run.latency.count >= 100 for run in pushed.runs)
    assert "mb_gap7_rk3588_i8, cores 0-1" in pushed.names


def test_a_sweep_on_one_core_says_so_and_asks_for_no_mask(tmp_path: Path) -> None:
    pushed = push(
        tmp_path,
        "rk3568",
        PushOptions((RK3568,), RunSettings(min_duration_s=0.0, core_mask=SWEEP, loads=1, quads=2)),
    )
    assert [run.plan.core_mask for run in pushed.runs] == ["auto"]
    assert "--cores sweep: rk3568 has one NPU core, so there is only auto to run" in pushed.notes


def test_cycles_and_layers_are_in_the_result_of_the_clean_run(tmp_path: Path) -> None:
    order = PushOptions((RK3588,), RunSettings(min_duration_s=0.0, load_cycles=12, profile=True))
    pushed = push(tmp_path, "rk3588", order, profile=str(TABLE), leak_bytes=200_000)
    (run,) = pushed.runs
    assert run.load is not None and run.load.cycles is not None
    assert run.load.cycles.count == 12
    assert run.load.cycles.leaks[0].judgement == "rises"
    assert "memory_leak" in [caveat.code for caveat in run.caveats]
    assert run.profile is not None
    assert [layer.node for layer in run.profile.layers] == list(range(24))
    assert run.profile.text == TABLE.read_text()
    assert run.latency is not None and run.latency.count >= 100
    assert {"load_cycles", "profile"} <= set(pushed.stages)


ERF_TABLE = """\
ID   OpType           DataType Target InputShape   OutputShape  Time(us)  FullName
1    InputOperator    INT8     CPU    \\            (1,8)        10        InputOperator:x
2    ConvRelu         INT8     NPU    (1,8)        (1,8)        60        Conv:Conv_0
3    Erf              INT8     CPU    (1,8)        (1,8)        130       Erf:Erf_2
"""


def test_what_layers_on_the_cpu_cost_is_told_and_can_be_required_to_be_nothing(tmp_path: Path) -> None:
    table = tmp_path / "table.txt"
    table.write_text(ERF_TABLE)
    required = parse_requirements(["cpu layers == 0", "float layers == 0"])
    settings = RunSettings(min_duration_s=0.0, profile=True)
    order = PushOptions((ERF,), settings, gates=required, requirements=required)
    pushed = push(tmp_path, "rk3588", order, profile=str(table))
    (run,) = pushed.runs
    assert (run.variant.cpu_layers, run.variant.float_layers) == (1, 0)
    assert [(told.gate, told.state, told.value) for told in run.requirements] == [
        ("cpu layers == 0", "fail", 1),
        ("float layers == 0", "pass", 0),
    ]
    assert run.profile is not None
    (cost,) = run.profile.fallbacks
    assert (cost.kind, cost.layers, cost.timed, cost.share) == ("cpu", 1, 1, pytest.approx(0.65))
    text = io.StringIO()
    print_push([run], pushed.outcome.comparison, make_console(text, 100))
    assert "CPU layers" in text.getvalue()
    assert "1 layer on the CPU costs ≈65 % of the time (≈130 µs): Erf_2" in text.getvalue()


def test_a_push_that_waits_for_a_cool_board_tells_how_warm_it_is(tmp_path: Path) -> None:
    wanted = {"cool_below_celsius": 40.0, "cool_limit_s": 0.2}
    pushed = push(tmp_path, "rk3588", PushOptions((RK3588,), RunSettings(min_duration_s=0.0, **wanted)))
    assert "cooling" in pushed.stages
    assert "not_cool" in [caveat.code for caveat in pushed.runs[0].caveats]


def test_a_board_whose_become_is_refused_fails_with_its_own_words(tmp_path: Path) -> None:
    inventory = tmp_path / "bench.toml"
    refuse = tmp_path / "refuse"
    refuse.write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    refuse.chmod(0o755)
    inventory.write_text(f'[boards.v]\nhost = "virtual"\nsoc = "rk3588"\nbecome = "{refuse}"\n')
    (described,) = open_boards(inventory).find("v")
    with VirtualBoard(described) as virtual, pytest.raises(BenchError) as caught:
        open_session(virtual.board)
    assert "sudo: a password is required" in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("given", "parted"),
    [
        (["push", "--pin", "600MHz", "m.rknn"], ["push", "--pin", "--npu-clock", "600MHz", "m.rknn"]),
        (["push", "--pin=1GHz", "m.rknn"], ["push", "--pin", "--npu-clock", "1GHz", "m.rknn"]),
        (["push", "--pin", "m.rknn"], ["push", "--pin", "m.rknn"]),
        (["push", "m.rknn", "--pin"], ["push", "m.rknn", "--pin"]),
    ],
)
def test_pin_takes_a_clock_or_none(given: list[str], parted: list[str]) -> None:
    assert part_pin(given) == parted


def test_clocks_are_read_with_their_unit() -> None:
    assert [parse_hertz(text) for text in ("600MHz", "1 GHz", "408000kHz", "600000000")] == [
        600_000_000,
        1_000_000_000,
        408_000_000,
        600_000_000,
    ]
    with pytest.raises(UsageError):
        parse_hertz("fast")
