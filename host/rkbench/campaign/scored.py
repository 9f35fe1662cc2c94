"""The outputs of a push that is scored: room for them, their pieces as they come, the metrics at its end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rkbench_agent.wire.caveats import caveat
from rkbench_agent.wire.messages import Message
from rkbench_agent.wire.outputs import OutputValues
from rkbench_agent.wire.plan import Plan

from rkbench.campaign.settings import PushOptions
from rkbench.errors import ProtocolError, UsageError
from rkbench.language.said import say
from rkbench.results.collect import Collected
from rkbench.results.events import Listener, Note
from rkbench.units import format_bytes
from rkbench.variants.variant import PreparedVariant

if TYPE_CHECKING:
    from rkbench.scoring.returned import ReturnedOutputs
    from rkbench.scoring.scorer import Scorer


def scorer_for(options: PushOptions, variants: Sequence[PreparedVariant]) -> Scorer | None:
    """Return what scores the outputs, checked against them before anything is sent; None: nothing does.

    Raises UsageError or GoldenError.
    """
    if not options.is_scored:
        return None
    if options.golden is None:
        raise UsageError(
            "--labels and --metric score the outputs of a golden's cases, and there is none",
            hint="--golden FILE.npz, or --onnx MODEL.onnx --inputs DIR",
        )
    from rkbench.scoring.scorer import make_scorer

    scorer = make_scorer(options.golden, options.labels, options.metric)
    for variant in variants:
        scorer.check(variant.outputs, variant.cases)
    return scorer


_NONE_CAME = "the outputs of its cases did not come back"
_OF_VIRTUAL = say(
    "a virtual board has those of recorded inputs, and of what bench run computes: push to a board"
)
_OF_BOARD = say("look at the log: bench push ... --debug")


class Scoring:
    """Takes what an agent returns and scores it; use it in a `with`, which removes the outputs again."""

    def __init__(self, scorer: Scorer | None, plan: Plan, listener: Listener) -> None:
        self._scorer = scorer
        self._stack = ExitStack()
        self._returned: dict[str, ReturnedOutputs] = {}
        if scorer is not None:
            self._make_room(plan, listener)

    def take(self, message: Message) -> None:
        """Take a piece of the outputs; raises ProtocolError for one that nobody asked for."""
        if isinstance(message, OutputValues):
            if message.run not in self._returned:
                raise ProtocolError("outputs that nobody asked for", run=message.run)
            self._returned[message.run].add(message)

    def scored(self, collected: Collected) -> Collected:
        """Return a run with its metrics, or with why it has none; as it is where it ended early."""
        returned = self._returned.get(collected.run.id)
        if self._scorer is None or returned is None or collected.run.failure is not None:
            return collected
        outputs = returned.arrays()
        advice = _OF_VIRTUAL if collected.run.simulated else _OF_BOARD
        metrics = self._scorer.score(outputs) if outputs else self._scorer.unscored(_NONE_CAME, advice)
        doubts = [caveat("not_scored", item.detail, item.advice) for item in metrics if item.detail]
        caveats = (*collected.run.caveats, *doubts)
        return replace(collected, run=replace(collected.run, task_metrics=metrics, caveats=caveats))

    def _make_room(self, plan: Plan, listener: Listener) -> None:
        from rkbench.scoring.returned import ReturnedOutputs

        total = sum(spec.returned_bytes for spec in plan.runs)
        place = tempfile.gettempdir()
        if shutil.disk_usage(place).free < total:
            raise UsageError(
                f"the outputs of all cases are {format_bytes(total)}, more than is free in {place}",
                hint="TMPDIR=/elsewhere bench push ..., or a golden with fewer --cases",
            )
        listener(Note(f"the outputs of all cases come back to be scored: {format_bytes(total)} at most"))
        for spec in plan.runs:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="rkbench-outputs-"))
            self._returned[spec.run] = ReturnedOutputs(spec, Path(folder))

    def __enter__(self) -> Scoring:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
