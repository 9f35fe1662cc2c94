"""What rkbench claims of a whole push: the agent's schedule orders the blocks, the host's rules judge them.

Nothing between the two is left out: blocks become messages, latencies, quads, tests; the first calls after a
switch are 20 % slower, and the moment drifts by 5 % over the push, as a board's does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from caveat_claims import RUN
from claim import Claim, Source
from rkbench.boards.model import Board
from rkbench.campaign.plan import complete
from rkbench.campaign.stopping import NewStop, Precise
from rkbench.results.latencies import RawLatencies
from rkbench.results.latency_tests import LatencyTest, latency_tests
from rkbench.stats.paired import FASTER, NO_DIFFERENCE, SLOWER
from rkbench_agent.run.schedule import (
    Standing,
    block_size,
    is_load_over,
    is_plan_over,
    mean_call_ns,
    round_of,
)
from rkbench_agent.wire.messages import Latencies
from rkbench_agent.wire.plan import RunSettings
from worlds import World

SWITCH = 1.2
DRIFT = 0.05
LOADS = World(block=0.005, load=0.01)


class StagedPush:
    """A push of variants whose calls take `call_ns` each, but for the first: `shifts` longer (0.03 = 3 %)."""

    def __init__(
        self,
        source: Source,
        world: World,
        shifts: Sequence[float],
        call_ns: float,
        settings: RunSettings,
        new_stop: NewStop = Precise,
    ) -> None:
        self._source, self._world, self._call_ns = source, world, call_ns
        self._settings = complete(settings, Board("desk", "", soc="rk3588"), 1 + len(shifts))
        self._shifts = {f"p-{number:02d}": shift for number, shift in enumerate((0.0, *shifts), 1)}
        self._stop, self._enough = new_stop(self._settings), False
        self.latencies = {run: RawLatencies() for run in self._shifts}
        self._standings = {run: Standing() for run in self._shifts}
        self._levels: dict[str, float] = {}
        self._clock_ns = 0

    def tests(self) -> list[LatencyTest]:
        """Carry the plan out, and judge it: the tests against the first variant."""
        load = 0
        while not self._enough and not is_plan_over(self._settings, load, self._all(), resident=True):
            self._levels = {run: self._world.load_level(self._source) for run in self._shifts}
            rounds = 0
            while not self._enough and (
                rounds == 0 or not is_load_over(self._settings, load, rounds, self._all())
            ):
                for run in round_of(list(self._shifts)):
                    self._block(run, load)
                rounds += 1
            load += 1
        runs = [replace(RUN, id=run) for run in self._shifts]
        return list(latency_tests(runs[0], runs[1:], self.latencies)[0])

    def _all(self) -> list[Standing]:
        return list(self._standings.values())

    def _block(self, run: str, load: int) -> None:
        standing = self._standings[run]
        size = block_size(self._settings, mean_call_ns(standing, self._call_ns), in_turns=True)
        level = (
            self._call_ns * (1 + self._shifts[run]) * self._levels[run] * (1 + DRIFT * self._clock_ns / 60e9)
        )
        calls = self._world.calls(self._source, 1, size.iterations, level)[0]
        calls[: size.unread] *= SWITCH
        durations = calls.astype(np.int64).tolist()
        starts = [self._clock_ns] * len(durations)
        batch = Latencies(run, int(standing.blocks), False, starts, durations, load=load, unread=size.unread)
        self.latencies[run].append(batch)
        self._enough = bool(self._stop.add(batch)) or self._enough
        read = durations[size.unread :]
        self._standings[run] = Standing(
            standing.iterations + len(read), standing.duration_ns + sum(read), int(standing.blocks) + 1
        )
        self._clock_ns += sum(durations)


def pushed(
    source: Source,
    world: World,
    shifts: Sequence[float],
    call_ms: float = 10.0,
    settings: RunSettings = RunSettings(),  # noqa: B008  # frozen
) -> list[LatencyTest]:
    """Return the tests of one staged push of variants that take `shifts` longer than the first."""
    return StagedPush(source, world, shifts, call_ms * 1e6, settings).tests()


def _says(tests: Sequence[LatencyTest], *judgements: str) -> bool:
    return any(test.judgement in judgements for test in tests)


def _covers(tests: Sequence[LatencyTest], shift: float) -> bool:
    (test,) = tests
    assert test.low_percent is not None and test.high_percent is not None
    return test.low_percent <= shift * 100 <= test.high_percent


QUICK = RunSettings(loads=1)
TO_HALF_A_PERCENT = RunSettings(precision_percent=0.5)
WORLDS = {
    "sd per load 1 %": (LOADS, 10.0, RunSettings()),
    "sd per load 1 %, calls of 0.5 s": (LOADS, 500.0, RunSettings()),
    "one load, sd between blocks 1 %": (World(block=0.01), 10.0, QUICK),
}


def _excludes_zero(tests: Sequence[LatencyTest]) -> bool:
    (test,) = tests
    assert test.low_percent is not None and test.high_percent is not None
    return test.low_percent > 0 or test.high_percent < 0


def equal_claims() -> list[Claim]:
    """Equal files whose calls are short, or long: blocks of 67 calls, and of 20 that take 0.6 s."""
    claims = []
    for call_ms in (1.5, 30.0):
        worlds = {
            f"one load, sd between blocks {block * 100:g} %": (World(block=block), QUICK)
            for block in (0.0, 0.005, 0.01, 0.02)
        }
        for told, (world, settings) in {**worlds, "sd per load 1 %": (LOADS, RunSettings())}.items():
            name, push = (
                f"push A/A, {told}, calls of {call_ms:g} ms",
                partial(pushed, world=world, shifts=[0.0], call_ms=call_ms, settings=settings),
            )
            claims += [
                Claim(
                    f"{name}: a false verdict", lambda s, p=push: _says(p(s), FASTER, SLOWER), 0.05, cost=2
                ),
                Claim(f"{name}: interval excludes 0", lambda s, p=push: _excludes_zero(p(s)), 0.065, cost=2),
            ]
    return claims


PLAN_CLAIMS = [
    *equal_claims(),
    *(
        claim
        for told, (world, call_ms, settings) in WORLDS.items()
        for claim in (
            Claim(
                f"push A/A, {told}: a false verdict",
                lambda s, w=world, c=call_ms, p=settings: _says(pushed(s, w, [0.0], c, p), FASTER, SLOWER),
                0.05,
            ),
            Claim(
                f"push +3 %, {told}: slower",
                lambda s, w=world, c=call_ms, p=settings: _says(pushed(s, w, [0.03], c, p), SLOWER),
                None,
                0.9,
            ),
            Claim(
                f"push +2 %, {told}: no difference",
                lambda s, w=world, c=call_ms, p=settings: _says(pushed(s, w, [0.02], c, p), NO_DIFFERENCE),
                0.05,
            ),
            Claim(
                f"push +3 %, {told}: interval covers",
                lambda s, w=world, c=call_ms, p=settings: _covers(pushed(s, w, [0.03], c, p), 0.03),
                None,
                0.93,
            ),
        )
    ),
    Claim(
        "push of three equal candidates, sd per load 1 %: any false verdict",
        lambda s: _says(pushed(s, LOADS, [0.0] * 3), FASTER, SLOWER),
        0.06,
    ),
    Claim(
        "push of ten equal candidates, sd per load 1 %: any false verdict",
        lambda s: _says(pushed(s, LOADS, [0.0] * 10), FASTER, SLOWER),
        0.06,
        cost=2,
    ),
    Claim(
        "push --precision 0.5, sd per load 1 %: interval covers",
        lambda s: _covers(pushed(s, LOADS, [0.03], settings=TO_HALF_A_PERCENT), 0.03),
        None,
        0.93,
        cost=5,
    ),
]
