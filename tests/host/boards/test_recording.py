"""`bench boards record`: what comes back is the board again, and what does not fit is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rkbench.boards.recording.ask import Recording, check_recording
from rkbench.boards.recording.write import check_target, write_recording
from rkbench.boards.virtual.trees import TREES, copy_tree
from rkbench.errors import ProtocolError, UsageError
from rkbench_agent.board.environment import read_environment
from rkbench_agent.board.sensors import Sensors
from rkbench_agent.recorder.recording import record
from rkbench_agent.wire.board import Environment

RECORDED = Path(__file__).parents[2] / "data/recorded"
NAMES = {path.stem: path.parent for folder in (TREES, RECORDED) for path in folder.glob("*.links")}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_recording_of_a_board_reads_like_the_board(name: str, tmp_path: Path) -> None:
    copy_tree(name, tmp_path / "board", NAMES[name])
    recording = Recording(**record(tmp_path / "board", []))
    check_recording(recording)
    write_recording(recording, tmp_path / "again")
    copy_tree("again", tmp_path / "copy", tmp_path)
    first, second = (read_environment(tmp_path / tree, None, tmp_path) for tree in ("board", "copy"))
    assert _lasting(second) == _lasting(first)
    readings = [Sensors(tmp_path / tree).sample(1) for tree in ("board", "copy")]
    assert replace(readings[1], absent=None) == replace(readings[0], absent=None)


def _lasting(environment: Environment) -> Environment:
    """Leave out the time, the room, and the reasons, which name the folder."""
    return replace(environment, unix_ns=0, cache_free_bytes=0, sensors_absent=None)


def test_every_file_of_a_recording_has_its_line_among_the_sources(tmp_path: Path) -> None:
    write_recording(
        Recording({"proc/version": "Linux\n"}, {"dev/a": "b"}, {"dev/rknpu": "c0600 root:root"}),
        tmp_path / "tree",
    )
    recorded = "recorded on the board by bench boards record"
    assert (tmp_path / "tree.sources").read_text().splitlines() == [
        f"dev/a\t{recorded}",
        f"dev/rknpu\t{recorded}: c0600 root:root",
        f"proc/version\t{recorded}",
    ]


@pytest.mark.parametrize(
    "path", ["../etc/passwd", "/etc/passwd", "etc/passwd", "proc/../../x", "proc/a\nb", "sys", "", "proc//x"]
)
def test_a_path_that_is_none_of_a_board_is_refused(path: str) -> None:
    for recording in (
        Recording({path: ""}, {}, {}),
        Recording({}, {path: "x"}, {}),
        Recording({}, {}, {path: ""}),
    ):
        with pytest.raises(ProtocolError):
            check_recording(recording)


@pytest.mark.parametrize("target", ["/etc", "../../../etc", "a/../../../../x", "a\nb", ""])
def test_a_link_that_leads_out_of_the_tree_is_refused(target: str) -> None:
    with pytest.raises(ProtocolError):
        check_recording(Recording({}, {"dev/dri/x": target}, {}))


def test_a_file_that_is_a_folder_too_is_refused() -> None:
    with pytest.raises(ProtocolError, match="a file and a folder"):
        check_recording(Recording({"proc/a": ""}, {}, {"proc/a/b": ""}))


def test_half_a_surrogate_is_written_as_a_question_mark(tmp_path: Path) -> None:
    write_recording(Recording({"proc/version": "\ud800"}, {}, {}), tmp_path / "tree")
    assert (tmp_path / "tree/proc/version").read_bytes() == b"?"


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "tree.links").write_text("")
    with pytest.raises(UsageError, match="is there already"):
        check_target(tmp_path / "tree")


def test_where_nothing_can_be_written_the_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write "):
        write_recording(Recording({"proc/version": ""}, {}, {}), tmp_path / "file/tree")
