"""What runs just now, in files beside each other: true while it runs, gone when it ends, of no harm."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rkbench.campaign.running import SCHEMA, Running, read_running, running_folder
from rkbench.results.events import Ended, Measuring, Outlook, Step
from rkbench.results.night import CellBegun
from rkbench.views.running import heard_of_night, heard_of_push
from view_runs import story

ADDRESS = "/somewhere/results.sqlite"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def until(found: Callable[[], Any]) -> Any:
    """Return what `found` returns once it is something; fails after a minute."""
    end = time.monotonic() + 60
    while not (value := found()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)
    return value


def test_a_push_is_shown_in_the_words_of_its_terminal_while_it_runs() -> None:
    heard: list[object] = []
    with Running("push", "a.rknn, b.rknn", ADDRESS) as running:
        listen = heard_of_push(running, "desk", heard.append)
        run = story()[0][0]
        inference = Measuring("b", "inference", 3, 28, "blocks")
        events = [Step("connecting to desk"), Ended(run), inference, Outlook(12.0)]
        for event in events:
            listen(event)
        (document,) = until(lambda: [d for d in read_running(ADDRESS) if "desk" in d["boards"]])
        assert (document["kind"], document["what"], document["pid"]) == (
            "push",
            "a.rknn, b.rknn",
            os.getpid(),
        )
        board = running.document()["boards"]["desk"]
        assert (board["doing"], board["left_s"]) == ("b: inference, 3 of 28 blocks", 12.0)
        assert board["ended"] == [run.variant.name]
        assert read_running("/another/store") == []
    assert heard == events
    assert read_running(ADDRESS) == []


def test_a_night_shows_the_cell_of_each_board() -> None:
    with Running("night", "lab.toml", ADDRESS) as running:
        listen = heard_of_night(running, lambda _: None)
        listen(CellBegun("left", "digits", "default"))
        listen(CellBegun("right", "digits", "long"))
        boards = running.document()["boards"]
    assert {name: board["doing"] for name, board in boards.items()} == {
        "left": "digits (default)",
        "right": "digits (long)",
    }


def test_what_was_killed_is_not_shown_and_its_file_goes() -> None:
    folder = running_folder(ADDRESS)
    folder.mkdir(parents=True)
    dead = folder / f"{2**22 + 1}.json"  # beyond any process
    dead.write_text(json.dumps({"schema": SCHEMA, "started_unix_s": 1.0, "boards": {}}))
    (folder / f"{os.getpid()}.json").write_text("{ half")
    assert read_running(ADDRESS) == []
    assert not dead.exists()


def test_where_nothing_can_be_written_nothing_fails(cache: Path) -> None:
    (cache / "rkbench").write_text("in the way")
    with Running("push", "a.rknn", ADDRESS) as running:
        running.tell("desk", "connecting to desk")
        assert running.document()["boards"]["desk"]["doing"] == "connecting to desk"
    assert (cache / "rkbench").read_text() == "in the way"
