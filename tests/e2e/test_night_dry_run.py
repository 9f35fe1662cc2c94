"""`bench nightly --dry-run`: what a night would do, without a board and without a trace."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from fake_boards import FakeSession
from night_lab import MODELS, NightLab
from rkbench.boards.health import MOST_FAULTS, note_health
from rkbench.boards.inventory import load_inventory
from rkbench.boards.model import Board
from rkbench.campaign.running import Running, read_running
from rkbench.store import open_store


def trace(folder: Path) -> dict[str, str]:
    """Return every file of a lab with what it holds."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def no_board(_: object, board: Board) -> FakeSession:
    raise AssertionError(f"board {board.name} was touched")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NightLab:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = NightLab(tmp_path)
    found.inventory.write_text(
        found.inventory.read_text()
        + '[boards.old]\nhost = "virtual"\nsoc = "rk3568"\ntags = ["shelf"]\n'
        + '[boards.desk]\nhost = "192.0.2.7"\nuser = "ann"\nsoc = "rk3588"\ntags = ["shelf"]\n'
    )
    return found


def dry(lab: NightLab, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the lines of a dry run, which has touched nothing."""
    before = trace(lab.folder)
    with monkeypatch.context() as patch:
        patch.setattr("rkbench.session.Sessions.open", no_board)
        done = lab.run("nightly", lab.suite, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert trace(lab.folder) == before
    return done.stdout.splitlines()


def a_night_without_desk(lab: NightLab) -> None:
    """Run a night; the board that nobody has is in quarantine."""
    (desk,) = [board for board in load_inventory(lab.inventory).boards if board.name == "desk"]
    for _ in range(MOST_FAULTS):
        note_health(desk, "it did not answer")
    lab.run("nightly", lab.suite)


def test_a_first_night_is_told_with_all_that_is_not_known(
    lab: NightLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = dry(lab, monkeypatch)
    assert lines[0] == "lab: 6 cells on 3 boards, a new night; nothing is run, nothing written"
    assert lines[1].startswith("no nights before are known: ")
    assert "desk (rk3588, ann@192.0.2.7): nothing is known against it (not asked)" in lines
    assert lines.count(f"  {MODELS[0]} (default): never measured") == 3
    for model in MODELS:
        assert f"left out: {model}.rknn on old (rk3568): it is for rk3588" in lines
    assert lines[-1] == "how long it takes is not known (cells never measured: 6 of 6)"


def test_what_the_cells_took_is_told_and_which_boards_are_out_or_in_use(
    lab: NightLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_night_without_desk(lab)
    took = dict(
        lab.rows("SELECT document ->> '$.board', sum(document ->> '$.duration_s') FROM cells GROUP BY 1")
    )
    assert took["left"] is not None

    with Running("push", "m.rknn", str(lab.store)) as running:
        running.tell("left", "measuring m")
        while not [told for told in read_running(str(lab.store)) if told["boards"]]:
            pass
        lines = dry(lab, monkeypatch)
    assert "no nights before" not in "".join(lines)
    (left,) = [line for line in lines if line.startswith("left (")]
    assert "in use by push m.rknn, process " in left
    (desk,) = [line for line in lines if line.startswith("desk (")]
    assert "taken out, its cells are not measured: in quarantine since " in desk
    assert sum("took " in line for line in lines if line.startswith("  ")) == 4
    assert lines[-1].endswith(" by what the same cells took before")


def test_a_night_that_broke_off_is_gone_on_with(lab: NightLab, monkeypatch: pytest.MonkeyPatch) -> None:
    a_night_without_desk(lab)
    with open_store(lab.store) as store:
        night = store.night(*store.nights())
        assert night is not None
        store.save_night(replace(night, ended_unix_s=None))
    lab.rows("DELETE FROM cells WHERE position = 0")
    first = dry(lab, monkeypatch)[0]
    assert (
        first == f"lab: 1 cell on 1 board, goes on with {night.id}, 5 done; nothing is run, nothing written"
    )


@pytest.mark.parametrize(
    "other", [("--json", "-"), ("--junit", "x.xml"), ("--markdown", "-"), ("--comment",)]
)
def test_what_writes_is_refused(lab: NightLab, other: tuple[str, ...]) -> None:
    done = lab.run("nightly", lab.suite, "--dry-run", *other)
    assert done.returncode == 2
    assert f"--dry-run writes nothing, and {other[0]} asks for it" in done.stderr
