"""Places of a real labgrid coordinator as targets of Prometheus: found, kept while it is down."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from labgrid_lab import LabgridLab
from rkbench.boards.labgrid.watching import WatchedPlaces
from rkbench.metrics.discovery import Targets

pytest.importorskip("labgrid", reason="labgrid is not installed: pip install 'rkbench[labgrid]'")
#: Coordinator and exporter are interpreters that start, on a busy computer.
pytestmark = pytest.mark.timeout(400)

RESOURCES = {
    "rock": {"NetworkService": {"address": "10.0.0.5", "username": "ann"}},
    "odd": {"NetworkService": {"address": "10.0.0.6\nx", "username": "ann"}},
}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LabgridLab]:
    """A lab with two places that have an address, one of which is none, and one that has nothing."""
    places = {"rock": {"soc": "rk3588", "shelf": "2"}, "odd": {}, "bare": {"soc": "rk3568"}}
    with LabgridLab(tmp_path / "labgrid", places) as found:
        yield found


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "bench.toml"
    path.write_text(
        '[boards.desk]\nhost = "10.0.0.1"\n'
        '[boards.rock]\nhost = "x"\nexporter_port = 9999\nruntime = "capi"\n'
    )
    return path


def until(found: Callable[[], Any], wanted: object) -> None:
    deadline = time.monotonic() + 120
    while found() != wanted:
        assert time.monotonic() < deadline, found()
        time.sleep(0.05)


def told(targets: Targets) -> dict[str, list[str]]:
    groups = json.loads(targets.document())
    return {group["labels"]["__meta_rkbench_board"]: group["targets"] for group in groups}


def state(targets: Targets) -> tuple[float, float]:
    families = {family.name: family.samples for family in targets.collect()}
    return families["rkbench_labgrid_up"][0].value, families["rkbench_labgrid_places"][0].value


def test_places_come_and_go_and_stay_while_the_coordinator_is_down(
    lab: LabgridLab, inventory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    lab.export(RESOURCES)
    places = WatchedPlaces(lab.address, look_again_s=0.2)
    targets = Targets(inventory, places)
    assert (told(targets), state(targets)) == ({"desk": ["10.0.0.1:9954"], "rock": ["x:9999"]}, (0, 0))
    both = {"desk": ["10.0.0.1:9954"], "labgrid:rock": ["10.0.0.5:9999"]}
    places.start()
    try:
        until(lambda: told(targets), both)
        until(lambda: state(targets), (1, 2))
        labels = json.loads(targets.document())[1]["labels"]
        assert labels == {
            "__meta_rkbench_board": "labgrid:rock",
            "__meta_rkbench_soc": "rk3588",
            "__meta_rkbench_runtime": "capi",
            "__meta_rkbench_simulated": "false",
            "__meta_rkbench_tags": ",2,rk3588,",
            "__meta_rkbench_tag_2": "true",
            "__meta_rkbench_tag_rk3588": "true",
        }
        assert "left out: board 'labgrid:odd'" in caplog.text
        lab.client("-p", "rock", "acquire")  # it is scraped all the same
        assert told(targets) == both
        lab.stop_coordinator()
        until(lambda: state(targets), (0, 2))
        assert told(targets) == both
        assert caplog.text.count("the places of labgrid stay as they were") == 1
        lab.start_coordinator()
        until(lambda: state(targets)[0], 1)
        lab.stop_exporter()
        until(lambda: told(targets), {"desk": ["10.0.0.1:9954"]})
    finally:
        places.close()


def test_a_coordinator_that_never_answers_delays_nothing(
    inventory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    places = WatchedPlaces("127.0.0.1:9", look_again_s=0.2)
    targets = Targets(inventory, places)
    places.start()
    try:
        until(lambda: "labgrid's coordinator 127.0.0.1:9 does not answer" in caplog.text, True)
        assert (set(told(targets)), state(targets)) == ({"desk", "rock"}, (0, 0))
    finally:
        places.close()
