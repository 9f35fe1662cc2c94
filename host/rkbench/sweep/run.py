"""Drives a sweep: plans, converts, measures what was not measured before, judges, writes the script."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import psutil

from rkbench.boards.model import Board
from rkbench.boards.provider import First, Hold
from rkbench.campaign.compared import compare_collected
from rkbench.campaign.converting import target_of, told
from rkbench.campaign.outcome import Outcome
from rkbench.campaign.push import Expected, run_on_first, with_golden
from rkbench.campaign.settings import SWEEP, PushOptions, check_push
from rkbench.conversion.graphs import counted
from rkbench.conversion.plan import AskedConversions, requests_of
from rkbench.conversion.typed import ConvertOutcome, Delivered, asked_of, deliver_all
from rkbench.errors import BenchError, UsageError
from rkbench.inspection.causes import find_causes
from rkbench.results.collect import Collected
from rkbench.results.events import Doing, Listener, Note, Step
from rkbench.results.measures import GATED, LATENCY_P50
from rkbench.results.ranking import Ranking
from rkbench.rknn import open_model
from rkbench.stats.gates import PASS
from rkbench.store import Store
from rkbench.sweep.asked import SweepOptions, SweepOutcome
from rkbench.sweep.measured import measured_before, with_question
from rkbench.sweep.plan import SweepPlan, plan_sweep, side_by_side
from rkbench.sweep.predicting import predicted
from rkbench.sweep.recipes import NO_CALIBRATION, worth_trying
from rkbench.sweep.script import write_script
from rkbench.sweep.verdict import MeasuredVariant, judge

#: So many take turns where the figure to minimize is a latency: the best by themselves.
FINALISTS = 4


@dataclass(frozen=True)
class Where:
    """Where a sweep measures and what it knows: boards that can serve, how they are held, the store, and
    which board comes first while it measures."""

    found: Sequence[Board]
    hold: Hold
    store: Store
    first: First = nullcontext

    @property
    def names(self) -> frozenset[str]:
        """Return the names of the boards."""
        return frozenset(board.name for board in self.found)


def plan_of(options: SweepOptions, board: Board, listener: Listener) -> tuple[AskedConversions, SweepPlan]:
    """Return what would be built for a board, with predicted sizes; raises UsageError, ToolkitError."""
    target, words = target_of(board), options.words
    if not words.recipe:
        words = replace(words, recipe=worth_trying(target, calibrated=words.is_calibrated))
        if not words.is_calibrated:
            listener(Note(NO_CALIBRATION))
    asked = asked_of(options.onnx, target, words, options.golden)
    requests, left = requests_of(asked)
    listener(Step(f"predicting {counted(len(requests), 'variant')}"))
    return asked, plan_sweep(tuple(predicted(requests)), left, options.gates)


def sweep(options: SweepOptions, where: Where, listener: Listener, *, dry_run: bool = False) -> SweepOutcome:
    """Build, measure and judge the variants of an ONNX; `dry_run` plans alone.

    Raises BenchErrors for what stops it before anything is built. What fails later costs its own variant.
    """
    board = where.found[0]
    check_sweep(options)
    if not dry_run:
        made = with_golden(PushOptions((), golden=options.golden), _expected(options), listener)
        options = replace(options, golden=made.golden)
    asked, plan = plan_of(options, board, listener)
    outcome = SweepOutcome(options, asked.target, plan)
    if dry_run:
        return outcome
    built = _build(asked, plan, options, listener)
    outcome = replace(outcome, failed=built.failed, cause=_cause(built.delivered))
    return _judged(_Measuring(options, where, listener).of(built.delivered, outcome))


def check_sweep(options: SweepOptions) -> None:
    """Raise UsageError for what no push of the variants could do, before anything is built."""
    if options.settings.core_mask == SWEEP:
        raise UsageError("bench sweep runs each variant on one choice of cores", hint="--cores auto, 0, all")
    golden = options.golden or options.onnx  # one of them tells what to expect
    both = (options.onnx, options.onnx)
    check_push(PushOptions(both, options.settings, golden, gates=options.gates, minimize=options.minimize))


def _expected(options: SweepOptions) -> Expected:
    """Return where the golden comes from, where none was given."""
    if options.golden is not None and options.inputs is not None:
        raise UsageError("--inputs are for a golden that is computed, and --golden is given", hint="give one")
    shapes = tuple(options.words.input_shape or ())
    if options.golden is not None:
        return Expected()
    return Expected(options.onnx, options.inputs, shapes, is_converted=True)


def _build(
    asked: AskedConversions, plan: SweepPlan, options: SweepOptions, listener: Listener
) -> ConvertOutcome:
    """Convert what the plan has, as many at once as fit; every finished one is delivered, whatever fails."""
    jobs = options.words.jobs or side_by_side(plan, os.cpu_count() or 1, psutil.virtual_memory().available)
    requests = tuple(each.request for each in plan.variants)
    at_once = f", {jobs} at once" if min(jobs, len(requests)) > 1 else ""
    listener(Doing(f"converting {counted(len(requests), 'variant')}{at_once}"))
    return deliver_all(
        asked, requests, plan.left_out, options.folder, lambda *made: listener(Note(told(*made))), jobs
    )


def _cause(delivered: Sequence[Delivered]) -> str:
    """Return why the first file is as big as it is, in a sentence; "" where nothing was built."""
    if not delivered:
        return ""
    with open_model(delivered[0].path) as model:
        return find_causes(model).sentence


class _Measuring:
    """Runs what was not run before: each variant by itself, then the best in turns for a latency."""

    def __init__(self, options: SweepOptions, where: Where, listener: Listener) -> None:
        self._options, self._where, self._listener = options, where, listener
        self._made = 0
        self._interrupted = False

    def of(self, delivered: Sequence[Delivered], outcome: SweepOutcome) -> SweepOutcome:
        """Return the outcome with the runs of all variants, and their ranking where they took turns."""
        settings = replace(self._options.settings, interleave=False, loads=None, quads=None)
        settings = replace(settings, precision_percent=None)
        alone = self._runs(self._push(delivered, settings), delivered)
        variants = tuple(
            MeasuredVariant(each, alone[each.built.record.rknn_sha256])
            for each in delivered
            if each.built.record.rknn_sha256 in alone
        )
        ranking = None
        finalists = self._finalists(variants)
        if len(finalists) > 1 and not self._interrupted:
            variants, ranking = self._turns(variants, finalists)
        found = replace(outcome, variants=variants, ranking=ranking, measured=self._made)
        return replace(found, interrupted=self._interrupted)

    def _push(self, delivered: Sequence[Delivered], settings: object, minimize: str = "") -> PushOptions:
        options = PushOptions(
            tuple(each.path for each in delivered),
            settings,  # type: ignore[arg-type]
            self._options.golden,
            wait_s=self._options.wait_s or 0.0,
            gates=self._options.gates,
            requirements=self._options.gates,
            minimize=minimize,
        )
        digests = [each.built.record.rknn_sha256 for each in delivered] if minimize else []
        return with_question(options, digests)

    def _runs(self, push: PushOptions, delivered: Sequence[Delivered]) -> dict[str, Collected]:
        """Return the run of each file by its digest: from the store, else made now."""
        known = {}
        for each in delivered:
            digest = each.built.record.rknn_sha256
            before = measured_before(
                self._where.store, digest, self._where.names, push.question, self._options.gates
            )
            if before is not None:
                known[digest] = before
        whole = bool(push.minimize)  # who took turns took them together
        missing = {
            each.built.record.rknn_sha256: each.path
            for each in delivered
            if each.built.record.rknn_sha256 not in known
        }
        if missing and whole:
            missing, known = {each.built.record.rknn_sha256: each.path for each in delivered}, {}
        if known:
            self._listener(Note(f"{len(known)} of {len({**known, **missing})} variants were measured before"))
        if missing:
            outcome = self._run(replace(push, models=tuple(missing.values())))
            known.update({item.run.variant.sha256: item for item in outcome.collected})
        return known

    def _run(self, push: PushOptions) -> Outcome:
        where = self._where
        with where.first(where.found) as found:
            outcome = run_on_first(push, found, where.hold, where.store, self._listener)
        self._made += len(outcome.collected)
        self._interrupted = self._interrupted or outcome.interrupted
        if outcome.store_error is not None:
            raise outcome.store_error
        return outcome

    def _finalists(self, variants: Sequence[MeasuredVariant]) -> tuple[MeasuredVariant, ...]:
        """Return who is to take turns: the fastest of those that keep what is required; none for a size."""
        if GATED[self._options.minimize].statistic is None:
            return ()
        kept = [
            each
            for each in variants
            if each.run.failure is None and all(told.state == PASS for told in each.run.requirements)
        ]
        return tuple(sorted(kept, key=lambda each: LATENCY_P50.value(each.run) or 0.0)[:FINALISTS])

    def _turns(
        self, variants: Sequence[MeasuredVariant], finalists: Sequence[MeasuredVariant]
    ) -> tuple[tuple[MeasuredVariant, ...], Ranking | None]:
        delivered = [each.delivered for each in finalists]
        push = self._push(delivered, self._options.settings, self._options.minimize)
        turns = self._runs(push, delivered)
        ranking = compare_collected(list(turns.values())).ranking
        taken = tuple(
            replace(each, turns=turns.get(each.delivered.built.record.rknn_sha256))
            if each in finalists
            else each
            for each in variants
        )
        return taken, ranking


def _judged(outcome: SweepOutcome) -> SweepOutcome:
    """Return the outcome with its verdict, and the winner's script in its folder."""
    if outcome.interrupted:
        return outcome
    comparison = compare_collected([each.turns or each.alone for each in outcome.variants])
    refused = {each.run: "; ".join(each.reasons) for each in comparison.refused}
    options = outcome.options
    verdict = judge(options.minimize, outcome.variants, outcome.failed, refused, outcome.ranking)
    outcome = replace(outcome, verdict=verdict)
    if (winner := outcome.winner) is None:
        return outcome
    request = next(each.request for each in outcome.plan.variants if each.recipe == winner.recipe)
    folder = winner.delivered.path.with_suffix(".script")
    try:
        return replace(outcome, script=write_script(request, winner.delivered.built.record.key, folder))
    except OSError as error:
        raise BenchError(f"{folder}: {error.strerror}", hint="make room, and run the sweep again") from error
