"""What a sweep is asked, and what comes of it: plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rkbench_agent.wire.plan import RunSettings

from rkbench.conversion.plan import FailedConversion, LeftOut
from rkbench.conversion.words import ConvertWords
from rkbench.results.ranking import Ranking
from rkbench.stats.gates import Gate
from rkbench.sweep.plan import SweepPlan
from rkbench.sweep.verdict import MeasuredVariant, SweepVerdict


@dataclass(frozen=True)
class SweepOptions:
    """One sweep as it is asked for. `minimize` is a measure by its word in gates.

    `folder` takes the variants. `golden` None: one is computed from the ONNX, of `inputs`, or of random ones.
    `wait_s` is for a board in use; None: no time, and labgrid's own for one of its places.
    """

    onnx: Path
    words: ConvertWords = field(default_factory=ConvertWords)
    settings: RunSettings = field(default_factory=RunSettings)
    golden: Path | None = None
    inputs: Path | None = None
    gates: tuple[Gate, ...] = ()
    minimize: str = "p50"
    folder: Path = field(default_factory=Path)
    wait_s: float | None = None


@dataclass(frozen=True)
class SweepOutcome:
    """What came of a sweep. `measured` says how many runs were made now, of all that stand in it.

    `cause` is why the first of its files is as big as it is. `script` is the winner's, None without one.
    """

    options: SweepOptions
    target: str
    plan: SweepPlan
    variants: tuple[MeasuredVariant, ...] = ()
    failed: tuple[FailedConversion, ...] = ()
    verdict: SweepVerdict | None = None
    ranking: Ranking | None = None
    cause: str = ""
    script: Path | None = None
    measured: int = 0
    interrupted: bool = False

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Return what was not built, and why."""
        return self.plan.left_out

    @property
    def exit_code(self) -> int:
        """Return 0 where a variant wins or a plan alone was asked for, 1 where something failed, else 3."""
        if self.verdict is None:
            return 0
        return 1 if self.failed else 0 if self.winner else 3

    @property
    def winner(self) -> MeasuredVariant | None:
        """Return the variant to ship; None where none keeps what is required, or nothing was built yet."""
        name = self.verdict.winner if self.verdict else None
        return next((each for each in self.variants if each.recipe == name), None)
