"""Makes the recordings: a real agent on a virtual board, every message as it came. Run it by hand."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rkbench.boards.agent.upload import OnProgress
from rkbench.boards.model import Board
from rkbench.campaign import PushOptions, run_campaign
from rkbench.files import LocalFile
from rkbench.results.records import TransferRecord
from rkbench.session import Session, open_session
from rkbench.store import open_store
from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.codec import encode
from rkbench_agent.wire.messages import Hello, Message
from rkbench_agent.wire.plan import Plan, RunSettings

HERE = Path(__file__).parent / "recordings"
DEMO = Path(__file__).parents[2] / "host/rkbench/demo/data"
#: The time and the id of the push that the recordings hold.
UNIX_S, PUSH = 1_790_000_000.0, "1jjjdw008"
MODELS = ("digits.regrouped.fp16", "digits.regrouped.int8")


class RecordingSession:
    """A session that keeps every line that the agent sent."""

    def __init__(self, session: Session, lines: list[bytes]) -> None:
        self._session = session
        self._lines = lines
        self.hello: Hello = session.hello
        self.environment: Environment = session.environment
        lines += [encode(self.hello), encode(self.environment)]

    def upload(self, files: Sequence[LocalFile], on_progress: OnProgress) -> list[TransferRecord]:
        """Upload for real."""
        return self._session.upload(files, on_progress)

    def run(self, plan: Plan) -> Iterator[Message]:
        """Run for real, and keep what is said."""
        for message in self._session.run(plan):
            self._lines.append(encode(message))
            yield message

    def keep_board(self, owner: str, reason: str) -> None:
        """Nobody keeps the board here."""
        raise NotImplementedError(f"{owner}: {reason}")

    def try_rate(self, run: str, rate_per_s: float) -> None:
        """Nobody asks for a rate here."""
        raise NotImplementedError(f"{run}: {rate_per_s}")

    def enough(self, run: str) -> None:
        """End a run's timed part for real."""
        self._session.enough(run)

    def cancel(self) -> None:
        """Cancel for real."""
        self._session.cancel()


def record(name: str, models: Sequence[str], iterations: int, behaviour: dict[str, Any] | None) -> None:
    """Write the recording `name`."""
    lines: list[bytes] = []
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        golden = small_golden(here / "golden.npz")
        (here / "behaviour.json").write_text(json.dumps(behaviour or {}))
        board = Board("virtual", "", soc="rk3588", simulated=True, runtime="virtual")
        board = Board(**{**vars(board), "behaviour": here / "behaviour.json"})

        @contextmanager
        def connect() -> Iterator[RecordingSession]:
            with open_session(board) as session:
                yield RecordingSession(session, lines)

        order = PushOptions(
            tuple(DEMO / f"{model}.rknn" for model in models),
            RunSettings(min_iterations=iterations, min_duration_s=0.0),
            golden=golden,
        )
        with open_store(here / "results.sqlite") as store:
            run_campaign(order, board, connect, store, unix_s=lambda: UNIX_S, new_id=lambda _: PUSH)
    (HERE / f"{name}.jsonl").write_bytes(b"".join(lines))


def small_golden(path: Path) -> Path:
    """Write the first two cases of the demo's golden."""
    with np.load(DEMO / "golden.npz") as golden:
        small = {key: golden[key][:2] if golden[key].ndim else golden[key] for key in golden.files}
    np.savez_compressed(path, **small)
    return path


def main() -> None:
    """Make all recordings."""
    record("two_variants", MODELS, 300, None)
    crash = {"stage": "inference", "iteration": 60, "signal": "SIGSEGV"}
    words = {"stage": "inference", "iteration": 59, "text": "E RKNN: failed to submit!", "stream": "stderr"}
    record("crash", MODELS, 100, {"per_model": {MODELS[1]: {"crash": crash, "log": [words]}}})
    flapping = {"factor": 1.5, "period_iterations": 40}
    record("constant", MODELS[:1], 100, {"outputs": "constant", "flapping": flapping})


if __name__ == "__main__":
    sys.exit(main())
