"""What the agent's tests stand on: small models, goldens, and a real supervisor over pipes."""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, Callable, TypeVar

import numpy as np
from agent_forks import AGENT, Forks
from rkbench_agent.wire import codec
from rkbench_agent.wire.messages import Beat, Done, Message
from rkbench_agent.wire.plan import FileFigures, Plan, RunSettings, RunSpec, TensorSpec

TREES = Path(__file__).parents[1] / "data" / "boards"
DEADLINE_S = 30.0
#: Well within the shortest silence that a test allows.
BEAT_S = 0.1
START = "import sys; sys.path[0] = sys.argv.pop(1); from rkbench_agent.__main__ import main; sys.exit(main())"

M = TypeVar("M")
PLAN_FIELDS = {field.name for field in fields(Plan)} - {"runs", "settings"}

#: One load, and no more than 100 iterations in two blocks.
QUICK = {
    "min_iterations": 100,
    "min_duration_s": 0.0,
    "min_blocks": 1,
    "block_iterations": 50,
    "block_duration_s": 0.0,
    "unread_iterations": 0,
}

INPUTS = [TensorSpec("x", [1, 4, 4, 3], "uint8", "NHWC")]
OUTPUTS = [TensorSpec("/head/y", [1, 10], "float32")]


def model_bytes(platform: str = "rk3588", version: int = 6, payload: bytes = b"\0" * 1000) -> bytes:
    """Return the smallest file that has the outside of an .rknn."""
    header = b"RKNN" + struct.pack("<IQQ", 0, version, len(payload)) + bytes(40)
    text = json.dumps({"target_platform": [platform], "version": "2.5.0"}).encode()
    return header + payload + struct.pack("<Q", len(text)) + text


def golden_arrays(count: int, shift: float = 0.0) -> tuple[Any, Any]:
    """Return `count` distinct inputs and their expected outputs."""
    random = np.random.RandomState(7)
    inputs = random.randint(0, 256, (count, 1, 4, 4, 3)).astype(np.uint8)
    outputs = random.standard_normal((count, 1, 10)).astype(np.float32) + np.float32(shift)
    return inputs, outputs


class Bench:
    """A cache folder, and how to put things into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        (self.cache / "objects").mkdir(parents=True)
        self.root = TREES / "rk3588"

    def put(self, data: bytes) -> str:
        """Put an object into the cache; return its digest."""
        digest = hashlib.sha256(data).hexdigest()
        (self.cache / "objects" / digest).write_bytes(data)
        return digest

    def put_npz(self, **members: Any) -> str:
        """Put an .npz into the cache; names use `__` for `/`."""
        path = self.folder / "made.npz"
        np.savez_compressed(path, **{name.replace("__", "/"): value for name, value in members.items()})
        return self.put(path.read_bytes())

    def golden(self, count: int = 4) -> str:
        """Put a golden that fits INPUTS and OUTPUTS."""
        inputs, outputs = golden_arrays(count)
        return self.put_npz(inputs__x=inputs, outputs____head__y=outputs)

    def replay(self, count: int = 4, shift: float = 0.0) -> str:
        """Put a replay of the golden's inputs, its outputs `shift` off."""
        inputs, outputs = golden_arrays(count)
        digests = np.array([hashlib.sha256(case.tobytes()).hexdigest() for case in inputs])
        return self.put_npz(digests=digests, source="test", outputs____head__y=outputs + np.float32(shift))

    def spec(self, run: str = "a", data: bytes | None = None, **values: Any) -> RunSpec:
        """Return a RunSpec as it stands in a plan."""
        data = model_bytes() if data is None else data
        given: dict[str, Any] = {
            "run": run,
            "name": run,
            "model": self.put(data),
            "size_bytes": len(data),
            "inputs": INPUTS,
            "outputs": OUTPUTS,
            "figures": FileFigures(1_200_000, 300_000, 10),
        }
        given.update(values)
        return RunSpec(**given)

    def plan(self, *runs: RunSpec, **values: Any) -> Plan:
        """Return a quick plan on the virtual runtime; `values` are of its settings, or of the plan."""
        of_plan = {name: values.pop(name) for name in list(values) if name in PLAN_FIELDS}
        given: dict[str, Any] = {"runtime": "virtual", **QUICK, **values}
        return Plan(list(runs), RunSettings(**given), **of_plan)

    def behaviour(self, **values: Any) -> str:
        """Write a behaviour file; return its path."""
        path = self.folder / "behaviour.json"
        path.write_text(json.dumps(values))
        return str(path)


