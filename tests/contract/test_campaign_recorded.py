"""The campaign on recorded conversations: what is stored, told and compared, whatever ends it."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from recorded import FIRST, MODELS, PUSH, SECOND, UNIX_S, RecordedSession, connecting, read_recording
from rkbench.boards.model import Board
from rkbench.campaign import Outcome, PushOptions, run_campaign
from rkbench.campaign.interfaces import Saver
from rkbench.decoding.messages import decode
from rkbench.errors import (
    BoardBusyError,
    ConnectionLostError,
    ModelError,
    ProtocolError,
    StoreError,
    UsageError,
)
from rkbench.results.collect import Collected
from rkbench.results.events import Ended, Event, Note, Sending, Waiting
from rkbench.results.records import TransferRecord
from rkbench.store import Store, open_store
from rkbench.store.lookup import find_runs
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.messages import BoardCaveat, Latencies, Locked, Refused
from rkbench_agent.wire.plan import RunSettings

BOARD = Board("virtual", "", soc="rk3588", simulated=True, runtime="virtual")
ORDER = PushOptions(MODELS, RunSettings(min_duration_s=0.0, min_iterations=300))


def run(
    session: RecordedSession, store: Saver, order: PushOptions = ORDER, board: Board = BOARD
) -> tuple[Outcome, list[Event]]:
    events: list[Event] = []
    outcome = run_campaign(
        order,
        board,
        connecting(session),
        store,
        events.append,
        unix_s=lambda: UNIX_S,
        new_id=lambda _: PUSH,
    )
    return outcome, events


@pytest.fixture
def store(tmp_path: Path) -> Store:
    opened = open_store(tmp_path / "results.sqlite")
    yield opened  # type: ignore[misc]
    opened.close()


def test_every_run_is_stored_with_its_latencies(store: Store) -> None:
    outcome, _ = run(RecordedSession(read_recording("two_variants")), store)
    assert [run.id for run in find_runs(store, "last")] == [FIRST, SECOND]
    assert [len(store.latencies(run.id).timed()) for run in outcome.runs] == [300, 300]
    assert len(store.latencies(FIRST).duration_ns) == 305
    assert not outcome.failed


@dataclass(frozen=True)
class Interrupted(Latencies):
    """A batch in whose middle Ctrl-C is pressed: once its durations are taken over, before its stages are."""

    pressed: list[str] = field(default_factory=list)

    def __getattribute__(self, name: str) -> Any:
        if name == "set_inputs_ns" and not self.pressed:
            self.pressed.append("Ctrl-C")
            signal.raise_signal(signal.SIGINT)
        return super().__getattribute__(name)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_in_the_middle_of_a_batch_loses_nothing_of_it(store: Store) -> None:
    messages = read_recording("two_variants")
    batches = [(place, batch) for place, batch in enumerate(messages) if isinstance(batch, Latencies)]
    place, batch = batches[3]
    messages[place] = interrupted = Interrupted(**vars(batch))
    outcome, _ = run(RecordedSession(messages), store)
    assert (interrupted.pressed, outcome.interrupted) == (["Ctrl-C"], True)
    counted = sum(len(each.duration_ns) for _, each in batches[:4] if each.run == batch.run)
    stored = store.latencies(batch.run)
    assert [len(stored.duration_ns), len(stored.run_ns)] == [counted, counted]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)  # heard at once again


def test_the_plan_names_models_and_cores(store: Store) -> None:
    session = RecordedSession(read_recording("two_variants"))
    run(session, store, replace(with_settings(core_mask="0-1", warmup_iterations=7), wait_s=60.0))
    plan = session.plans[0]
    assert [spec.name for spec in plan.runs] == ["digits.regrouped.fp16", "digits.regrouped.int8"]
    assert [spec.inputs[0].shape for spec in plan.runs] == [[1, 32, 32, 1], [1, 32, 32, 1]]
    assert (plan.settings.core_mask, plan.settings.warmup_iterations, plan.settings.min_iterations) == (
        "0-1",
        7,
        300,
    )
    assert (plan.lock_wait_s, plan.settings.runtime) == (60.0, "virtual")


def test_a_crash_costs_only_its_own_run(store: Store) -> None:
    outcome, _ = run(RecordedSession(read_recording("crash")), store)
    good, bad = outcome.runs
    assert (good.failure, good.latency and good.latency.count) == (None, 100)
    assert bad.failure is not None
    assert (bad.failure.stage, bad.failure.reason, bad.failure.signal) == ("inference", "crash", "SIGSEGV")
    assert bad.failure.log_tail == ("E RKNN: failed to submit!",)
    assert (bad.partial, bad.latency and bad.latency.count) == (True, 50)
    assert outcome.comparison.refused[0].reasons == ("the run ended early, in stage inference",)
    assert outcome.failed


def test_a_cut_line_leaves_partial_runs(store: Store) -> None:
    messages = read_recording("two_variants")
    enough = 2 + [isinstance(item, Latencies) and not item.warmup for item in messages[2:]].index(True)
    lost = ConnectionLostError("board 'virtual': the line broke off")
    outcome, events = run(RecordedSession(messages, enough - 1, lost), store)
    stored = find_runs(store, "last")
    assert [run.partial for run in stored] == [True, True]
    assert [run.failure and run.failure.stage for run in stored] == ["connection", "connection"]
    assert [run.failure and run.failure.message for run in stored] == [lost.message, lost.message]
    assert [run.latency and run.latency.count for run in stored] == [50, None]
    assert stored[0].outputs[0].case_count == 2
    assert stored == list(outcome.runs)
    assert [type(event) for event in events if isinstance(event, Ended)] == [Ended, Ended]


@pytest.mark.parametrize(
    "said", [b'{"type":"Latencies","run":"a"}', b'{"type":"Reading","time_ns":NaN}', b"Bus error"]
)
def test_nonsense_ends_the_runs_and_keeps_what_they_had(store: Store, said: bytes) -> None:
    messages = read_recording("two_variants")
    warm = [isinstance(item, Latencies) for item in messages].index(True)
    with pytest.raises(ProtocolError) as caught:
        decode(said)
    outcome, _ = run(RecordedSession(messages, warm, caught.value), store)
    assert find_runs(store, "last") == list(outcome.runs)
    assert outcome.runs[0].outputs[0].case_count == 2
    failure = outcome.runs[-1].failure
    assert failure is not None
    assert (failure.stage, failure.message) == ("connection", caught.value.message)


def test_what_a_cut_virtual_run_does_not_know_has_no_provenance(store: Store) -> None:
    messages = read_recording("two_variants")
    outcome, _ = run(RecordedSession(messages, 40, ConnectionLostError("cut")), store)
    assert outcome.runs[0].provenance.latency == "predicted"
    assert outcome.runs[0].provenance.outputs is None
    assert outcome.runs[1].simulated


def test_ctrl_c_cancels_and_keeps_what_there_is(store: Store) -> None:
    session = RecordedSession(read_recording("two_variants"), 45, KeyboardInterrupt())
    outcome, _ = run(session, store)
    assert outcome.interrupted
    assert session.cancelled
    stored = find_runs(store, "last")
    assert [run.partial for run in stored] == [True, True]
    assert stored[0].failure is not None
    assert stored[0].failure.message == "interrupted by Ctrl-C; what was measured before it is kept"
    assert stored[0].verdict == "STOPPED"


def test_an_agent_that_ends_without_a_word_on_a_run_is_a_failure(store: Store) -> None:
    outcome, _ = run(RecordedSession(read_recording("two_variants"), 10), store)
    assert [run.failure and run.failure.message for run in outcome.runs] == [
        "the agent ended the plan without a word on this run"
    ] * 2


def test_a_held_board_is_told_then_refused(store: Store) -> None:
    hello, environment, *_ = read_recording("crash")
    waiting = Locked("anna@desk (process 7)", None, 3.5)
    refused = Refused("busy", "the board is held by anna@desk (process 7)", "try again later")
    session = RecordedSession([hello, environment, waiting, refused])
    events: list[Event] = []
    with pytest.raises(BoardBusyError, match="held by anna@desk"):
        run_campaign(ORDER, BOARD, connecting(session), store, events.append)
    assert Waiting("anna@desk (process 7)", 3.5) in events
    assert store.history() == []


def test_a_refusal_in_the_middle_of_a_plan_keeps_what_was_measured(store: Store) -> None:
    messages = read_recording("two_variants")
    enough = 3 + [isinstance(item, Latencies) and not item.warmup for item in messages].index(True)
    session = RecordedSession([*messages[:enough], Refused("bad_input", "no such scenario")])
    outcome, _ = run(session, store)
    assert find_runs(store, "last") == list(outcome.runs)
    assert outcome.runs[0].latency is not None
    assert [run.failure and (run.failure.stage, run.failure.message) for run in outcome.runs] == [
        ("connection", "the agent refused the plan while it ran: no such scenario")
    ] * 2


def test_what_the_agent_doubts_of_the_board_is_told_and_stored(store: Store) -> None:
    hello, environment, *messages = read_recording("two_variants")
    doubt = Caveat("clocks_not_restored", "restored the clocks ...; not: governor", "reboot the board")
    outcome, events = run(RecordedSession([hello, environment, BoardCaveat(doubt), *messages]), store)
    assert Note("agent: restored the clocks ...; not: governor") in events
    assert [doubt in find_runs(store, run.id)[0].caveats for run in outcome.runs] == [True, True]
    assert {run.verdict for run in outcome.runs} == {"SUSPECT"}


def test_uploads_are_told_by_the_names_the_user_knows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    session = RecordedSession(read_recording("two_variants"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(Path(store.address).parent))
    order = replace(ORDER, golden=MODELS[0].parent / "golden.npz")
    _, events = run(session, store, order)
    names = [event.name for event in events if isinstance(event, Sending)]
    assert names[:3] == ["digits.regrouped.fp16.rknn", "golden.npz", "digits.regrouped.fp16.replay.npz"]


class FullStore:
    """A store whose disk is full."""

    def save(self, collected: Collected) -> None:
        raise StoreError("result store: database or disk is full", hint="make room")


def test_a_store_that_refuses_does_not_cost_the_measurement() -> None:
    outcome, events = run(RecordedSession(read_recording("two_variants")), FullStore())
    assert [run.failure for run in outcome.runs] == [None, None]
    assert outcome.store_error is not None
    assert Note("not saved: result store: database or disk is full") in events


def test_a_model_of_another_soc_is_named_before_anything_is_sent(store: Store) -> None:
    session = RecordedSession(read_recording("two_variants"))
    session.environment = replace(session.environment, soc="rk3568")
    with pytest.raises(ModelError, match=r"compiled for rk3588 \(RKNPU v2\), the board is an rk3568"):
        run(session, store, board=replace(BOARD, soc=None))
    assert session.uploaded == []


def test_force_sends_it_all_the_same(store: Store) -> None:
    session = RecordedSession(read_recording("two_variants"))
    session.environment = replace(session.environment, soc="rk3568")
    outcome, events = run(session, store, replace(ORDER, force=True), replace(BOARD, soc=None))
    assert [event.text for event in events if isinstance(event, Note)] == [
        f"{path.name} is compiled for rk3588 (RKNPU v2), the board is an rk3568 (RKNPU lite);"
        " sent all the same (--force)"
        for path in MODELS
    ]
    assert not outcome.failed


def test_the_named_baseline_is_the_one(store: Store) -> None:
    order = replace(ORDER, baseline="digits.regrouped.int8")
    outcome, _ = run(RecordedSession(read_recording("two_variants")), store, order)
    assert outcome.comparison.baseline == SECOND


def with_settings(**values: Any) -> PushOptions:
    return replace(ORDER, settings=replace(ORDER.settings, **values))


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (with_settings(scenario="burst"), "scenario 'burst' is not there: single_stream"),
        (with_settings(core_mask="3"), "no core mask '3'"),
        (with_settings(min_iterations=0), "iterations 0: must be 1 or more"),
        (replace(ORDER, baseline="nobody"), "no variant 'nobody' for --baseline"),
        (replace(ORDER, models=()), "no model given"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(store: Store, order: PushOptions, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        run(RecordedSession(read_recording("two_variants")), store, order)


def test_a_file_that_is_named_twice_was_sent_once(store: Store) -> None:
    order = replace(ORDER, models=(MODELS[0], MODELS[0]))
    outcome, _ = run(RecordedSession(read_recording("two_variants")), store, order)
    size = MODELS[0].stat().st_size
    assert [run.transfer for run in outcome.runs] == [
        TransferRecord(size, size, False, 0.5),
        TransferRecord(size, 0, True, 0.0),
    ]


@pytest.mark.parametrize(
    ("name", "shown"),
    [(b"new\nline\x1b[2J.rknn", "new\\nline\\x1b[2J"), (b"gr\xfc\xdfe.rknn", "gr\\udcfc\\udcdfe")],
)
def test_any_name_of_a_file_can_be_stored_and_shown(
    store: Store, tmp_path: Path, name: bytes, shown: str
) -> None:
    odd = tmp_path / os.fsdecode(name)
    odd.symlink_to(MODELS[0].resolve())
    outcome, _ = run(
        RecordedSession(read_recording("two_variants")), store, replace(ORDER, models=(odd, MODELS[1]))
    )
    assert outcome.runs[0].variant.name == shown
    assert find_runs(store, outcome.runs[0].id)[0].variant.name == shown
