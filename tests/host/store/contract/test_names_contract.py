"""What a name means in every store: the last push, a tag, a night, a day; and what tags do."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from made_runs import collected, make_run
from rkbench.errors import StoreError, UsageError
from rkbench.results.night import CellResult, Night
from rkbench.store import Store, open_store
from rkbench.store.base import RunTag
from rkbench.store.lookup import find_ids, find_night, find_runs, named_runs

OLD, NEW = "01kazk00000000000000000abc", "01kazk00000000000000000xyz"
NIGHT = "night-01kazjrv6g3yxqb5d8hn4t2wce"


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this computer lie in Greenwich."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def store(address: str, utc: None) -> Iterator[Store]:
    """Two pushes of two variants, a week apart."""
    with open_store(address) as opened:
        for push, day in ((OLD, 19), (NEW, 26)):
            for number, name in ((1, "fp16"), (2, "int8")):
                started = f"2026-11-{day}T23:30:00.000+00:00"
                opened.save(collected(make_run(number, name, push=push, started_at=started)))
        yield opened


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("last", [f"{NEW}-01", f"{NEW}-02"]),
        ("last~0", [f"{NEW}-01", f"{NEW}-02"]),
        ("last~1", [f"{OLD}-01", f"{OLD}-02"]),
        ("last~2", []),
        ("xyz", [f"{NEW}-01", f"{NEW}-02"]),
        ("abc-2", [f"{OLD}-02"]),
        ("2026-11-19", [f"{OLD}-01", f"{OLD}-02"]),
        ("2026-11-20", []),
        ("nothing", []),
    ],
)
def test_a_name_means_runs(store: Store, name: str, found: list[str]) -> None:
    assert find_ids(store, name) == found


def test_a_day_is_one_of_this_computers_time_zone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "CET-1")
    time.tzset()
    assert find_ids(store, "2026-11-19") == []
    assert find_ids(store, "2026-11-20") == [f"{OLD}-01", f"{OLD}-02"]


def test_what_is_no_day_is_said(store: Store) -> None:
    with pytest.raises(UsageError, match="2026-13-45 is no day"):
        find_runs(store, "2026-13-45")


def test_a_tag_means_its_runs_of_any_push(store: Store) -> None:
    store.save_tags([RunTag(f"{push}-01", "good", "why", 1000.0) for push in (OLD, NEW)])
    assert [run.id for run in find_runs(store, "good")] == [f"{OLD}-01", f"{NEW}-01"]
    store.save_tags([RunTag(f"{OLD}-01", "good", "another reason", 2000.0)])
    assert [(item.run, item.note) for item in store.tags("good")] == [
        (f"{OLD}-01", "another reason"),
        (f"{NEW}-01", "why"),
    ]
    assert store.remove_tag("good", [f"{OLD}-01", f"{OLD}-02"]) == 1
    assert [item.run for item in store.tags()] == [f"{NEW}-01"]
    assert store.tags("bad") == []


def test_a_tag_of_no_run_is_refused(store: Store) -> None:
    with pytest.raises(StoreError):
        store.save_tags([RunTag(f"{OLD}-01", "x", "", 0.0), RunTag("gone", "x", "", 0.0)])
    assert store.tags() == []


def test_a_night_means_the_runs_that_it_judged(store: Store) -> None:
    night = Night(NIGHT, "lab", "f", 1000.0)
    store.save_night(night)
    runs = [collected(make_run(number, push="01kazk00000000000000000qqq")) for number in (1, 2, 3)]
    ids = [item.run.id for item in runs]
    store.save_cell(
        night, 0, CellResult("m", "fp16", "desk", "p", runs=tuple(ids), beside=(ids[0], ids[2])), runs
    )
    for name in (NIGHT, "night", "night~0", "night-4t2wce"):
        assert find_ids(store, name) == [ids[1]]
    assert {row.run: row.night for row in store.history(model="fp16")} == {
        **dict.fromkeys(ids, NIGHT),
        f"{OLD}-01": None,
        f"{NEW}-01": None,
    }
    with pytest.raises(UsageError, match="no night 'night~1'"):
        find_night(store, "night~1")


def test_the_history_is_asked_by_patterns_and_time(store: Store) -> None:
    def told(**asked: object) -> list[str]:
        return [row.run[-6:] for row in store.history(**asked)]  # type: ignore[arg-type]  # as named

    assert told(model="fp*") == ["xyz-01", "abc-01"]
    assert told(model="*p*", limit=1) == ["xyz-01"]
    assert told(model="FP*") == []
    assert told(board="d?s[jk]", model="int8") == ["xyz-02", "abc-02"]
    assert told(since_unix_s=1795305600.0) == ["xyz-02", "xyz-01"]
    assert told(before_unix_s=1795305600.0) == ["abc-02", "abc-01"]


def test_pushes_come_by_time(store: Store) -> None:
    assert store.pushes() == [NEW, OLD]
    assert store.pushes(limit=1, skip=1) == [OLD]


def test_a_night_that_is_not_there_is_told_with_what_shows_those_that_are(store: Store) -> None:
    with pytest.raises(UsageError, match="no night 'lst'") as caught:
        find_night(store, "lst")
    assert caught.value.hint == "run one: bench nightly SUITE.toml"
    store.save_night(Night(NIGHT, "lab", "f", 1000.0))
    with pytest.raises(UsageError, match="no night 'lst'") as caught:
        find_night(store, "lst")
    assert caught.value.hint == "bench nights lists them; the newest is called last"


def test_runs_are_read_as_they_are_asked_for_in_the_order_of_storing(store: Store) -> None:
    found = named_runs(store, ())
    assert next(found).id == f"{OLD}-01"
    store.remove([f"{NEW}-01"], raw_only=False)  # it was not read yet
    assert [run.id for run in found] == [f"{OLD}-02", f"{NEW}-02"]


def test_a_name_of_several_that_means_nothing_is_told_before_any_run_is_read(store: Store) -> None:
    with pytest.raises(UsageError, match="no run 'nothing'"):
        named_runs(store, ("last", "nothing"))
