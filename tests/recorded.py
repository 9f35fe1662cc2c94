"""A session that plays a recording back: what the campaign's tests run against."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rkbench.boards.agent.upload import Transfer
from rkbench.decoding.messages import decode
from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.messages import Hello, Latencies, Message
from rkbench_agent.wire.plan import Plan

RECORDINGS = Path(__file__).parent / "contract/recordings"
DEMO = Path(__file__).parents[1] / "host/rkbench/demo/data"
#: The time and the id of the push that the recordings hold.
UNIX_S, PUSH = 1_790_000_000.0, "1jjjdw008"
FIRST, SECOND = f"{PUSH}-01", f"{PUSH}-02"
MODELS = (DEMO / "digits.regrouped.fp16.rknn", DEMO / "digits.regrouped.int8.rknn")


def read_recording(name: str) -> list[Message]:
    """Return all messages of a recording."""
    return [decode(line) for line in (RECORDINGS / f"{name}.jsonl").read_bytes().splitlines()]


class RecordedSession:
    """Plays messages back; `error`, where given, is raised after `count` of them."""

    def __init__(
        self, messages: Sequence[Message], count: int | None = None, error: BaseException | None = None
    ) -> None:
        hello, environment, *self._stream = messages
        assert isinstance(hello, Hello)
        assert isinstance(environment, Environment)
        self.hello: Hello = hello
        self.environment: Environment = environment
        self._count = count
        self._error = error
        self.plans: list[Plan] = []
        self.uploaded: list[Path] = []
        self.cancelled = False
        #: Of which runs enough was known, and after how many timed iterations.
        self.ended: list[str] = []
        self.ended_after: list[int] = []
        self._timed: dict[str, int] = {}

    def upload(
        self, paths: Sequence[Path], on_progress: Callable[[Path, int, int], None], digests: Sequence[str]
    ) -> list[Transfer]:
        """Pretend that the board lacked every file."""
        assert digests == [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
        self.uploaded += paths
        transfers = []
        for path in paths:
            size = path.stat().st_size
            on_progress(path, size, size)
            transfers.append(Transfer("", size, size, False, 0.5))
        return transfers

    def run(self, plan: Plan) -> Iterator[Message]:
        """Yield the recorded stream, as far as it shall go."""
        self.plans.append(plan)
        for message in self._stream[: self._count]:
            if isinstance(message, Latencies) and not message.warmup:
                self._timed[message.run] = self._timed.get(message.run, 0) + len(message.duration_ns)
            yield message
        if self._error is not None:
            raise self._error

    def enough(self, run: str) -> None:
        """Note that enough was known of a run."""
        self.ended.append(run)
        self.ended_after.append(self._timed[run])

    def cancel(self) -> None:
        """Note that it was called."""
        self.cancelled = True


def connecting(session: RecordedSession) -> Callable[[], contextmanager[RecordedSession]]:  # type: ignore[valid-type]
    """Return what `run_campaign` takes for its `connect`."""

    @contextmanager
    def connect() -> Iterator[RecordedSession]:
        yield session

    return connect
