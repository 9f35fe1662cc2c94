"""A part of a network, converted and run: what it needs, and how a board answers it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from rkbench.bisect.asked import BisectOptions, Probe
from rkbench.bisect.cuts import Part
from rkbench.bisect.judging import check_failure, errors_of
from rkbench.boards.model import Board
from rkbench.campaign.converting import told
from rkbench.campaign.run import run_campaign
from rkbench.campaign.settings import PushOptions
from rkbench.conversion.build import Built, build, deliver
from rkbench.conversion.plan import requests_of
from rkbench.conversion.typed import asked_of
from rkbench.errors import UsageError
from rkbench.results.events import Listener, Note
from rkbench.session import Sessions
from rkbench.stats.gates import Gate
from rkbench.store import Store


@dataclass(frozen=True)
class PreparedPart:
    """A part as an ONNX of its own, with what onnxruntime makes of it.

    `has_own_inputs`: its inputs are inside of the network; integers are calibrated on those of its golden.
    """

    part: Part
    layers: int
    name: str
    onnx: Path
    golden: Path
    has_own_inputs: bool = False


class Prober(Protocol):
    """Whoever can run a part of a network."""

    def probe(self, prepared: PreparedPart) -> Probe:
        """Return what a part did; raises ConversionError where it cannot be converted."""


@dataclass(frozen=True)
class BoardProber:
    """Converts parts by a recipe, pushes them to a board, and reads both sides of their errors.

    `folder` takes the converted files, `sessions` hold the board from the first part on.
    """

    options: BisectOptions
    gate: Gate
    target: str
    folder: Path
    board: Board
    sessions: Sessions
    store: Store
    listener: Listener

    def probe(self, prepared: PreparedPart) -> Probe:
        """Return what a part did on the board; raises ConversionError, BoardError, and what stops a push."""
        built = self._built(prepared)
        rknn = deliver(built, self.folder, prepared.name)
        wait_s = self.options.wait_s or 0.0
        push = PushOptions((rknn,), self.options.settings, prepared.golden, wait_s=wait_s)
        connect = partial(self.sessions.open, self.board)
        outcome = run_campaign(push, self.board, connect, self.store, self._without_notes)
        if outcome.interrupted:
            raise KeyboardInterrupt
        if outcome.store_error is not None:
            raise outcome.store_error
        (run,) = outcome.runs
        return Probe(
            prepared.part,
            prepared.layers,
            errors_of(self.gate, run.outputs, built.record.simulator),
            check_failure(run.failure),
            run.id,
            run.simulated,
            prepared.onnx,
            rknn,
            prepared.golden,
        )

    def _built(self, prepared: PreparedPart) -> Built:
        words = self.options.words
        if prepared.has_own_inputs and words.is_calibrated:
            words = replace(words, calibration=prepared.golden, random_calibration=False)
        requests, left = requests_of(asked_of(prepared.onnx, self.target, words, prepared.golden))
        if not requests:
            raise UsageError(f"recipe {left[0].draft.name}: {left[0].reason}", hint="bench convert --list")
        self.listener(Note(f"{prepared.name}: {told(requests[0].draft, None)}"))
        return build(requests[0])

    def _without_notes(self, event: object) -> None:
        """Tell what a user waits for, not what each small push notes."""
        if not isinstance(event, Note):
            self.listener(event)  # type: ignore[arg-type]  # a listener takes any event
