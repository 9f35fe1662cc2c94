"""What every store does with runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_runs import collected, make_run
from rkbench.errors import StoreError, UsageError
from rkbench.results.history import history_row
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import Failure
from rkbench.store import open_store
from rkbench.store.base import Latest, LatestRun, ResultKey
from rkbench.store.lookup import find_runs

KEY = ResultKey("fp16", "desk", "lite", "auto", "single_stream", False)
OLD, NEW, OTHER = "1qmv0w0v1", "01kazjrv6g3yxqb5d8hn4t2wce", "01kazjrv6gq0f7m2c9s1d4k5w6"


def test_a_run_comes_back_as_it_was(address: str) -> None:
    item = collected(make_run())
    with open_store(address) as store:
        store.save(item)
    with open_store(address) as store:
        assert store.run(item.run.id) == item.run
        assert store.latencies(item.run.id) == item.latencies
        assert store.readings(item.run.id) == list(item.readings)


def test_what_is_not_there_is_none_or_empty(address: str) -> None:
    with open_store(address) as store:
        assert (store.run("1qm"), store.find("1qm"), store.history()) == (None, [], [])
        assert (store.latencies("1qm"), store.readings("1qm")) == (RawLatencies(), [])
        assert (store.mark().last, store.latest()) == (LatestRun(0, ""), {})


def test_a_run_is_saved_once(address: str) -> None:
    with open_store(address) as store:
        store.save(collected(make_run()))
        with pytest.raises(StoreError, match="result store"):
            store.save(collected(make_run()))
        assert len(store.history()) == 1


def test_a_store_that_must_be_there_is_not_made(address: str) -> None:
    with pytest.raises(StoreError, match="no result store at"):
        open_store(address, create=False)
    open_store(address).close()
    open_store(address, create=False).close()


def test_a_store_tells_the_address_that_opens_it(address: str) -> None:
    with open_store(address) as store:
        assert store.address == address


# -- names


@pytest.mark.parametrize("name", [OLD, "1qmv", "1QMV", "0w0v1", NEW, "01kazjrv6g3", "4t2wce", "2WCE"])
def test_the_start_or_the_end_of_a_push_names_it(address: str, name: str) -> None:
    with open_store(address) as store:
        for push in (OLD, NEW, OTHER):
            store.save(collected(make_run(1, push=push)))
            store.save(collected(make_run(2, push=push)))
        push = OLD if name.lower() in OLD else NEW
        assert [run.id for run in find_runs(store, name)] == [f"{push}-01", f"{push}-02"]


@pytest.mark.parametrize("name", [f"{NEW}-02", "4t2wce-02", "ce-02", "2WCE-02"])
def test_a_run_is_named_by_its_push_and_its_number(address: str, name: str) -> None:
    with open_store(address) as store:
        for number in (1, 2):
            store.save(collected(make_run(number, push=NEW)))
        assert [run.id for run in find_runs(store, name)] == [f"{NEW}-02"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("01kazjrv6g", f"fits several pushes: {NEW}, {OTHER}"),
        ("", "no run ''"),
        ("nope", "no run 'nope'"),
        ("last?", "no run"),
        ("-01", "no run"),
        ("4t2wc", "no run"),
        ("4t2wce-03", "no run"),
    ],
)
def test_a_name_that_fits_no_single_push_is_refused(address: str, name: str, words: str) -> None:
    with open_store(address) as store:
        store.save(collected(make_run(1, push=NEW)))
        store.save(collected(make_run(1, push=OTHER)))
        with pytest.raises(UsageError) as caught:
            find_runs(store, name)
    assert words in caught.value.message


def test_last_is_the_push_that_started_last(address: str) -> None:
    with open_store(address) as store:
        with pytest.raises(UsageError, match="no run 'last'"):
            find_runs(store, "last")
        store.save(collected(make_run(1, push="1bbbbbbbb", started_at="2026-11-23T15:00:00.000+00:00")))
        store.save(collected(make_run(1, push="1aaaaaaaa", started_at="2026-11-23T14:00:00.000+00:00")))
        assert [run.id for run in find_runs(store, "last")] == ["1bbbbbbbb-01"]


# -- the history


def test_the_history_has_a_row_of_figures_for_each_run(address: str) -> None:
    broken = make_run(2, failure=Failure("load", "crash", "it crashed"), latency=None, partial=True)
    with open_store(address) as store:
        for run in (make_run(1), broken):
            store.save(collected(run))
        newest, oldest = store.history()
    assert (newest, oldest) == (history_row(broken), history_row(make_run(1)))
    assert (oldest.started_unix_s, oldest.verdict, oldest.failed_stage) == (1_795_442_400.0, "VALID", None)
    assert oldest.measures["latency_p50_s"] == 0.00226
    assert oldest.measures["size_bytes"] == 14_580_397
    assert (newest.failed, newest.partial, newest.failed_stage) == (True, True, "load")
    assert newest.measures["latency_p50_s"] is None


def test_rows_are_asked_for_by_name(address: str) -> None:
    with open_store(address) as store:
        for number in (2, 1, 3):
            store.save(collected(make_run(number)))
        ids = [f"{OLD}-01", "gone", f"{OLD}-02"]
        assert store.rows(ids) == [history_row(make_run(2)), history_row(make_run(1))]
        assert store.known(ids) == {ids[0], ids[2]}
        assert [run.run_id[-2:] for run in store.stored(after=1, limit=9)] == ["01", "03"]
        assert len(store.stored(after=0, limit=2)) == 2


def test_what_is_no_finite_number_is_unknown_in_the_history(address: str) -> None:
    with open_store(address) as store:
        store.save(collected(make_run(throughput_per_s=float("inf"))))
        assert store.history()[0].measures["throughput_per_s"] is None


def test_the_history_is_asked_by_model_digest_and_board(address: str) -> None:
    with open_store(address) as store:
        store.save(collected(make_run(1, "fp16")))
        store.save(collected(make_run(2, "int8")))
        assert [row.run[-2:] for row in store.history()] == ["02", "01"]
        assert [row.run[-2:] for row in store.history(model="int8")] == ["02"]
        assert [row.run[-2:] for row in store.history(model="0" * 63 + "1")] == ["01"]
        assert [row.run[-2:] for row in store.history(model="0" * 6)] == ["02", "01"]
        assert store.history(model="0" * 5) == []
        assert [row.run[-2:] for row in store.history(board="rk3588", limit=1)] == ["02"]
        assert [row.run[-2:] for row in store.history(board="desk", limit=9)] == ["02", "01"]
        assert store.history(board="rk3568") == []


# -- the latest


def test_the_latest_run_is_the_one_stored_last_whatever_its_clock_said(address: str) -> None:
    with open_store(address) as store:
        store.save(collected(make_run(1, started_at="2031-01-01T00:00:00.000+00:00")))
        store.save(collected(make_run(2)))
        last = LatestRun(2, "1qmv0w0v1-02")
        assert store.latest() == {KEY: Latest(last, last)}
        assert store.mark().last == last


def test_a_failed_run_leaves_the_last_success(address: str) -> None:
    good = make_run(1)
    failure = Failure("load", "crash", "it crashed")
    with open_store(address) as store:
        for run in (good, replace(good, id="p-02", failure=failure), replace(good, id="p-03", partial=True)):
            store.save(collected(run))
        assert store.latest() == {KEY: Latest(LatestRun(3, "p-03"), LatestRun(1, good.id))}
        assert store.latest(after=1) == {KEY: Latest(LatestRun(3, "p-03"), None)}
        assert store.latest(after=3) == {}


def test_the_baseline_of_a_night_is_the_latest_run_of_nothing(address: str) -> None:
    night, beside = make_run(1), make_run(2)
    with open_store(address) as store:
        store.save(collected(night))
        store.save(collected(replace(beside, variant=replace(beside.variant, is_baseline=True))))
        assert store.latest() == {KEY: Latest(LatestRun(1, night.id), LatestRun(1, night.id))}
        assert [row.beside for row in store.history()] == [True, False]
        assert store.mark().last.position == 2


def test_simulated_runs_are_a_series_of_their_own_and_told_only_if_asked_for(address: str) -> None:
    with open_store(address) as store:
        store.save(collected(make_run(1)))
        store.save(collected(make_run(2, simulated=True)))
        assert set(store.latest()) == {KEY}
        assert set(store.latest(simulated=True)) == {KEY, KEY._replace(simulated=True)}


def test_a_mark_names_the_store(address: str, other: str) -> None:
    with open_store(address) as store, open_store(other) as beside:
        before = store.mark()
        store.save(collected(make_run(1)))
        assert store.mark().store == before.store
        assert store.mark().store != beside.mark().store
