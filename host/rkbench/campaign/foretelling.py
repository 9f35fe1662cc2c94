"""What is known of variants without a board: outputs and latencies that a virtual one shows."""

from __future__ import annotations

from rkbench_agent.wire.plan import RunSettings
from rkbench_agent.wire.words import VIRTUAL

from rkbench.boards.model import Board
from rkbench.campaign.ahead import Ahead
from rkbench.campaign.plan import runtime_of
from rkbench.results.events import Doing, Listener, Note
from rkbench.variants.variant import PreparedVariant

Variants = tuple[PreparedVariant, ...]


#: Of so many models the wait for outputs that are computed here has one note, and what goes on the rest.
MANY = 5


def with_outputs(variants: Variants, listener: Listener) -> Variants:
    """Return the variants with their outputs, computed here where no simulator's are at hand."""
    if all(variant.golden is None for variant in variants):
        return variants
    from rkbench.variants.computed_replay import with_computed_outputs  # numpy

    computed: list[str] = []

    def begin(name: str) -> None:
        if len(variants) < MANY or not computed:
            listener(Note(_computing(name, others=len(variants) >= MANY)))
        computed.append(name)
        listener(Doing(f"computing the outputs of {name}"))

    return tuple(
        with_computed_outputs(variant, begin, lambda text: listener(Note(text))) for variant in variants
    )


def _computing(name: str, *, others: bool) -> str:
    """Return that outputs are computed here, of one model or of many."""
    why = " and of others that have none beside them" if others else ": no simulator's are beside it"
    return f"computing the outputs of {name}{why}"


class Foretelling:
    """The latencies of variants, and of the model beside them, foretold in a thread.

    Begin it, connect to the board, then `end` it.
    Those of a real board are foretold when its cores are known; what that needs is loaded by then.
    """

    def __init__(self, variants: Variants, other: Variants, settings: RunSettings, board: Board) -> None:
        self._notes: list[str] = []
        self._count = len(variants)
        self._variants = (*variants, *other)
        self._settings = settings
        self._is_virtual = runtime_of(settings, board) == VIRTUAL
        self._work = Ahead(self._foretell)

    def end(self, listener: Listener) -> tuple[Variants, Variants]:
        """Return both with what a virtual board is to show, once it is told what it cannot."""
        listener(Doing("foretelling latencies"))
        found = self._work.result()
        for note in self._notes:
            listener(Note(note))
        return found[: self._count], found[self._count :]

    def _foretell(self) -> Variants:
        from rkbench.variants.predicted_run import with_predicted_run  # numpy, and the model of the NPU

        if not self._is_virtual:
            return self._variants
        profile = self._settings.profile
        return tuple(with_predicted_run(each, self._notes.append, profile=profile) for each in self._variants)
