"""What rkbench claims of two models beside each other: the loss that it tells covers the one that was staged.

The agent keeps two models busy on the virtual NPU (three cores, a virtual clock), alone and together, in
rounds as a worker does; the host folds the rounds. Calls scatter by 2 %, and the level of each model
from part to part of a round by 1 %. What each loses is known: on cores of its own it waits for nobody,
and each run that begins while another core is busy takes `CONTENTION` longer; on the same cores both
take turns, a run each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from claim import Claim, Source
from rkbench.results.interference import Interference, Shared, interference
from rkbench.results.latencies import RawLatencies
from rkbench_agent.run.batches import batches
from rkbench_agent.run.interference import ROUNDS
from rkbench_agent.run.offline import placement_masks
from rkbench_agent.runtimes.base import StageTimes
from rkbench_agent.runtimes.lanes import Lane
from rkbench_agent.runtimes.virtual_npu import Call, VirtualNpu
from rkbench_agent.scenarios.interference import keep_busy
from rkbench_agent.wire.scenario_messages import InterferenceRound
from worlds import World

CORES = 3
#: What a call of either model takes alone on the cores of its placement.
CALLS_NS = (1_000_000, 1_500_000)
PART_NS = 50_000_000
CONTENTION = 0.1
WORLD = World(block=0.01)
OF_MASK = {"auto": (), "all": (0, 1, 2), "0": (0,), "1": (1,), "2": (2,)}


class Context:
    """What the model of the cores needs of a runtime: calls of a level that is drawn for each part."""

    beside = 0

    def __init__(self, source: Source, call_ns: int, cores: Sequence[int]) -> None:
        self.cores = cores
        self._source, self._call_ns, self._now_ns = source, call_ns, 0
        self._calls: Iterator[float] = iter(())

    def begin_part(self, now_ns: int) -> None:
        """Let the clock stand at `now_ns`, and draw the calls that a part may have."""
        self._now_ns = now_ns
        most = 2 * PART_NS // self._call_ns
        self._calls = iter(WORLD.calls(self._source, 1, most, self._call_ns)[0].tolist())

    def clock_ns(self) -> int:
        """Return the virtual time."""
        return self._now_ns

    def skip_to(self, clock_ns: int) -> None:
        """Let the clock stand at `clock_ns` or later."""
        self._now_ns = max(self._now_ns, clock_ns)

    def draw_call(self) -> Call:
        """Return the next call: a run, and no copies."""
        return Call(0, int(next(self._calls)), 0)

    def end_call(self, stages: StageTimes, end_ns: int) -> None:
        """Let the clock stand at the end of the call."""
        self._now_ns = end_ns


def staged(source: Source, placement: str, contention: float) -> Interference:
    """Return what is told of the rounds of two models in one placement."""
    masks = placement_masks(placement, 2, CORES)
    models = [Context(source, call, OF_MASK[mask]) for call, mask in zip(CALLS_NS, masks, strict=True)]
    npu, raw, told, now_ns = VirtualNpu(CORES, contention), RawLatencies(), [], 0
    slices = ((models[0],), (models[1],), tuple(models))
    for number in range(ROUNDS):
        parts: dict[int, list[Lane]] = {}
        for which in (0, 1, 2) if number % 2 == 0 else (2, 1, 0):
            for model in slices[which]:
                model.begin_part(now_ns)
            parts[which] = [Lane(model) for model in slices[which]]  # type: ignore[arg-type]  # as a worker's
            keep_busy(parts[which], npu, 1, PART_NS, beat=lambda: None)
            now_ns = max(model.clock_ns() for model in models)
        first = 4 * number
        for block, lane in enumerate([*parts[0], *parts[1], *parts[2]], first):
            for batch in batches("r", block, False, lane):
                raw.append(batch)
        told.append(InterferenceRound("r", placement, list(masks), *range(first, first + 4)))
    found = interference("other", told, (), raw)
    assert found is not None
    return found


def covered(source: Source, placement: str, contention: float, losses: tuple[float, float]) -> float:
    """Return the share of both models whose told loss covers the true one."""
    (item,) = staged(source, placement, contention).placements
    return float(np.mean([_covers(*pair) for pair in zip((item.own, item.other), losses, strict=True)]))


def _covers(shared: Shared, loss: float) -> bool:
    assert shared.loss_low is not None and shared.loss_high is not None
    return shared.loss_low <= loss <= shared.loss_high


def _claims() -> Iterator[Claim]:
    own, other = (call_ns / sum(CALLS_NS) for call_ns in CALLS_NS)
    slower = 1 - 1 / (1 + CONTENTION)
    for placement, contention, losses in (
        ("spread", 0.0, (0.0, 0.0)),
        ("spread", CONTENTION, (slower, slower)),
        ("auto", CONTENTION, (slower, slower)),
        ("0", CONTENTION, (other, own)),
        ("all", CONTENTION, (other, own)),
    ):
        told = " and ".join(f"{loss * 100:.3g} %" for loss in dict.fromkeys(losses))
        name = f"two models, placement {placement}, a true loss of {told}: the told loss covers"
        yield Claim(
            name, partial(covered, placement=placement, contention=contention, losses=losses), None, 0.93
        )


INTERFERENCE_CLAIMS = tuple(_claims())
