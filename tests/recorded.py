"""A session that plays a recording back: what the campaign's tests run against."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rkbench.decoding.messages import decode
from rkbench.files import LocalFile
from rkbench.results.records import TransferRecord
from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.caveats import Caveat
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
        self.caveats: tuple[Caveat, ...] = ()
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
        self, files: Sequence[LocalFile], on_progress: Callable[[LocalFile, int], None]
    ) -> list[TransferRecord]:
        """Pretend that the board lacked every file."""
        for file in files:
            assert file.sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest()
            assert file.size_bytes == file.path.stat().st_size
            on_progress(file, file.size_bytes)
        self.uploaded += [file.path for file in files]
        return [TransferRecord(file.size_bytes, file.size_bytes, False, 0.5) for file in files]

    def run(self, plan: Plan) -> Iterator[Message]:
        """Yield the recorded stream, as far as it shall go."""
        self.plans.append(plan)
        for message in self._stream[: self._count]:
            if isinstance(message, Latencies) and not message.warmup:
                self._timed[message.run] = self._timed.get(message.run, 0) + len(message.duration_ns)
            yield message
        if self._error is not None:
            raise self._error

    def keep_board(self, owner: str, reason: str) -> None:
        """Nobody keeps the board here."""
        raise NotImplementedError(f"{owner}: {reason}")

    def try_rate(self, run: str, rate_per_s: float) -> None:
        """Nobody asks for a rate here."""
        raise NotImplementedError(f"{run}: {rate_per_s}")

    def enough(self, run: str) -> None:
        """Note that enough was known of a run."""
        self.ended.append(run)
        self.ended_after.append(self._timed[run])

    def cancel(self) -> None:
        """Note that it was called."""
        self.cancelled = True

    def abort(self) -> None:
        """There is no line to cut."""


def connecting(session: RecordedSession) -> Callable[[], contextmanager[RecordedSession]]:  # type: ignore[valid-type]
    """Return what `run_campaign` takes for its `connect`."""

    @contextmanager
    def connect() -> Iterator[RecordedSession]:
        yield session

    return connect
