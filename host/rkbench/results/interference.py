"""The scenario `interference`, folded: what two models lose beside each other, in each placement.

rate      calls / (end of the last - start of the first), round by round, without the first call: beside the
          other it began on an NPU that was not yet shared; of two models at once only calls that ended
          while both were busy
loss      1 - exp(shift): Hodges-Lehmann over the rounds' log-ratios of the rate beside the other to that
          alone, exact signed-rank interval of 95 % (`stats.signed_rank`)
together  the sum over both models of  rate beside the other / highest rate alone  in any placement: 2 is
          no loss, 1 is what taking turns yields (system throughput: Eyerman and Eeckhout, IEEE Micro 2008)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rkbench_agent.wire.scenario_messages import InterferenceOutputs, InterferenceRound

from rkbench.results.latencies import RawLatencies
from rkbench.stats.clusters import clusters_of
from rkbench.stats.paired import CONFIDENCE
from rkbench.stats.quantiles import quantiles
from rkbench.stats.signed_rank import shift_of

NS_PER_S = 1e9
#: Placements that differ by less of `together` are alike: the first of them is named.
ALIKE = 0.01


@dataclass(frozen=True)
class ChangedOutput:
    """An output that differed in `count` calls beside the other model from that of a call alone."""

    name: str
    count: int


@dataclass(frozen=True)
class OutputsBeside:
    """One model's outputs beside the other: `compared` calls with one alone, by digest (CRC-32).

    `repeats` is False where calls alone already differ: then nothing was compared.
    """

    compared: int
    repeats: bool
    changed: tuple[ChangedOutput, ...] = ()


@dataclass(frozen=True)
class Shared:
    """One model in one placement, alone and beside the other. `loss_ratio` is the part of its rate that it
    loses, bounded with 95 %; no bounds below six rounds. `outputs` is None where nothing was looked at."""

    core_mask: str
    count: int
    alone_per_s: float
    beside_per_s: float
    loss_ratio: float
    loss_low: float | None
    loss_high: float | None
    alone_p50_s: float | None
    beside_p50_s: float | None
    alone_p99_s: float | None
    beside_p99_s: float | None
    outputs: OutputsBeside | None = None


@dataclass(frozen=True)
class InterferencePlacement:
    """One placement of both models on the cores, from so many rounds."""

    placement: str
    rounds: int
    own: Shared
    other: Shared
    together: float


@dataclass(frozen=True)
class Interference:
    """All placements in their order; `best` is the one that gets most out of both models together."""

    other: str
    placements: tuple[InterferencePlacement, ...]
    best: str

    @property
    def chosen(self) -> InterferencePlacement:
        """Return the best placement."""
        return next(item for item in self.placements if item.placement == self.best)

    @property
    def changed_outputs(self) -> int:
        """Return how many outputs of either model changed in any placement."""
        both = (shared.outputs for item in self.placements for shared in (item.own, item.other))
        return sum(len(outputs.changed) for outputs in both if outputs is not None)


Call = tuple[int, int]
Lanes = dict[int, list[Call]]


def interference(
    other: str,
    rounds: Sequence[InterferenceRound],
    outputs: Sequence[InterferenceOutputs],
    latencies: RawLatencies,
) -> Interference | None:
    """Return what the rounds of a run yielded; None without any that has calls."""
    lanes = latencies.lanes() if rounds else {}
    names = dict.fromkeys(item.placement for item in rounds)
    of_each = {name: [item for item in rounds if item.placement == name] for name in names}
    found = [item for name in names if (item := _placement(of_each[name], outputs, lanes)) is not None]
    if not found:
        return None
    placements = _with_together(found)
    most = max(item.together for item in placements)
    best = next(item for item in placements if item.together >= (1 - ALIKE) * most)
    return Interference(other, placements, best.placement)


def blocks_beside(rounds: Sequence[InterferenceRound], found: Interference) -> frozenset[int]:
    """Return the blocks of the run's own model beside the other, in the best placement."""
    return frozenset(item.block for item in rounds if item.placement == found.best)


