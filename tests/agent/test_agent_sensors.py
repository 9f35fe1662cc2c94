"""Sensors and environment, read from recorded trees of both SoCs."""

from __future__ import annotations

import os
import shutil
import sys
from importlib import metadata
from pathlib import Path

import pytest
from agent_bench import TREES
from rkbench_agent.board.environment import (
    find_library,
    find_package_version,
    read_environment,
    read_library_version,
)
from rkbench_agent.board.memory import dma_buf_bytes, memory_available_bytes, process_memory
from rkbench_agent.board.sensors import Sensors, parse_npu_load


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the rk3588 tree that a test may change."""
    root = tmp_path / "root"
    shutil.copytree(TREES / "rk3588", root, symlinks=True)
    return root


def test_every_sensor_of_an_rk3588_is_sampled() -> None:
    reading = Sensors(TREES / "rk3588").sample()
    assert reading.npu_load_ratio == [0.0, 0.0, 0.0]
    assert (reading.npu_clock_hz, reading.npu_governor) == (1_000_000_000, "rknpu_ondemand")
    assert (reading.ddr_clock_hz, reading.ddr_governor, reading.ddr_load_ratio) == (
        528_000_000,
        "dmc_ondemand",
        0.02,
    )
    assert reading.gpu_clock_hz == 300_000_000
    assert reading.cpu_clock_hz == {
        "policy0": 1_008_000_000,
        "policy4": 408_000_000,
        "policy6": 408_000_000,
    }
    assert reading.cpu_governors == {"policy0": "schedutil", "policy4": "schedutil", "policy6": "schedutil"}
    assert reading.temperature_celsius == {
        "soc-thermal": 44.384,
        "bigcore0-thermal": 45.307,
        "bigcore1-thermal": 45.307,
        "littlecore-thermal": 45.307,
        "center-thermal": 43.461,
        "gpu-thermal": 42.538,
        "npu-thermal": 43.461,
    }
    assert reading.memory_available_bytes == 12_997_641 * 1024
    assert reading.cma_free_bytes == 235_929 * 1024
    assert reading.cpu_load_ratio is None


def test_every_sensor_of_an_rk3568_is_sampled() -> None:
    reading = Sensors(TREES / "rk3568").sample()
    assert reading.npu_load_ratio == [0.0]
    assert reading.npu_clock_hz == 600_000_000
    assert (reading.ddr_clock_hz, reading.ddr_load_ratio) == (324_000_000, 0.03)
    assert reading.temperature_celsius == {"soc-thermal": 38.889, "gpu-thermal": 38.125}
    assert reading.cpu_clock_hz == {"policy0": 1_104_000_000}


def test_volt_and_freq_of_the_npu_are_never_read(tree: Path) -> None:
    for name in ("volt", "freq"):
        path = tree / "sys/kernel/debug/rknpu" / name
        path.unlink()
        os.mkfifo(path)  # whoever reads it waits for ever
    assert Sensors(tree).sample().npu_load_ratio == [0.0, 0.0, 0.0]
    assert read_environment(tree, None).driver_version == "0.9.8"


@pytest.mark.parametrize("text", ["100@800000000Hz", "95@1000000000Hz", "0@1000000000Hz", "37@800000000Hz"])
def test_what_devfreq_calls_the_load_of_the_npu_is_none(tree: Path, text: str) -> None:
    shutil.rmtree(tree / "sys/kernel/debug")
    path = tree / "sys/class/devfreq/fdab0000.npu/load"
    path.write_text(f"{text}\n")
    reading = Sensors(tree).sample()
    assert reading.npu_load_ratio is None
    assert reading.absent is not None
    assert reading.absent["npu_load_ratio"] == (
        f"{path}: no load: '{text}' counts nothing; root reads the load in debugfs (rknpu/load)"
    )


@pytest.mark.parametrize("name", ["fb000000.gpu-panthor", "fb000000.gpu-mali", "fb000000.gpu", "gpu"])
def test_the_gpu_is_found_under_the_names_that_its_drivers_give_it(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "sys/class/devfreq" / name
    folder.mkdir(parents=True)
    (folder / "cur_freq").write_text("300000000\n")
    assert Sensors(tmp_path).sample().gpu_clock_hz == 300_000_000


def test_a_bus_of_the_npu_is_not_the_npu(tmp_path: Path) -> None:
    folder = tmp_path / "sys/class/devfreq/bus-npu"
    folder.mkdir(parents=True)
    (folder / "cur_freq").write_text("300000000\n")
    assert Sensors(tmp_path).sample().npu_clock_hz is None


def test_without_devfreq_the_memory_clock_comes_from_the_clock_tree(tree: Path) -> None:
    (tree / "sys/class/devfreq/dmc").unlink()
    (tree / "sys/kernel/debug/clk/scmi_clk_ddr/clk_rate").write_text("1560000000\n")
    assert Sensors(tree).sample().ddr_clock_hz == 1_560_000_000
    assert read_environment(tree, None).ddr_clock_hz == 1_560_000_000


def test_the_world_readable_load_of_proc_comes_first(tree: Path) -> None:
    (tree / "proc/rknpu").mkdir()
    (tree / "proc/rknpu/load").write_text("NPU load:  Core0: 12%, Core1:   %, Core2: 100%,\n")
    assert Sensors(tree).sample().npu_load_ratio == [0.12, 0.0, 1.0]


@pytest.mark.parametrize(
    ("text", "loads"),
    [
        ("NPU load:  0%", [0.0]),
        ("NPU load:  Core0: 45%, Core1:  1%,", [0.45, 0.01]),
        ("NPU load:  Core0: 20000%, Core1:  0%,", None),
        ("NPU load:  Core0: -1%, Core1:  7%,", None),
        ("NPU load:  Core0:   %, Core1:  7%,", [0.0, 0.07]),
        ("", None),
        ("garbage", None),
    ],
)
def test_npu_load_in_all_its_forms(text: str, loads: object) -> None:
    assert parse_npu_load(text) == loads


def test_an_empty_root_yields_a_reading_of_nothing(tmp_path: Path) -> None:
    values = vars(Sensors(tmp_path).sample())
    assert values.pop("time_ns") > 0
    assert set(values.pop("absent")) == set(values)
    assert set(values.values()) == {None}


def test_a_reading_says_why_a_sensor_is_absent(tree: Path) -> None:
    shutil.rmtree(tree / "sys/class/thermal")
    devfreq = tree / "sys/devices/platform/fdab0000.npu/devfreq/fdab0000.npu"
    (devfreq / "cur_freq").write_text("fast\n")
    (devfreq / "governor").unlink()
    (devfreq / "governor").mkdir()  # reading a folder fails for root too
    (tree / "sys/kernel/debug/rknpu/load").write_text("NPU load:  Core0: 4000%,\n")
    (devfreq / "load").unlink()
    absent = Sensors(tree).sample().absent
    assert absent is not None
    folder = tree / "sys/class/devfreq/fdab0000.npu"
    assert absent.pop("cpu_load_ratio")  # a first sample has no time to speak of
    assert absent == {
        "npu_load_ratio": f"{tree}/sys/kernel/debug/rknpu/load: no load: 'NPU load:  Core0: 4000%,'",
        "npu_clock_hz": f"{folder}/cur_freq: no number: 'fast'",
        "npu_governor": f"{folder}/governor: Is a directory",
        "temperature_celsius": "not there",
    }


def test_zones_of_one_type_hide_no_other(tree: Path) -> None:
    zones = tree / "sys/class/thermal"
    (zones / "thermal_zone1/type").write_text("soc-thermal\n")
    readings = Sensors(tree).sample().temperature_celsius
    assert readings is not None
    assert (readings["soc-thermal"], readings["soc-thermal_2"]) == (44.384, 45.307)


@pytest.mark.parametrize("noise", [b"", b"\xff\xfe\0\x01", b"-1", b"12 monkeys", b"9" * 100])
def test_malformed_files_are_no_error(tree: Path, noise: bytes) -> None:
    for path in tree.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.write_bytes(noise)
    reading = Sensors(tree).sample()
    assert reading.npu_load_ratio is None
    assert reading.memory_available_bytes is None
    assert read_environment(tree, None).soc is None


def test_the_cpu_load_is_of_the_time_between_two_samples(tree: Path) -> None:
    (tree / "proc/stat").write_text("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 1 1 1 1\n")
    sensors = Sensors(tree)
    (tree / "proc/stat").write_text("cpu  150 0 125 750 175 0 0 0 0 0\n")
    assert sensors.sample().cpu_load_ratio == 0.375
    assert sensors.sample().cpu_load_ratio is None


def test_the_environment_of_an_rk3588() -> None:
    environment = read_environment(TREES / "rk3588", "virtual")
    assert (environment.soc, environment.board_model) == ("rk3588", "Radxa ROCK 5B")
    assert environment.compatible == ["radxa,rock-5b", "rockchip,rk3588"]
    assert (environment.kernel, environment.architecture) == ("6.1.115-vendor-rk35xx", "aarch64")
    assert environment.driver_version == "0.9.8"
    assert (environment.npu_cores, environment.npu_max_clock_hz) == (3, 1_000_000_000)
    assert (environment.ddr_governor, environment.ddr_clock_hz) == ("dmc_ondemand", 528_000_000)
    assert environment.memory_total_bytes == 16_247_052 * 1024
    assert environment.cpu_count == 8
    assert (environment.runtime_version, environment.runtime_path, environment.boot_id) == (None, None, None)
    assert environment.simulated is True


def test_the_environment_of_a_real_root_is_not_simulated_unless_the_runtime_is() -> None:
    assert read_environment(Path("/"), "lite").simulated is False
    assert read_environment(Path("/"), "virtual").simulated is True


@pytest.mark.parametrize(
    "entry",
    [
        "rknn_toolkit_lite2-2.3.0.dist-info",  # pip
        "rknn-toolkit-lite2-2.3.0.dist-info",  # pip of old
        "rknn_toolkit_lite2-2.3.0.egg-info",  # Debian
        "Rknn_Toolkit_Lite2-2.3.0-py3.9.egg-info",  # setuptools
    ],
)
def test_a_package_tells_its_version_by_its_metadata(tmp_path: Path, entry: str) -> None:
    (tmp_path / "rknn_toolkit_lite2_extra-9.9.dist-info").mkdir()
    (tmp_path / entry).mkdir()
    path = [str(tmp_path / "agent.pyz"), str(tmp_path)]
    assert find_package_version("rknn-toolkit-lite2", path) == "2.3.0"
    assert find_package_version("numpy", path) is None


def test_the_version_of_numpy_is_what_importlib_says() -> None:
    assert find_package_version("numpy", sys.path) == metadata.version("numpy")


@pytest.mark.parametrize("folder", ["usr/lib", "usr/lib64", "usr/lib/aarch64-linux-gnu", "usr/local/lib"])
def test_the_runtime_library_tells_its_version(tmp_path: Path, folder: str) -> None:
    library = tmp_path / folder / "librknnrt.so"
    library.parent.mkdir(parents=True)
    library.write_bytes(
        b"\x7fELF" + os.urandom(100_000) + b"librknnrt version: 1.5.2 (c6b7b351a@2023-08-23T15:28:22)\0"
    )
    assert find_library(tmp_path) == library
    assert read_library_version(library) == "1.5.2"
    assert read_environment(tmp_path, None).runtime_path == str(library)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>"])
def test_a_library_that_is_none_has_no_version(tmp_path: Path, content: bytes) -> None:
    library = tmp_path / "librknnrt.so"
    library.write_bytes(content)
    assert read_library_version(library) is None


def test_memory_of_this_process_and_of_a_recorded_board() -> None:
    memory = process_memory()
    rss, pss, peak = memory["rss_bytes"], memory["pss_bytes"], memory["peak_rss_bytes"]
    assert rss is not None and pss is not None and peak is not None
    assert 1_000_000 < pss <= rss <= peak
    assert memory_available_bytes(TREES / "rk3568") == 3_203_891 * 1024
    assert memory_available_bytes(TREES / "nowhere") is None


def make_descriptor(process: Path, number: str, info: str, link: str = "/dmabuf:") -> None:
    """Add a descriptor to a recorded /proc/<pid>."""
    (process / "fd").mkdir(exist_ok=True)
    (process / "fdinfo").mkdir(exist_ok=True)
    (process / "fd" / number).symlink_to(link)
    (process / "fdinfo" / number).write_text(info)


def test_dma_bufs_are_counted_once_per_inode(tmp_path: Path) -> None:
    recorded = (TREES / "rk3588/fdinfo-example/7").read_text()
    make_descriptor(tmp_path, "7", recorded)
    make_descriptor(tmp_path, "8", recorded)
    make_descriptor(tmp_path, "9", recorded.replace("102", "103").replace("33722368", "12288"))
    make_descriptor(tmp_path, "1", "pos:\t0\nflags:\t02\nmnt_id:\t14\nino:\t5\n", "/dev/null")
    assert dma_buf_bytes(tmp_path) == 33_722_368 + 12_288


def test_dma_bufs_of_a_kernel_that_tells_no_inode_are_counted_once_too(tmp_path: Path) -> None:
    (tmp_path / "buffer").touch()
    (tmp_path / "other").touch()
    info = "pos:\t0\nsize:\t4096\ncount:\t3\nexp_name:\tdrm\n"
    for number, target in (("7", "buffer"), ("8", "buffer"), ("9", "other")):
        make_descriptor(tmp_path, number, info, str(tmp_path / target))
    assert dma_buf_bytes(tmp_path) == 8192


def test_resident_memory_is_that_of_the_pages_and_by_kind(tmp_path: Path) -> None:
    (tmp_path / "status").write_text(
        "VmHWM:\t9000 kB\nVmRSS:\t9000 kB\nRssAnon:\t5000 kB\nRssFile:\t3500 kB\nRssShmem:\t500 kB\n"
    )
    (tmp_path / "smaps_rollup").write_text("Rss:\t9240 kB\nPss:\t8000 kB\nAnonymous:\t5200 kB\n")
    memory = process_memory(tmp_path)
    assert (memory["rss_bytes"], memory["peak_rss_bytes"]) == (9240 * 1024, 9240 * 1024)
    kinds = [memory[f"rss_{kind}_bytes"] for kind in ("anon", "file", "shmem")]
    assert kinds == [5200 * 1024, 3540 * 1024, 500 * 1024]
    assert sum(kinds) == memory["rss_bytes"]


def test_kinds_of_memory_are_the_kernels_quick_count_where_pages_are_not_counted(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("VmRSS:\t900 kB\nRssAnon:\t500 kB\nRssFile:\t350 kB\nRssShmem:\t50 kB\n")
    memory = process_memory(tmp_path)
    assert [memory[f"rss_{kind}_bytes"] for kind in ("anon", "file", "shmem")] == [512000, 358400, 51200]


def test_dma_bufs_of_a_kernel_that_tells_no_size_are_unknown(tmp_path: Path) -> None:
    make_descriptor(tmp_path, "7", "pos:\t0\nflags:\t02000002\nmnt_id:\t14\n", "anon_inode:dmabuf")
    assert dma_buf_bytes(tmp_path) is None


def test_where_no_descriptor_is_a_dma_buf_their_bytes_are_unknown(tmp_path: Path) -> None:
    assert dma_buf_bytes(tmp_path) is None
    make_descriptor(tmp_path, "1", "pos:\t0\nino:\t5\n", "/dev/null")
    assert dma_buf_bytes(tmp_path) is None
