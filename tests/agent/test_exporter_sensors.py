"""What the board's exporter reads, and what it makes of files that are broken, refused or stuck."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path
from typing import Dict, List

import pytest

pytest.importorskip("prometheus_client")

from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry
from rkbench_agent.board.lock import BoardLock
from rkbench_agent.board.system_files import SystemFiles
from rkbench_agent.exporter.board import Benchmark
from rkbench_agent.exporter.collector import BoardCollector, board_groups
from rkbench_agent.exporter.rounds import Rounds, SensorGroup

TREES = Path(__file__).parents[2] / "host/rkbench/boards/virtual/trees"
NPU = "sys/devices/platform/fdab0000.npu/devfreq/fdab0000.npu"


def test_the_recorded_rk3588_is_exported_in_base_units(tree: Path) -> None:
    values = scrape(tree)
    assert values['rkbench_npu_load_ratio{core="2"}'] == 0.0
    assert values["rkbench_npu_clock_hertz"] == 1e9
    assert values["rkbench_ddr_clock_hertz"] == 528e6
    assert values['rkbench_cpu_max_clock_hertz{policy="policy4"}'] == 2.4e9
    assert values['rkbench_temperature_celsius{zone="npu-thermal"}'] == 43.461
    assert values["rkbench_memory_total_bytes"] == 16636981248.0
    assert values["rkbench_cma_free_bytes"] == 241591296.0
    assert values["rkbench_dma_buf_bytes"] == 111607808.0
    assert values['rkbench_governor_info{governor="rknpu_ondemand",part="npu"}'] == 1.0
    assert values["rkbench_benchmark_running"] == 0.0
    assert blind(values) == []


def test_neither_freq_nor_volt_of_the_npu_is_read(tree: Path) -> None:
    for name in ("freq", "volt"):
        path = tree / "sys/kernel/debug/rknpu" / name
        path.unlink()
        os.mkfifo(str(path))  # whoever opens it hangs
    assert blind(scrape(tree)) == []


def test_without_root_there_is_no_load_and_the_log_says_why(
    tree: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    shutil.rmtree(str(tree / "sys/kernel/debug"))
    values = scrape(tree)
    assert [name for name in values if name.startswith("rkbench_npu_load_ratio")] == []
    assert "rkbench_dma_buf_bytes" not in values
    assert 'rkbench_sensor_success{group="dma_buf"}' not in values
    assert 'rkbench_sensor_success{group="npu_load"}' not in values
    assert blind(values) == []
    assert "root reads the load in debugfs (rknpu/load)" in caplog.text


@pytest.mark.parametrize(
    ("path", "text", "group"),
    [
        ("sys/kernel/debug/rknpu/load", "NPU load:  Core0: 4000%, Core1:  0%,", "npu_load"),
        (NPU + "/cur_freq", "fast", "npu_clock"),
        ("sys/devices/virtual/thermal/thermal_zone0/temp", "12.5", "temperature"),
        ("proc/meminfo", "MemTotal:   many kB", "memory"),
        ("sys/kernel/debug/dma_buf/bufinfo", "Dma-buf Objects:", "dma_buf"),
        ("sys/devices/system/cpu/cpufreq/policy4/scaling_cur_freq", "", "cpu"),
        ("proc/device-tree/compatible", "acme,toaster", "info"),
    ],
)
def test_a_malformed_file_blinds_its_group_alone(tree: Path, path: str, text: str, group: str) -> None:
    (tree / path).write_text(text)
    values = scrape(tree)
    assert blind(values) == [group]
    assert "rkbench_scrape_duration_seconds" in values


def test_an_unreadable_file_blinds_its_group_alone(tree: Path) -> None:
    path = tree / NPU / "cur_freq"
    path.unlink()
    path.mkdir()  # reading a folder fails for root too
    values = scrape(tree)
    assert blind(values) == ["npu_clock"]
    assert values["rkbench_npu_max_clock_hertz"] == 1e9


def test_a_board_whose_npu_driver_is_gone_is_blind_there(tree: Path) -> None:
    (tree / "sys/class/devfreq/fdab0000.npu").unlink()
    shutil.rmtree(str(tree / "sys/kernel/debug/rknpu"))
    assert blind(scrape(tree)) == ["npu_clock", "npu_load"]


def test_a_read_that_hangs_is_left_behind_and_not_tried_again_while_it_hangs(tree: Path) -> None:
    release, tries = threading.Event(), []

    def hang(files: SystemFiles) -> list:  # type: ignore[type-arg]  # stands for List[Metric]
        tries.append(files.root)
        release.wait(60)
        return []

    good = SensorGroup("memory", board_groups(tree, tree)[6].read)
    rounds = Rounds(tree, [SensorGroup("stuck", hang), good], limit_s=2.0)
    first, second = rounds.read(), rounds.read()
    assert [len(outcome["stuck"].faults) for outcome in (first, second)] == [1, 1]
    assert [len(outcome["memory"].metrics) for outcome in (first, second)] == [4, 4]
    assert len(tries) == 1
    lane = rounds._stuck["stuck"]
    release.set()
    lane.join(60)
    assert rounds.read()["stuck"].faults == []


def test_a_file_that_hangs_blinds_its_group_alone(tree: Path) -> None:
    for name in ("cur_freq", "max_freq"):
        path = tree / NPU / name
        path.unlink()
        os.mkfifo(str(path))  # nobody ever writes to it
    collector = BoardCollector(Rounds(tree, board_groups(tree, tree), limit_s=2.0))
    values = values_of(collector)
    assert blind(values) == ["npu_clock"]
    assert values['rkbench_npu_load_ratio{core="0"}'] == 0.0
    for name in ("cur_freq", "max_freq"):
        os.close(os.open(str(tree / NPU / name), os.O_RDWR | os.O_NONBLOCK))  # sets the reader free


def test_readings_are_kept_for_a_second(tree: Path) -> None:
    now = [100.0]
    collector = BoardCollector(Rounds(tree, board_groups(tree, tree)), clock=lambda: now[0])
    assert values_of(collector)["rkbench_npu_clock_hertz"] == 1e9
    (tree / NPU / "cur_freq").write_text("300000000")
    now[0] += 0.9
    assert values_of(collector)["rkbench_npu_clock_hertz"] == 1e9
    now[0] += 0.2
    assert values_of(collector)["rkbench_npu_clock_hertz"] == 3e8


def test_a_running_benchmark_is_told_while_its_lock_is_held(tmp_path: Path) -> None:
    lock = BoardLock(tmp_path / "lock")
    assert lock.acquire('eve "\\" at\nthe désk') is None
    files = SystemFiles(tmp_path)
    running, info, since = Benchmark([tmp_path / "lock"])(files)
    assert running.samples[0].value == 1
    assert info.samples[0].labels["owner"] == 'eve "\\" at\nthe désk'
    written = json.loads((tmp_path / "lock").read_text())["since_unix_ns"]
    assert since.samples[0].value == written / 1e9
    lock.release()
    assert [metric.samples[0].value for metric in Benchmark([tmp_path / "lock"])(files)] == [0]


def test_a_benchmark_of_another_user_is_told_by_the_lock_of_all(tree: Path, tmp_path: Path) -> None:
    (tree / "run/lock").mkdir(parents=True)
    (tree / "run/lock").chmod(0o1777)
    lock = BoardLock(tmp_path / "elsewhere" / "lock", tree / "run/lock/rkbench-board.lock")
    assert lock.acquire("eve", "nightly") is None
    values = scrape(tree)
    lock.release()
    assert values['rkbench_benchmark_info{owner="eve",what="nightly"}'] == 1
    assert values["rkbench_benchmark_running"] == 1
    assert scrape(tree)["rkbench_benchmark_running"] == 0


def test_a_lock_file_whose_owner_was_killed_is_no_benchmark(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text('{"owner": "eve", "since_unix_ns": 1, "pid": 1}')
    assert [metric.samples[0].value for metric in Benchmark([tmp_path / "lock"])(SystemFiles(tmp_path))] == [
        0
    ]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The recorded tree of an rk3588, links and all."""
    target = tmp_path / "tree"
    links = dict(line.split(" -> ", 1) for line in (TREES / "rk3588.links").read_text().splitlines())

    def leave_out(folder: str, names: List[str]) -> List[str]:
        place = Path(folder).relative_to(TREES / "rk3588")
        return [name for name in names if (place / name).as_posix() in links]

    shutil.copytree(str(TREES / "rk3588"), str(target), ignore=leave_out)
    for name, to in links.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).symlink_to(to)
    return target


def scrape(root: Path) -> Dict[str, float]:
    """Return one scrape as the official OpenMetrics parser reads it: `name{labels}` -> value."""
    return values_of(BoardCollector(Rounds(root, board_groups(root, root / "no-cache"))))


def values_of(collector: BoardCollector) -> Dict[str, float]:
    registry = CollectorRegistry()
    registry.register(collector)
    values = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
            values[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return values


def blind(values: Dict[str, float]) -> List[str]:
    """Return the groups whose success is 0."""
    mark = 'rkbench_sensor_success{group="'
    return sorted(
        name[len(mark) : -2] for name, value in values.items() if name.startswith(mark) and value == 0
    )
