"""What the doctor says before a push: notes, caveats, refusals; silence where all is well."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from made_files import make_file_info
from recorded import read_recording
from rkbench.boards.model import Board
from rkbench.campaign.check import PushChecks, check_clock, check_for_push
from rkbench.errors import BoardError, ModelError, UsageError
from rkbench.rknn.contents import FileInfo
from rkbench_agent.wire.board import DeviceNode, Environment, GovernorFile, Library

BOARD = Board("rock", "10.0.0.2", soc="rk3588")
LIBRARY = Library("/usr/lib/librknnrt.so", "elf", "aarch64", "2.3.2")
NODE = DeviceNode("/dev/dri/renderD129", "drm_render", "0660", "root", "render", openable=True)
HEALTHY = Environment(
    soc="rk3588",
    driver_version="0.9.8",
    npu_driver="rknpu",
    runtime_version="2.3.2",
    lite_version="2.3.2",
    numpy_version="2.2.6",
    psutil_version="7.2.2",
    libraries=[LIBRARY],
    elf_machine="aarch64",
    device_nodes=[NODE],
)
MODEL = make_file_info()


def look(model: FileInfo = MODEL, *, force: bool = False, **changes: Any) -> PushChecks:
    return check_for_push(replace(HEALTHY, **changes), BOARD, "lite", [model], force=force)


def test_of_a_healthy_board_there_is_nothing_to_say() -> None:
    assert look() == PushChecks((), {}, ())


def test_what_fails_is_told_with_its_cure_and_kept_for_the_failure() -> None:
    found = look(libraries=[])
    assert [check.code for check in found.fails] == ["runtime"]
    assert found.notes[0].startswith(
        "fail: librknnrt: no librknnrt.so in /usr/lib or any other usual folder → "
    )
    assert found.of("m.rknn") == ()


def test_what_says_how_to_read_the_numbers_is_a_caveat_and_no_note() -> None:
    found = look(replace(MODEL, toolkit_version="2.5.0"), sensors={"npu_load": False, "npu_clock": True})
    assert found.notes == ()
    assert [caveat.code for caveat in found.of("m.rknn")] == ["sensors_missing", "runtime_version_mismatch"]
    assert [caveat.code for caveat in found.of("other.rknn")] == ["sensors_missing"]


def test_what_caveats_say_already_is_not_said_twice() -> None:
    governor = GovernorFile("NPU", "/sys/g", "rknpu_ondemand", settable=False)
    assert look(governor_files=[governor], unix_ns=0) == PushChecks((), {}, ())


def test_a_model_that_cannot_run_stops_the_push_unless_forced() -> None:
    with pytest.raises(ModelError, match=r"m\.rknn: container version 6 needs librknnrt 1\.5\.2") as refusal:
        look(runtime_version="1.4.0")
    assert "install librknnrt.so 2.3.2 or newer" in refusal.value.hint
    found = look(runtime_version="1.4.0", force=True)
    assert [note.partition(" version")[0] for note in found.notes] == ["fail: m.rknn: container:"]


def test_the_virtual_runtime_is_not_held_against_a_library_that_it_does_not_use() -> None:
    old = replace(HEALTHY, runtime_version="1.4.0")
    assert check_for_push(old, BOARD, "virtual", [MODEL], force=False) == PushChecks((), {}, ())


def test_the_recorded_boards_are_healthy() -> None:
    for name in ("two_variants", "crash", "constant"):
        environment = read_recording(name)[1]
        assert isinstance(environment, Environment)
        assert check_for_push(environment, BOARD, "virtual", [MODEL], force=False).notes == ()


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        (
            {"lite_version": None, "modules": {"rknnlite": False, "numpy": True}},
            "rknn-toolkit-lite2: not installed",
        ),
        ({"numpy_version": None, "modules": {"rknnlite": True, "numpy": False}}, "numpy: not installed"),
        ({"npu_driver": "rocket", "driver_version": None}, "mainline's rocket drives the NPU"),
    ],
    ids=["no RKNNLite", "no numpy", "rocket"],
)
def test_a_board_on_which_nothing_can_run_is_refused_before_the_upload(
    changes: dict[str, Any], found: str
) -> None:
    with pytest.raises(BoardError, match="nothing can run there") as refusal:
        look(**changes)
    assert found in refusal.value.message
    assert refusal.value.hint.endswith("to try all the same: --force")
    assert [check.verdict for check in look(**changes, force=True).fails] == ["fail"]


def test_what_may_be_where_nobody_looked_proves_nothing() -> None:
    assert look(libraries=[], device_nodes=[]).fails
    assert look(npu_driver=None, driver_version=None).fails


def test_a_clock_that_the_board_does_not_list_is_refused() -> None:
    board = replace(HEALTHY, npu_clocks_hz=[300_000_000, 1_000_000_000])
    check_clock(board, "rock", 1e9)
    check_clock(board, "rock", None)
    check_clock(HEALTHY, "rock", 550e6)
    with pytest.raises(UsageError, match="board 'rock' has no NPU clock of 550 MHz") as refusal:
        check_clock(board, "rock", 550e6)
    assert refusal.value.hint == "it has 300 MHz, 1.00 GHz; --pin alone holds the highest"


def test_a_container_newer_than_any_that_is_known_is_a_doubt() -> None:
    found = look(replace(MODEL, container_version=99))
    assert [caveat.code for caveat in found.of("m.rknn")] == ["container_untried"]
    assert look().of("m.rknn") == ()


def test_several_versions_of_the_runtime_are_a_doubt_and_copies_of_one_are_none() -> None:
    other = replace(LIBRARY, path="/opt/librknnrt.so", version="1.6.0")
    found = look(libraries=[LIBRARY, other])
    assert [caveat.code for caveat in found.of("m.rknn")] == ["runtime_ambiguous"]
    assert look(libraries=[LIBRARY, replace(other, version="2.3.2")]).of("m.rknn") == ()
