"""What a behaviour file stages: in the latencies, with seeds, and in the files of the board's sensors."""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import median, pstdev
from typing import Any, Dict, List, Optional

import pytest
from agent_bench import TREES
from rkbench_agent.board.clocks import Devfreq
from rkbench_agent.board.sensors import Sensors, passive_trips
from rkbench_agent.board.system_files import SystemFiles
from rkbench_agent.runtimes.behaviour import Behaviour
from rkbench_agent.runtimes.latency_model import LatencyModel, Work

CONSTANT = {"latency": {"distribution": "constant", "median_ms": 10}}


def model(root: Optional[Path] = None, seed: int = 1, **behaviour: Any) -> LatencyModel:
    return LatencyModel("rk3588", Work(0, 0, 0, 0), Behaviour({**CONSTANT, **behaviour}), seed, root)


def blocks(staged: LatencyModel, count: int, calls: int = 20) -> List[List[float]]:
    """Return milliseconds, block by block, on a board that does nothing else."""
    worked_ns, found = 0, []
    for block in range(count):
        staged.begin_block(worked_ns)
        block_ns = [staged.next_run_ns(block * calls + call) for call in range(calls)]
        worked_ns += sum(block_ns)
        found.append([value / 1e6 for value in block_ns])
    return found


def test_equal_seeds_stage_equal_latencies() -> None:
    noisy = {"scatter": {"block": 0.01, "load": 0.01}, "wander": {"memory": 0.9, "sd": 0.01}}
    assert blocks(model(**noisy), 5) == blocks(model(**noisy), 5)
    assert blocks(model(**noisy), 5) != blocks(model(seed=2, **noisy), 5)


def test_levels_scatter_from_block_to_block_and_not_within() -> None:
    found = blocks(model(scatter={"block": 0.01}), 400)
    assert pstdev([median(block) for block in found]) == pytest.approx(0.1, rel=0.15)
    assert all(max(block) == min(block) for block in found)


def test_each_load_and_each_night_has_its_level() -> None:
    def level(worked_ns: int, **scatter: Any) -> int:
        staged = model(scatter=scatter)
        staged.begin_load(worked_ns)
        return staged.next_run_ns(0)

    assert len({level(worked_ns, load=0.01) for worked_ns in (0, 0, 7, 8)}) == 3
    assert level(0, night=0.01, night_number=1) == level(9, night=0.01, night_number=1)
    assert level(0, night=0.01, night_number=1) != level(0, night=0.01, night_number=2)


def load(worked_ns: int, seed: int = 1, **behaviour: Any) -> List[List[float]]:
    """Return two blocks of a load that begins after so much work of the board."""
    staged = model(seed=seed, **behaviour)
    staged.begin_load(worked_ns)
    return blocks(staged, 2)


@pytest.mark.parametrize(
    "noise",
    [
        {"latency": {"median_ms": 10, "sigma": 0.01}},
        {"latency": {}},
        {"scatter": {"block": 0.01}},
        {"wander": {"memory": 0.9, "sd": 0.01}},
        {"outliers": {"share": 0.5, "factor": 1.3}},
        {"modes": [{"share": 0.5, "factor": 1}, {"share": 0.5, "factor": 1.08}]},
    ],
    ids=["distribution", "jitter", "blocks", "wander", "outliers", "modes"],
)
def test_no_two_loads_draw_the_same_noise_and_each_can_be_drawn_again(noise: Dict[str, Any]) -> None:
    first, second, third = (load(worked_ns, **noise) for worked_ns in (0, 7_000_000, 14_000_000))
    assert len({str(found) for found in (first, second, third)}) == 3
    assert load(7_000_000, **noise) == second
    assert load(7_000_000, seed=2, **noise) != second
    assert blocks(model(**noise), 2) == first


def test_a_level_drifts_over_the_time_of_work_and_then_stays() -> None:
    found = [median(block) for block in blocks(model(drift={"ratio": 0.05, "over_s": 2}), 20)]
    assert (found[0], found[-1]) == (pytest.approx(10.02, abs=0.01), pytest.approx(10.5, abs=0.001))
    assert found[5] < found[9] < found[10] <= found[11]


def test_a_level_wanders_with_a_memory() -> None:
    found = [value for block in blocks(model(wander={"memory": 0.99, "sd": 0.02}), 200) for value in block]
    assert pstdev(found) == pytest.approx(0.2, rel=0.4)
    assert pstdev([found[i + 1] - found[i] for i in range(len(found) - 1)]) < 0.05