def _placement(
    rounds: Sequence[InterferenceRound], outputs: Sequence[InterferenceOutputs], lanes: Lanes
) -> InterferencePlacement | None:
    name = rounds[0].placement
    pairs = [_while_both(lanes.get(item.block, []), lanes.get(item.other_block, [])) for item in rounds]
    alone = [[_read(lanes.get(item.alone_block, [])) for item in rounds], []]
    alone[1] = [_read(lanes.get(item.other_alone_block, [])) for item in rounds]
    told = {item.is_other: _outputs(item) for item in outputs if item.placement == name}
    shared = []
    for index, mask in enumerate(rounds[0].core_masks):
        found = _shared(mask, alone[index], [pair[index] for pair in pairs], told.get(bool(index)))
        if found is None:
            return None
        shared.append(found)
    return InterferencePlacement(name, len(rounds), shared[0], shared[1], 0.0)


def _shared(
    mask: str,
    alone: Sequence[Sequence[Call]],
    beside: Sequence[Sequence[Call]],
    outputs: OutputsBeside | None,
) -> Shared | None:
    whole = [(a, b) for a, b in zip(alone, beside, strict=True) if _span_ns(a) > 0 and _span_ns(b) > 0]
    if not whole:
        return None
    parts = [[a for a, _ in whole], [b for _, b in whole]]
    shift = shift_of([math.log(_rate([b]) / _rate([a])) for a, b in whole], CONFIDENCE)
    p50s, p99s = zip(*(_percentiles(part) for part in parts), strict=True)
    return Shared(
        core_mask=mask,
        count=sum(map(len, parts[1])),
        alone_per_s=_rate(parts[0]),
        beside_per_s=_rate(parts[1]),
        loss_ratio=-math.expm1(shift.estimate),
        loss_low=None if shift.high is None else -math.expm1(shift.high),
        loss_high=None if shift.low is None else -math.expm1(shift.low),
        alone_p50_s=p50s[0],
        beside_p50_s=p50s[1],
        alone_p99_s=p99s[0],
        beside_p99_s=p99s[1],
        outputs=outputs,
    )


def _while_both(own: Sequence[Call], other: Sequence[Call]) -> tuple[list[Call], list[Call]]:
    """Return those calls of both that ended before either model had made its last."""
    if not own or not other:
        return [], []
    end_ns = min(lane[-1][0] + lane[-1][1] for lane in (own, other))
    first, second = (_read([call for call in lane if sum(call) <= end_ns]) for lane in (own, other))
    return first, second


def _read(lane: list[Call]) -> list[Call]:
    """Return the calls of a part but the first, which waits for nobody; it alone, where there is no other."""
    return lane[1:] or lane


def _with_together(found: Sequence[InterferencePlacement]) -> tuple[InterferencePlacement, ...]:
    own = max(item.own.alone_per_s for item in found)
    other = max(item.other.alone_per_s for item in found)
    return tuple(
        replace(item, together=item.own.beside_per_s / own + item.other.beside_per_s / other)
        for item in found
    )


def _percentiles(rounds: Sequence[Sequence[Call]]) -> tuple[float | None, float | None]:
    durations = [[[duration for _, duration in lane] for lane in rounds]]
    found = quantiles(clusters_of(durations), [50.0, 99.0])
    p50, p99 = (None if item.value is None else item.value / NS_PER_S for item in found)
    return p50, p99


def _rate(rounds: Sequence[Sequence[Call]]) -> float:
    return sum(map(len, rounds)) * NS_PER_S / sum(map(_span_ns, rounds))


def _span_ns(lane: Sequence[Call]) -> int:
    return sum(lane[-1]) - lane[0][0] if lane else 0


def _outputs(told: InterferenceOutputs) -> OutputsBeside:
    changed = tuple(map(ChangedOutput, told.outputs, told.changed))
    return OutputsBeside(told.compared, told.repeats, changed)