class AgentProcess:
    """A supervisor as a subprocess, spoken to over pipes as the host does; with `forks`, one of them."""

    def __init__(
        self,
        bench: Bench,
        environ: dict[str, str],
        archive: Path | None = None,
        forks: Forks | None = None,
    ) -> None:
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        kept.update({"RKBENCH_SYS_ROOT": str(bench.root), **environ})
        argv = ["serve", str(bench.cache)]
        self.process = forks.start(argv, kept) if forks else _start(archive, argv, kept)
        self._pending = b""
        self._beaten_at = time.monotonic()

    def send(self, message: Message) -> None:
        """Send one message."""
        assert self.process.stdin is not None
        self.process.stdin.write(codec.encode(message))

    def receive(self) -> Message | None:
        """Return the next message, or None at the end of the stream."""
        while b"\n" not in self._pending:
            data = self._read(DEADLINE_S)
            if not data:
                return None
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        return codec.decode(line)

    def until(self, kind: type[M], found: Callable[[Any], bool] = lambda message: True) -> M:
        """Return the next message of a kind that fits; the others are dropped."""
        while True:
            message = self.receive()
            assert message is not None, f"the agent ended: {self.errors()}"
            if isinstance(message, kind) and found(message):
                return message

    def run(self, plan: Plan) -> list[Message]:
        """Send a plan; return all messages up to Done."""
        self.send(plan)
        messages: list[Message] = []
        while not messages or not isinstance(messages[-1], Done):
            message = self.receive()
            assert message is not None, f"the agent ended: {self.errors()}"
            messages.append(message)
        return messages

    def errors(self) -> str:
        """Return what the agent wrote on stderr; waits for its end."""
        assert self.process.stderr is not None
        return self.process.stderr.read().decode("utf-8", "replace")

    def wait(self) -> int:
        """Return the exit code."""
        return self.process.wait(DEADLINE_S)

    def children(self) -> list[int]:
        """Return the pids of the workers."""
        return children_of(self.process.pid)

    def kill(self) -> None:
        """End the agent; called by the fixture."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(DEADLINE_S)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _read(self, timeout_s: float) -> bytes:
        """Return what comes, and beat meanwhile as the host does: a plan may take longer than its silence."""
        assert self.process.stdout is not None
        fd, deadline = self.process.stdout.fileno(), time.monotonic() + timeout_s
        while True:
            self._beat()
            if select.select([fd], [], [], BEAT_S)[0]:
                return os.read(fd, 1 << 16)
            assert time.monotonic() < deadline, "the agent said nothing in time"

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._beaten_at >= BEAT_S:
            self._beaten_at = now
            with suppress(BrokenPipeError):  # what it said before it ended is still to be read
                self.send(Beat())


def _start(archive: Path | None, argv: list[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    program = [str(archive)] if archive else ["-c", START, str(AGENT)]
    command = [sys.executable, *program, *argv]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environ, bufsize=0)


def of_kind(messages: list[Message], kind: type[M], run: str | None = None) -> list[M]:
    """Return the messages of a kind (and of one run)."""
    return [
        message
        for message in messages
        if isinstance(message, kind) and (run is None or getattr(message, "run", None) == run)
    ]


def children_of(pid: int) -> list[int]:
    """Return the living children of a process, zombies left out."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(folder.name))
    return found


def wait_until_gone(pids: list[int]) -> None:
    """Wait until none of the processes is left; fails at the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, f"still there: {[pid for pid in pids if is_alive(pid)]}"
        select.select([], [], [], 0.01)


def is_alive(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
