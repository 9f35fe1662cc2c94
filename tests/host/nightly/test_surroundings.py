"""What changes around a night: the hour of its computer, and its suite while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from fake_boards import FakeSession
from night_lab import DEMO
from rkbench.nightly.begin import Terms, begin
from rkbench.nightly.run import run_suite
from rkbench.results.night import CellBegun, Night, NightEvent
from rkbench.store import open_store
from rkbench.views.nightly.junit import render_junit
from rkbench.views.nightly.markdown import render_markdown

#: When summer time ended, and began, in Berlin: 3 o'clock became 2, and 2 o'clock 3.
CHANGES = [datetime(2026, 10, 25, 1, tzinfo=timezone.utc), datetime(2026, 3, 29, 1, tzinfo=timezone.utc)]
HOUR_S = 3600.0


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize("change", CHANGES, ids=["ends", "begins"])
def test_a_night_over_a_change_of_summer_time_is_as_old_as_it_is(change: datetime, tmp_path: Path) -> None:
    """By the clock on the wall it would be an hour older or younger than it is."""
    began_s = change.timestamp() - HOUR_S / 2
    wall = [time.localtime(change.timestamp() + shift * HOUR_S / 2).tm_hour for shift in (-1, 1)]
    assert wall in ([2, 2], [1, 3])

    with open_store(tmp_path / "results.sqlite") as store:

        def at(after_hours: float) -> Night:
            return begin("lab", "f", store, Terms(), lambda: began_s + after_hours * HOUR_S)

        first = at(0)
        assert at(1).id == first.id
        assert at(11.75).id == first.id
        later = at(12.25)
        assert later.id != first.id
        assert store.nights(suite="lab", limit=2) == [later.id, first.id]


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize("change", CHANGES, ids=["ends", "begins"])
def test_reports_date_a_night_by_utc_whatever_the_wall_says(change: datetime) -> None:
    told = []
    for shift_s in (-HOUR_S / 2, HOUR_S / 2):
        night = Night("night-01kazjrv6g3yxqb5d8hn4t2wce", "lab", "f", change.timestamp() + shift_s)
        told.append((render_markdown(night), render_junit(night)))
    day = f"{change:%Y-%m-%d}"
    for (markdown, junit), clock in zip(told, ("00:30:00", "01:30:00"), strict=True):
        assert f"{day} {clock} UTC" in markdown
        assert f"{day}T{clock}+00:00" in str(junit)


def test_a_suite_that_is_edited_meanwhile_is_measured_as_it_was_and_not_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rkbench.session.Sessions.open", lambda _, board: FakeSession(board))
    suite, store = tmp_path / "suite.toml", tmp_path / "results.sqlite"
    (tmp_path / "bench.toml").write_text('[boards.desk]\nhost = "virtual"\nsoc = "rk3588"\n')
    files = [str(DEMO / f"digits.regrouped.{kind}.rknn") for kind in ("fp16", "int8")]
    before = f'name = "lab"\nboards = ["desk"]\ngates = ["size <= 10MB"]\n[[models]]\nfiles = {files}\n'
    suite.write_text(before)

    def run(hear: Callable[[NightEvent], None]) -> Night:
        return run_suite(suite, hear, Terms(), store=str(store), inventory=tmp_path / "bench.toml")

    def edit(event: NightEvent) -> None:
        if isinstance(event, CellBegun):
            suite.write_text(before.replace("size <= 10MB", "size <= 1kB"))

    night = run(edit)
    assert [cell.variant for cell in night.cells] == ["digits.regrouped.fp16", "digits.regrouped.int8"]
    assert {gate.gate for cell in night.cells for gate in cell.gates} == {"size <= 10MB"}
    again = run(lambda _: None)
    assert (again.id == night.id, again.fingerprint == night.fingerprint) == (False, False)
    assert {gate.gate for cell in again.cells for gate in cell.gates} == {"size <= 1kB"}
