"""Boards for the tests of nights: sessions that play a recording back, as a behaviour file tells.

No server, no agent, no process: a night of four cells takes the time of its statistics. The behaviours are
those of the virtual runtime, as far as nights need them: `seed`, `latency.factor`, `outputs` (wrong, nan),
`crash` (in the timed part), each also `per_model`. Several runs of a plan take turns.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import accumulate
from typing import Any

from recorded import FIRST, SECOND, RecordedSession, read_recording
from rkbench.boards.model import Board
from rkbench_agent.wire.messages import Failed, Finished, Latencies, Message
from rkbench_agent.wire.outputs import OutputError
from rkbench_agent.wire.plan import Plan, RunSettings, RunSpec
from rkbench_agent.wire.words import MODELLED, PREDICTED

RECORDED = {"digits.regrouped.fp16": FIRST, "digits.regrouped.int8": SECOND}
WRONG = {"cosine": 0.5, "max_abs_error": 9.0}
NAN = {"cosine": None, "nan_count": 10}


class FakeSession(RecordedSession):
    """A conversation with a fake board; use it in a `with`, or close it."""

    def __init__(self, board: Board) -> None:
        super().__init__(read_recording("two_variants"))
        self._board = board
        self.kept: list[tuple[str, str]] = []

    def run(self, plan: Plan) -> Iterator[Message]:
        """Yield what was recorded for each variant, behaving as the board is told to by now."""
        assert self._board.behaviour is not None
        behaviour = json.loads(self._board.behaviour.read_text())
        self.plans.append(plan)
        played = [list(_play(spec, plan.settings, _behaviour_of(spec.name, behaviour))) for spec in plan.runs]
        if len(plan.runs) > 1:
            played = [list(_taking_turns(place, messages, plan)) for place, messages in enumerate(played)]
        for spec, messages in zip(plan.runs, played, strict=True):
            for message in messages:
                if not (isinstance(message, Latencies) and spec.run in self.ended):
                    yield message

    def keep_board(self, owner: str, reason: str) -> None:
        """Note who keeps the board, and what for."""
        self.kept.append((owner, reason))

    def try_rate(self, run: str, rate_per_s: float) -> None:
        """Nobody asks for a rate here."""
        raise NotImplementedError(f"{run}: {rate_per_s}")

    def enough(self, run: str) -> None:
        """Time this run no longer."""
        self.ended.append(run)

    def close(self) -> None:
        """End the conversation."""

    def __enter__(self) -> FakeSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _taking_turns(place: int, messages: Sequence[Message], plan: Plan) -> Iterator[Message]:
    """Give the blocks of the run at `place` the times and loads that they have in rounds A B C C B A."""
    rounds, loads = len(plan.runs), plan.settings.loads or 1
    timed = sum(isinstance(message, Latencies) and not message.warmup for message in messages)
    for message in messages:
        if isinstance(message, Latencies) and not message.warmup:
            turn = place if message.block % 2 == 0 else 2 * rounds - 1 - place
            shift_ns = (2 * rounds * (message.block // 2) + turn - message.block) * 10**9
            starts = [start + shift_ns for start in message.start_ns]
            yield replace(message, start_ns=starts, load=message.block // 2 * loads // (-(-timed // 2)))
        else:
            yield message


def _behaviour_of(name: str, behaviour: dict[str, Any]) -> dict[str, Any]:
    own: dict[str, Any] = behaviour.get("per_model", {}).get(name, {})
    return {**behaviour, **own}


def _play(spec: RunSpec, settings: RunSettings, behaviour: dict[str, Any]) -> Iterator[Message]:
    noise, model = random.Random(f"{behaviour.get('seed')} {spec.name}"), spec.name.partition(" (")[0]
    recorded = _recorded_durations(model)
    factor = behaviour.get("latency", {}).get("factor", 1.0)
    is_timed = False
    for message in _recorded_messages(model):
        if isinstance(message, Latencies):
            if is_timed:
                continue
            is_timed = not message.warmup
            counts = _block_sizes(settings) if is_timed else [len(message.duration_ns)]
            for block, count in enumerate(counts):
                drawn = [round(duration_ns * factor) for duration_ns in noise.choices(recorded, k=count)]
                yield _timed(message, spec.run, block, drawn)
            if behaviour.get("crash") and is_timed:
                yield _crash(spec.run)
                return
        elif isinstance(message, OutputError):
            yield replace(message, run=spec.run, **_error(behaviour.get("outputs")))
        elif isinstance(message, Finished):
            latency = PREDICTED if spec.figures.predicted else MODELLED
            told = replace(message.provenance, latency=latency)
            yield replace(message, run=spec.run, iterations=settings.min_iterations, provenance=told)
        else:
            yield replace(message, run=spec.run) if hasattr(message, "run") else message


def _block_sizes(settings: RunSettings) -> list[int]:
    size = settings.block_iterations
    return [size] * max(settings.min_blocks, -(-settings.min_iterations // size))


def _timed(message: Latencies, run: str, block: int, duration_ns: list[int]) -> Latencies:
    """Return one block of calls, one right behind the other."""
    ends = list(accumulate(duration_ns))
    starts = [block * 10**9 + end - duration for end, duration in zip(ends, duration_ns, strict=True)]
    return replace(
        message,
        run=run,
        block=block,
        start_ns=starts,
        duration_ns=duration_ns,
        set_inputs_ns=None,
        run_ns=None,
        get_outputs_ns=None,
    )


def _error(outputs: str | None) -> dict[str, Any]:
    return {"wrong": WRONG, "nan": NAN, None: {}}[outputs]


def _crash(run: str) -> Message:
    (failed,) = (message for message in read_recording("crash") if isinstance(message, Failed))
    return replace(failed, run=run)


@cache
def _recorded_messages(name: str) -> tuple[Message, ...]:
    """Return what was recorded of one variant, and of the board."""
    _, _, *messages = read_recording("two_variants")
    return tuple(message for message in messages if getattr(message, "run", None) in (None, RECORDED[name]))


@cache
def _recorded_durations(name: str) -> tuple[int, ...]:
    batches = [message for message in _recorded_messages(name) if isinstance(message, Latencies)]
    return tuple(duration_ns for batch in batches if not batch.warmup for duration_ns in batch.duration_ns)
