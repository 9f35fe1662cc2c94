"""All recorded boards: what doctor, sensors and exporter say of each, and that they say nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

import pytest
from made_runs import make_latencies, make_run
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry
from rkbench.boards.doctor.checks import board_checks
from rkbench.boards.virtual.trees import TREES, copy_tree, recorded_links
from rkbench.catalogue.check import Check
from rkbench.results.caveats import caveats_of
from rkbench.results.environment import update_record
from rkbench_agent.board.environment import read_environment
from rkbench_agent.board.sensors import Sensors
from rkbench_agent.exporter.collector import BoardCollector, board_groups
from rkbench_agent.exporter.rounds import Rounds
from rkbench_agent.wire.board import Environment

RECORDED = Path(__file__).parents[2] / "data/recorded"


@dataclass(frozen=True)
class Known:
    """What is to be read of a board: nothing else may be."""

    soc: str | None
    cores: int | None
    kernel: str | None = None
    driver: str | None = None
    version: str | None = None
    devfreq: str | None = None
    iommu: bool | None = None
    nodes: tuple[str, ...] = ()
    sensors: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    fails: tuple[str, ...] = ()


ALL_SENSORS = (
    *("npu_load_ratio", "npu_clock_hz", "npu_governor", "ddr_clock_hz", "ddr_governor", "ddr_load_ratio"),
    *("cpu_clock_hz", "cpu_governors", "gpu_clock_hz", "temperature_celsius"),
    *("memory_available_bytes", "cma_free_bytes"),
)
ALL_FAMILIES = (
    *("cpu_clock_hertz", "cpu_max_clock_hertz", "ddr_clock_hertz", "ddr_load_ratio", "ddr_max_clock_hertz"),
    *("gpu_clock_hertz", "gpu_max_clock_hertz", "npu_clock_hertz", "npu_load_ratio", "npu_max_clock_hertz"),
    *("memory_available_bytes", "memory_total_bytes", "cma_free_bytes", "cma_total_bytes"),
    *("dma_buf_bytes", "dma_bufs", "governor", "temperature_celsius"),
)
RUNTIME = ("runtime", "lite")
#: Before the names of the trees that virtual boards show, which recorded boards may have too.
EXAMPLE = "example "
BOARDS = {
    EXAMPLE + "rk3588": Known(
        *("rk3588", 3, "6.1.115-vendor-rk35xx", "rknpu", "0.9.8", "fdab0000.npu", None),
        ("/dev/dri/renderD129", "/dev/dri/card1"),
        *(ALL_SENSORS, ALL_FAMILIES, RUNTIME),
    ),
    EXAMPLE + "rk3568": Known(
        *("rk3568", 1, "5.10.160-rockchip", "rknpu", "0.9.8", "fde40000.npu", None),
        ("/dev/dri/renderD129", "/dev/dri/card1"),
        *(ALL_SENSORS, ALL_FAMILIES, RUNTIME),
    ),
    "rk3588": Known(
        *("rk3588", 3, "6.1.84-vendor-rk35xx", "rknpu", "0.9.8", None, True),
        nodes=("/dev/dri/card1",),
        fails=RUNTIME,
    ),
    "rk3568": Known(
        *("rk3568", 1, "5.10.110", "rknpu", "0.8.2", None, True), nodes=("/dev/dri/card1",), fails=RUNTIME
    ),
    "rk3566": Known(
        *("rk3566", 1, "6.1.99-rk35xx-ophub", "rknpu", "0.9.8"), iommu=True, fails=("device_node", *RUNTIME)
    ),
    "rk3576": Known(
        *("rk3576", 2, None, "rknpu", None, "27700000.npu"),
        sensors=("npu_clock_hz",),
        families=("npu_clock_hertz",),
        fails=("device_node", *RUNTIME),
    ),
    "rk3562": Known(*("rk3562", 1, None, "rknpu", "0.9.8"), nodes=("/dev/dri/card1",), fails=RUNTIME),
    "rv1126b": Known(
        *("rv1126b", 1, None, "rknpu", None, "22000000.npu"),
        nodes=("/dev/rknpu",),
        sensors=("cpu_clock_hz", "cpu_governors"),
        families=("cpu_clock_hertz", "cpu_max_clock_hertz", "governor"),
        fails=RUNTIME,
    ),
    "rocket": Known(
        *("rk3588", 3, "6.18.0", "rocket"),
        nodes=("/dev/accel/accel0",),
        fails=("driver", "device_node", *RUNTIME),
    ),
    "container": Known(
        *(None, None, "6.1.115-vendor-rk35xx", "rknpu", "0.9.8"),
        fails=("soc", "device_node", "container", *RUNTIME),
    ),
    "android-4.19": Known(
        *("rk3568", 1, "4.19.232", "rknpu", "0.8.2", None, True), nodes=("/dev/dri/card1",), fails=RUNTIME
    ),
    "buildroot": Known(
        *("rk3576", 2, "6.1.75", "rknpu", "0.9.7"), nodes=("/dev/dri/renderD129",), fails=RUNTIME
    ),
}
#: Said to be missing, to be made, or to be mounted: not to be read on the board.
NOT_CLAIMED = re.compile(
    r"there is no /dev/rknpu|/dev/dri has no node|/etc/udev/rules.d/99-npu.rules|/usr/lib(?:/librknnrt.so)?"
    r"|none /sys/kernel/debug\b|demands what is missing: [^;]*|-v \S+|--device /dev/dri"
)
PATHS = re.compile(r"(?<![\w.])/(?:sys|proc|dev|usr|etc|oem|vendor)/[\w./*-]*[\w*]")


def place_of(name: str) -> tuple[Path, str]:
    """Return the folder of a board's tree, and the tree's name in it."""
    folder = TREES if name.startswith(EXAMPLE) else RECORDED
    return folder, name.replace(EXAMPLE, "")


@pytest.fixture(params=BOARDS)
def name(request: pytest.FixtureRequest) -> str:
    """Each recorded board."""
    return str(request.param)


@pytest.fixture
def tree(name: str, tmp_path: Path) -> Path:
    """A copy of its tree, with its links."""
    folder, word = place_of(name)
    copy_tree(word, tmp_path / "tree", folder)
    return tmp_path / "tree"


@pytest.fixture
def environment(tree: Path) -> Environment:
    """What the agent reads of it for the doctor."""
    return read_environment(tree, None, tree / "cache")


def test_there_is_no_tree_that_these_tests_leave_out() -> None:
    there = {(folder, path.stem) for folder in (TREES, RECORDED) for path in folder.glob("*.links")}
    assert there == {place_of(name) for name in BOARDS}
    assert len(list(RECORDED.glob("*.links"))) == 10


def test_every_file_and_link_of_a_tree_names_its_source(name: str) -> None:
    folder, word = place_of(name)
    links = recorded_links(word, folder)
    files = {
        path.relative_to(folder / word).as_posix()
        for path in (folder / word).rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    lines = [line.split("\t") for line in (folder / f"{word}.sources").read_text().splitlines()]
    patterns = [pattern for pattern, source in lines if source]
    real = {path for path in files if not any(path.startswith(f"{link}/") for link in links)}
    assert {path for path in real if not any(fnmatch(path, pattern) for pattern in patterns)} == set()
    assert [
        pattern for pattern in patterns if not any(fnmatch(path, pattern) for path in files | links.keys())
    ] == []
    if folder == RECORDED:
        assert set(patterns) == files | links.keys()
        assert [source for _, source in lines if "made up" in source] == []


def test_a_board_is_recognised(name: str, environment: Environment) -> None:
    known = BOARDS[name]
    assert (environment.soc, environment.npu_cores) == (known.soc, known.cores)
    assert (environment.kernel, environment.npu_driver) == (known.kernel, known.driver)
    assert (environment.driver_version, environment.npu_devfreq) == (known.version, known.devfreq)
    assert tuple(node.path for node in environment.device_nodes or ()) == known.nodes
    assert environment.iommu is known.iommu


def test_no_sensor_reads_what_the_board_does_not_tell(name: str, tree: Path) -> None:
    reading = vars(Sensors(tree).sample())
    absent = reading.pop("absent")
    assert {field for field, value in reading.items() if value is not None} == {
        "time_ns",
        *BOARDS[name].sensors,
    }
    assert set(absent) == {field for field, value in reading.items() if value is None}
    assert all(absent.values())


def test_the_exporter_tells_what_the_board_tells(name: str, tree: Path) -> None:
    registry = CollectorRegistry()
    registry.register(BoardCollector(Rounds(tree, board_groups(tree, tree))))
    text = generate_latest(registry).decode()
    told = {family.name for family in text_string_to_metric_families(text)}
    ours = {"board", "benchmark_running", "sensor_success", "scrape_duration_seconds", "exporter"}
    assert told - {"process_cpu_seconds"} == {f"rkbench_{word}" for word in ours | set(BOARDS[name].families)}
    assert 'rkbench_npu_load_ratio{core="all"}' not in text


def test_the_doctor_fails_what_cannot_work_and_nothing_else(name: str, environment: Environment) -> None:
    failed = {check.code for check in verdicts(environment) if check.verdict == "fail"}
    assert failed - {"permission", "numpy", "psutil", "ruamel", "python"} == set(BOARDS[name].fails)


@pytest.mark.parametrize("runtime", ["lite", "capi", "virtual"])
def test_no_path_is_printed_that_the_board_lacks(environment: Environment, tree: Path, runtime: str) -> None:
    texts = [text for check in verdicts(environment, runtime) for text in (check.found, check.fix)]
    run = replace(make_run(), board=update_record(make_run().board, environment), conditions=None)
    found = caveats_of(run, make_latencies(1000))
    texts += [text for caveat in found for text in (caveat.message, caveat.advice)]
    assert [path for text in texts for path in _lacking(text, tree)] == []


def verdicts(environment: Environment, runtime: str = "lite") -> tuple[Check, ...]:
    """Return the checks of a board whose Python has nothing of ours, and whose nodes its user may open."""
    alone = replace(environment, modules={}, is_root=False, user="rock", groups=["rock"])
    return board_checks(alone, runtime)


def _lacking(text: str, tree: Path) -> Iterator[str]:
    for path in PATHS.findall(NOT_CLAIMED.sub("", text.replace(str(tree), ""))):
        if not any(tree.glob(path.lstrip("/"))):
            yield path
