"""What a sweep will build, and what it leaves out with the reason: pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rkbench.conversion.build import ConversionRequest
from rkbench.conversion.plan import LeftOut
from rkbench.results.measures import SIZE
from rkbench.stats.gates import Gate
from rkbench.units import format_bytes

#: What a conversion takes besides its result, and how many times the result: 63 MB took 790 MB.
BASE_BYTES, TIMES = 300_000_000, 12


@dataclass(frozen=True)
class PredictedBytes:
    """How big a file will be, in bytes; `low` is what it is hardly below, None where that is not known."""

    size_bytes: int
    low_bytes: int | None = None


@dataclass(frozen=True)
class PlannedVariant:
    """One variant of a sweep; `predicted` is None where nothing can be foretold."""

    request: ConversionRequest
    predicted: PredictedBytes | None = None

    @property
    def recipe(self) -> str:
        """Return its recipe as it is typed."""
        return self.request.draft.name


@dataclass(frozen=True)
class SweepPlan:
    """What will be built, in the order in which it was asked for, and what will not."""

    variants: tuple[PlannedVariant, ...]
    left_out: tuple[LeftOut, ...]


def plan_sweep(
    variants: Sequence[PlannedVariant], left_out: Iterable[LeftOut], gates: Sequence[Gate]
) -> SweepPlan:
    """Return the plan without those that cannot win: they are predicted beyond a requirement on the size."""
    hopeless = {each.recipe: reason for each in variants if (reason := _too_big(each, gates))}
    return SweepPlan(
        tuple(each for each in variants if each.recipe not in hopeless),
        (
            *left_out,
            *(
                LeftOut(each.request.draft, hopeless[each.recipe])
                for each in variants
                if each.recipe in hopeless
            ),
        ),
    )


def _too_big(variant: PlannedVariant, gates: Sequence[Gate]) -> str:
    """Return the requirement that a file cannot keep, by the least that it is predicted to have."""
    low = variant.predicted.low_bytes if variant.predicted else None
    for gate in gates:
        if (
            gate.quantity.word == SIZE.gate
            and gate.limit is not None
            and low is not None
            and low > gate.limit
        ):
            return f"cannot win: at least {format_bytes(low)} are predicted, and {gate.text} is required"
    return ""


def side_by_side(plan: SweepPlan, cpus: int, available_bytes: int) -> int:
    """Return how many conversions fit at once: one a CPU core, and into memory by the largest prediction."""
    largest = max((each.predicted.size_bytes for each in plan.variants if each.predicted), default=0)
    return max(1, min(cpus, available_bytes // (BASE_BYTES + TIMES * largest)))
