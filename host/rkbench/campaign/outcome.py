"""What a campaign yielded."""

from __future__ import annotations

from dataclasses import dataclass

from rkbench.errors import StoreError
from rkbench.results.collect import Collected
from rkbench.results.comparison import Comparison
from rkbench.results.model import RunResult


@dataclass(frozen=True)
class Outcome:
    """What a campaign yielded. `interrupted`: Ctrl-C ended it; `store_error`: a run could not be saved.

    `held_s`: how long the board was held for it, to its last word at `hold_ended_s` (monotonic clock); None
    where that is not known.
    """

    collected: tuple[Collected, ...]
    comparison: Comparison
    interrupted: bool = False
    store_error: StoreError | None = None
    held_s: float | None = None
    hold_ended_s: float = 0.0

    @property
    def runs(self) -> tuple[RunResult, ...]:
        """The results, in the order of the models."""
        return tuple(item.run for item in self.collected)

    @property
    def failed(self) -> bool:
        """Whether a run ended early."""
        return any(run.failure is not None for run in self.runs)
