"""Drives a campaign: messages in, runs into the store, events out."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.messages import Message, Refused
from rkbench_agent.wire.plan import Plan
from rkbench_agent.wire.words import VIRTUAL

from rkbench.boards.health import note_health
from rkbench.boards.held import Hold
from rkbench.boards.model import Board
from rkbench.campaign.ahead import load_ahead
from rkbench.campaign.askable import check_outputs_named
from rkbench.campaign.beside import beside, prepare_other
from rkbench.campaign.board_fit import with_fit
from rkbench.campaign.check import PushChecks, check_clock, check_for_push
from rkbench.campaign.compared import check_baseline, compare_collected
from rkbench.campaign.core_sweep import core_masks
from rkbench.campaign.demands import complete_settings
from rkbench.campaign.describe import name_layers, notes_of
from rkbench.campaign.duration import Forecast, Known, unknown
from rkbench.campaign.failure import (
    UNANSWERED,
    add_doctor,
    describe_cut,
    describe_interrupt,
    late_refusal,
    refusal,
)
from rkbench.campaign.foretelling import Foretelling, with_outputs
from rkbench.campaign.interfaces import Conversation, Prepare, Saver
from rkbench.campaign.outcome import Outcome
from rkbench.campaign.plan import Place, make_headers, make_plan, runtime_of
from rkbench.campaign.rate_search import hearer_of
from rkbench.campaign.scored import Scoring, scorer_for
from rkbench.campaign.settings import PushOptions, check_push
from rkbench.campaign.stopping import NewStop, PlanEnd, Precise, Stop, may_end_early
from rkbench.campaign.telling import Telling
from rkbench.campaign.upload import upload
from rkbench.catalogue.check import Check
from rkbench.errors import ConnectionLostError, ProtocolError, StoreError
from rkbench.interrupts import HeldInterrupts
from rkbench.results.caveats import golden_caveats
from rkbench.results.collect import Collected, Collector
from rkbench.results.events import Doing, Ended, Hear, Listener, Note, Step, deaf, ignore
from rkbench.results.gating import with_requirements
from rkbench.results.ids import new_push_id
from rkbench.results.model import Failure, RunResult
from rkbench.results.names import run_names
from rkbench.variants.preflight import check_soc
from rkbench.variants.variant import PreparedVariant, beside_itself, prepare_variants

#: Boards of a night whose runs end at the same moment go on one by one, each once its own is summed up: would
#: all be summed up at once, all would stand still until the last is.
_ONE_AT_A_TIME = Lock()


def run_campaign(
    options: PushOptions,
    board: Board,
    connect: Callable[[], AbstractContextManager[Conversation]],
    store: Saver,
    listener: Listener = ignore,
    *,
    unix_s: Callable[[], float] = time.time,
    new_id: Callable[[float], str] = new_push_id,
    prepare: Prepare = prepare_variants,
    new_stop: NewStop = Precise,
    known: Known = unknown,
    hear: Hear = deaf,
) -> Outcome:
    """Push and run the models of `options` on `board`, and return what they yielded.

    `prepare` reads the models, `new_stop` makes the rule of when enough is known, `known` tells what a model
    costs, `hear` takes every message and must not wait. Raises BenchErrors for what stops it before anything
    was measured; what fails later is in the runs.
    """
    check_push(options)
    listener(Step(f"checking {_count(len(options.models), 'model')}", len(options.models)))
    variants, other = _prepared(options, board, prepare, listener)
    for told in notes_of(options, variants):
        listener(Note(told))
    scorer = scorer_for(options, variants)
    variants = beside_itself(variants) if options.noise_floor else variants
    listener(Step(f"connecting to {board.name}"))
    foretold = Foretelling(variants, other, options.settings, board)
    with connect() as session:
        costs = [known(variant.model.sha256) for variant in variants]
        settings = complete_settings(options, session.environment, listener, costs)
        options = replace(options, settings=settings)
        checks = _check_board(options, board, session.environment, (*variants, *other), listener)
        transfers = upload(session, (*variants, *other), listener)[: len(variants)]
        variants, other = foretold.end(listener)
        push = new_id(unix_s())
        place = with_fit(Place(board, session.hello, session.environment, push, unix_s()), settings, listener)
        doubts = [_doubts(variant, checks) for variant in variants]
        masks = core_masks(settings, session.environment, listener)
        asked = (options.minimize, options.question)
        headers = beside(make_headers(settings, place, variants, transfers, doubts, masks, *asked), other)
        plan = make_plan(options, board, headers, variants, *other)
        models = {variant.model.sha256: variant.model.path for variant in variants}
        forecast = Forecast(plan, known, listener, virtual=plan.settings.runtime == VIRTUAL)
        rule = new_stop if may_end_early(settings) else PlanEnd
        with Scoring(scorer, plan, listener) as scoring:
            after = _After(board, session.environment, connect, checks.fails, models, options, scoring)
            runner = _Runner(options.baseline, store, listener, headers, after, hear)
            return runner.run(session, plan, rule(plan.settings), forecast)


def _prepared(
    options: PushOptions, board: Board, prepare: Prepare, listener: Listener
) -> tuple[tuple[PreparedVariant, ...], tuple[PreparedVariant, ...]]:
    """Return the variants, and the model that is to run beside them, if one is."""
    variants = prepare(options.models, golden=options.golden, soc=board.soc, force=options.force)
    check_baseline(options.baseline, [variant.description.name for variant in variants])
    check_outputs_named(options.requirements, variants)
    other = prepare_other(options, board, variants, prepare, listener)
    if runtime_of(options.settings, board) == VIRTUAL:
        variants, other = with_outputs(variants, listener), with_outputs(other, listener)
    return variants, other


def _doubts(variant: PreparedVariant, checks: PushChecks) -> tuple[Caveat, ...]:
    return (*checks.of(variant.file.path.name), *golden_caveats(variant.golden_assumptions))


@dataclass(frozen=True)
class _After:
    """What is needed once a run has ended: to explain a failure (see `failure`), to name its layers."""

    board: Board
    environment: Environment
    connect: Callable[[], AbstractContextManager[Conversation]]
    fails: Sequence[Check]
    models: Mapping[str, Path]
    options: PushOptions
    scoring: Scoring


class _Runner:
    def __init__(
        self,
        baseline: str | None,
        store: Saver,
        listener: Listener,
        headers: Sequence[RunResult],
        after: _After,
        hear: Hear,
    ) -> None:
        self._after = after
        self._hear = hear
        self._baseline = baseline
        self._store = store
        self._listener = listener
        self._names = run_names(headers)
        self._telling = Telling(headers[0].board.name, self._names)
        self._collector = Collector(headers)
        self._ended: dict[str, Collected] = {}
        self._begun = False
        self._store_error: StoreError | None = None

    def run(self, session: Conversation, plan: Plan, stop: Stop, forecast: Forecast) -> Outcome:
        """Run the plan; whatever ends it, what was measured is saved."""
        noun = "variant" if len({spec.core_mask for spec in plan.runs}) == 1 else "run"
        forecast.begin(_count(len(plan.runs), noun))
        hearer = hearer_of(plan.settings, session, stop, self._tell_of_run)
        load_ahead()
        interrupts = HeldInterrupts()
        hold = Hold(self._after.board, self._after.options.reason)
        try:
            with interrupts.heard():
                for message in session.run(plan):
                    hold.take(message)
                    with interrupts.held():  # half a batch of latencies is none, half a save is a lost run
                        self._take(message)
                    forecast.take(message)
                    hearer.take(message)
            self._end_rest(UNANSWERED)
            note_health(self._after.board, None)
        except (ConnectionLostError, ProtocolError) as error:
            note_health(self._after.board, error.message)
            self._end_rest(describe_cut(error, self._after.environment.boot_id, self._after.connect))
        except KeyboardInterrupt as error:
            with contextlib.suppress(ConnectionLostError):
                session.cancel()
            self._end_rest(describe_interrupt(error))
            return self._outcome(interrupted=True)
        finally:
            held_s = hold.end()
        return replace(self._outcome(interrupted=False), held_s=held_s, hold_ended_s=hold.ended_s)

    def _take(self, message: Message) -> None:
        self._hear(message)
        if isinstance(message, Refused):
            raise refusal(message) if not self._begun else late_refusal(message)
        self._begun = self._begun or getattr(message, "run", None) in self._names
        for event in self._telling.events(message):
            self._listener(event)
        self._after.scoring.take(message)
        ended = self._collector.add(message)
        if ended is not None:
            self._save(self._result(ended))

    def _result(self, run_id: str, failure: Failure | None = None) -> Collected:
        with _ONE_AT_A_TIME:
            return self._collector.result(run_id, failure)

    def _tell_of_run(self, run: str, text: str) -> None:
        self._listener(self._telling.of_run(run, text))

    def _end_rest(self, failure: Failure) -> None:
        """Save every run that is not saved yet; those that have not ended with why they did not."""
        unfinished = self._collector.unfinished()
        for run_id in self._names:
            if run_id not in self._ended:
                self._save(self._result(run_id, failure if run_id in unfinished else None))

    def _save(self, collected: Collected) -> None:
        """Save one run. A store that refuses must not cost what is still to be measured: told at the end."""
        named = name_layers(add_doctor(collected, self._after.fails), self._after.models)
        scored = self._after.scoring.scored(named)
        collected = with_requirements(scored, self._after.options.requirements)
        try:
            self._store.save(collected)
        except StoreError as error:
            self._store_error = error
            self._listener(Note(f"not saved: {error.message}"))
        self._ended[collected.run.id] = collected
        self._listener(Ended(collected.run))

    def _outcome(self, *, interrupted: bool) -> Outcome:
        collected = tuple(self._ended[run_id] for run_id in self._names)
        self._listener(Doing(f"comparing {_count(len(collected), 'run')}"))
        comparison = compare_collected(collected, self._baseline)
        return Outcome(collected, comparison, interrupted, self._store_error)


def _check_board(
    options: PushOptions,
    board: Board,
    environment: Environment,
    variants: Sequence[PreparedVariant],
    listener: Listener,
) -> PushChecks:
    """Tell what speaks against the board; raises ModelError or UsageError for what cannot run on it."""
    check_clock(environment, board.name, options.settings.npu_clock_hz)
    for variant in variants:
        note = check_soc(variant.file, environment.soc or board.soc, force=options.force)
        if note:
            listener(Note(note))
    files = [variant.file for variant in variants]
    checks = check_for_push(
        environment, board, runtime_of(options.settings, board), files, force=options.force
    )
    for note in checks.notes:
        listener(Note(note))
    return checks


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