def test_the_first_calls_of_a_load_and_of_a_turn_are_slower() -> None:
    cold = blocks(model(cold={"calls": 3, "factor": 1.5}), 2, calls=4)
    assert cold == [[15, 15, 15, 10], [10, 10, 10, 10]]
    assert blocks(model(slow_turns={"calls": 1, "factor": 1.2}), 2, calls=3) == [[12, 10, 10], [12, 10, 10]]


def test_the_first_calls_after_another_model_are_slower() -> None:
    staged, found = model(switches={"calls": 1, "factor": 1.2}), []
    for worked_ns in (0, 20_000_000, 41_000_000):
        staged.begin_block(worked_ns)
        found.append([staged.next_run_ns(0) / 1e6 for _ in range(2)])
    assert found == [[10, 10], [10, 10], [12, 10]]


def test_outliers_and_modes_come_in_their_shares() -> None:
    found = [value for block in blocks(model(outliers={"share": 0.1, "factor": 1.3}), 100) for value in block]
    assert found.count(13) == pytest.approx(200, rel=0.25)
    modes = [{"share": 0.5, "factor": 1}, {"share": 0.5, "factor": 1.08}]
    found = [value for block in blocks(model(modes=modes), 100) for value in block]
    assert (set(found), found.count(10)) == ({10, 10.8}, pytest.approx(1000, rel=0.1))


def test_a_periodic_disturbance_hits_what_runs_just_then() -> None:
    found = [value for block in blocks(model(periodic={"every_s": 0.1, "extra_ms": 5}), 3) for value in block]
    assert found.count(15) == 6
    assert [index for index, value in enumerate(found) if value == 15][:2] == [9, 19]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TREES / "rk3588", tmp_path / "tree", symlinks=True))


def test_throttling_moves_clock_and_temperature_with_the_virtual_time(tree: Path) -> None:
    hot = {"after_s": 0.3, "factor": 2, "hz": 600_000_000, "celsius": 90, "from_celsius": 50}
    staged, seen = model(tree, throttling=hot), []
    for worked_ns in (0, 150_000_000, 300_000_000):
        staged.begin_block(worked_ns)
        reading = Sensors(tree).sample(worked_ns)
        assert reading.temperature_celsius is not None
        seen.append((reading.npu_clock_hz, max(reading.temperature_celsius.values())))
    assert seen == [(1_000_000_000, 50.0), (1_000_000_000, 70.0), (600_000_000, 90.0)]
    assert staged.next_run_ns(0) == 20_000_000


def test_a_clock_flaps_by_time_unless_the_governor_holds_it(tree: Path) -> None:
    staged = model(tree, flapping={"factor": 1.5, "period_s": 0.04, "hz": 600_000_000})
    assert blocks(staged, 1, calls=8) == [[10, 10, 10, 10, 15, 15, 15, 10]]
    governor = tree / "sys/class/devfreq/fdab0000.npu/governor"
    governor.write_text("performance\n")
    assert blocks(staged, 1, calls=8) == [[10] * 8]
    assert Devfreq(tree, "npu").clock_hz(SystemFiles(tree)) == 1_000_000_000


def test_the_load_of_others_is_what_the_sensors_read(tree: Path) -> None:
    staged = model(tree, others={"npu": [0, 0.4, 0], "cpu": 0.6, "after_s": 0.1, "factor": 1.1})
    staged.begin_block(0)
    sensors = Sensors(tree)
    assert sensors.sample(0).npu_load_ratio == [0.0, 0.0, 0.0]
    staged.begin_block(1_000_000_000)
    reading = sensors.sample(1_000_000_000)
    assert (reading.npu_load_ratio, reading.cpu_load_ratio) == ([0.0, 0.4, 0.0], 0.6)
    assert staged.next_run_ns(0) == 11_000_000


def test_nothing_is_written_where_no_tree_is_given_or_the_root_is_real() -> None:
    flapping = {"factor": 1.5, "period_s": 0.04, "hz": 600_000_000}
    for root in (None, Path("/")):
        assert blocks(model(root, flapping=flapping), 1, calls=5) == [[10, 10, 10, 10, 15]]


def test_the_kernel_throttles_from_the_lowest_passive_trip_point_on() -> None:
    assert passive_trips(SystemFiles(TREES / "rk3588")) == {"soc-thermal": 75.0}
    assert passive_trips(SystemFiles(Path("/nowhere"))) is None
