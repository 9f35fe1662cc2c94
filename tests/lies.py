"""Every lie that a board's agent could tell, tried on a push: does it hold, hang, or end in a traceback?

    python tests/lies.py            all of them (make lies); the counts by kind, and each that did not hold
    python tests/lies.py NAME       one of them, its outcome as a line of JSON

A lie is one field of one message with a value of another type or out of its range, or words without end.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from dataclasses import asdict, dataclass
from functools import partial
from io import StringIO
from itertools import count, repeat
from pathlib import Path
from typing import Any

from lying_agent import Lie, LyingTransport, Words, honest_words, json_line
from peak_memory import peak_bytes
from recorded import FIRST, MODELS
from rkbench.boards.model import Board
from rkbench.campaign import PushOptions, run_campaign
from rkbench.errors import BenchError
from rkbench.session import Session, start_session
from rkbench.store import open_store
from rkbench.views.push.progress import PlainProgress
from rkbench.views.push.show import show_push
from rkbench_agent.wire.outputs import OutputValues
from rkbench_agent.wire.plan import RunSettings

BOARD = Board("shelf", "192.0.2.1", soc="rk3588", simulated=True, runtime="virtual")
SETTINGS = RunSettings(
    min_iterations=300,
    min_duration_s=0.0,
    load_timeout_s=0.5,
    first_inference_timeout_s=0.1,
    inference_timeout_s=0.1,
    calm_limit_s=0.0,
)
#: No push of these takes longer, however busy the computer is.
LIMIT_S = 20.0
MEMORY_LIMIT_BYTES = 300 << 20
HELD, HUNG, TRACEBACK, FAT = "held", "hung", "traceback", "memory"
WRONG: tuple[Any, ...] = (
    *(None, True, "", "x\x1b[2J\u202e\n|`{0}", "\ud800", "x" * 100_000),
    *(0, -1, 2**63 - 1, 2**63, 10**28, 0.5, -1e308, float("nan"), float("inf")),
    *([], [None], [-1], ["a"], [[[]]], {}, {"a": None}, {"a": -1}, {"a": "b"}),
)
MANY = 100_000


@dataclass(frozen=True)
class Tried:
    """What came of a lie; `said` is the traceback, or what the user is told."""

    name: str
    kind: str
    outcome: str
    said: str
    seconds: float
    peak_bytes: int


def field_lies() -> dict[str, Lie]:
    """Return the lies of one value each: name -> lie. The name begins with the kind of the message."""
    hello, environment, stream = honest_words()
    have = {"type": "Have", "digests": [], "partial": {}, "free_bytes": 1, "cache_dir": "", "caveats": []}
    put = {
        "ok": True,
        "cached": False,
        "error": "no_space",
        "needed_bytes": 1,
        "free_bytes": 1,
        "message": "",
    }
    kinds = {words["type"]: words for words in (hello, environment, have, *stream)}
    return {
        f"{kind}.{field} = {short(value)} #{number}": instead(kind, field, value)
        for kind, words in {**kinds, "put": put}.items()
        for field in words
        for number, value in enumerate(WRONG)
    }


def block_lies() -> dict[str, Lie]:
    """Return the lies of blocks as long as they should be whose calls all took the same: name -> lie."""
    return {f"Latencies.duration_ns = blocks of {ns}": every_call(ns) for ns in (0, -5, 2**63 - 1)}


def every_call(duration_ns: int) -> Lie:
    """Return the lie that every call took `duration_ns`."""

    def lie(words: Words) -> Iterator[bytes]:
        if words.get("type") == "Latencies":
            words = {**words, "duration_ns": [duration_ns] * len(words["duration_ns"])}
        yield json_line(words)

    return lie


def short(value: Any) -> str:
    """Return a value as a name has it."""
    return ascii(value)[:24]


def instead(kind: str, field: str, value: Any, index: int | None = None) -> Lie:
    """Return the lie of `value` in a field of every message of a kind, or of the one with that `index`."""
    seen = count()

    def lie(words: Words) -> Iterator[bytes]:
        is_it = words.get("type", "put") == kind and index in (None, next(seen))
        yield json_line({**words, field: value} if is_it else words)

    return lie


def before(kind: str, pieces: Callable[[], Iterator[bytes]]) -> Lie:
    """Return the lie that says `pieces` before the first message of a kind."""

    def lie(words: Words) -> Iterator[bytes]:
        if words.get("type", "put") == kind:
            yield from pieces()
        yield json_line(words)

    return lie


def _slowly(piece: bytes) -> Iterator[bytes]:
    while True:
        time.sleep(0.05)
        yield piece


def _of(kind: str, **fields: Any) -> bytes:
    """Return the first message of a kind with other fields, a hundred times."""
    hello, environment, stream = honest_words()
    words = next(words for words in (hello, environment, *stream) if words["type"] == kind)
    return json_line({**words, **fields}) * 100


BEAT = json_line({"type": "Beat"})
VALUES = json_line({"type": "OutputValues", **vars(OutputValues(FIRST, 0, 0, 0, 1, "eNpjYGBgAAAABAAB"))})
#: Words of the wrong kind and without end, each before which message: name -> (kind, pieces).
FLOODS: dict[str, tuple[str, Callable[[], Iterator[bytes]]]] = {
    "beats slowly": ("Finished", lambda: _slowly(BEAT)),
    "beats slowly for Have": ("Have", lambda: _slowly(BEAT)),
    "beats slowly for Environment": ("Environment", lambda: _slowly(BEAT)),
    "beats slowly after all": ("Done", lambda: _slowly(BEAT)),
    "beats": ("Finished", lambda: repeat(BEAT * 1000)),
    "noise before Hello": ("Hello", lambda: repeat(b"noise\n" * 1000)),
    "noise slowly before Hello": ("Hello", lambda: _slowly(b"noise\n")),
    "noise without newline before Hello": ("Hello", lambda: repeat(b"x" * 1000)),
    "readings": ("Finished", lambda: repeat(_of("Reading"))),
    "readings with long names": ("Finished", lambda: repeat(_of("Reading", npu_governor="g" * 50_000))),
    "logs": ("Finished", lambda: repeat(_of("Log", run=FIRST))),
    "outputs": ("Finished", lambda: repeat(_of("OutputError"))),
    "outputs that nobody asked for": ("Finished", lambda: repeat(VALUES * 100)),
    "output parts": ("Finished", lambda: repeat(_of("OutputParts"))),
    "output suspects": ("Finished", lambda: repeat(_of("OutputSuspect"))),
    "output checks": ("Finished", lambda: repeat(_of("OutputCheck"))),
    "latencies": ("Finished", lambda: repeat(_of("Latencies"))),
    "short latencies": (
        "Finished",
        lambda: repeat(_of("Latencies", start_ns=[0] * MANY, duration_ns=[1] * MANY, run_ns=None)),
    ),
    "progress": ("Finished", lambda: repeat(_of("Progress"))),
    "progress slowly": ("Finished", lambda: _slowly(_of("Progress"))),
    "load memory": ("Finished", lambda: repeat(_of("LoadMemory"))),
    "load cycles": ("Finished", lambda: repeat(_of("LoadCycle"))),
    "profiles": ("Finished", lambda: repeat(_of("ProfileText", text="1 Conv\n" * 4000))),
    "caveats": (
        "Finished",
        lambda: (
            json_line({"type": "BoardCaveat", "caveat": {"code": f"c{n}", "message": "m" * 1000}})
            for n in count()
        ),
    ),
    "environments": ("Finished", lambda: repeat(_of("Environment"))),
    "locked": ("Finished", lambda: repeat(_of("Locked"))),
    "pinning": ("Finished", lambda: repeat(_of("Pinning"))),
    "a line without end": ("Finished", lambda: repeat(b"[" * 65536)),
    "a line without end before Hello": ("Hello", lambda: repeat(b'{"type":"Hello"' * 1000)),
    "a line of 64 MB": ("Finished", lambda: iter([*[b"x" * 65536] * 1024, b"\n"])),
    "100,000 brackets": ("Finished", lambda: iter([b"[" * MANY + b"\n"])),
    "brackets in a field": ("Finished", lambda: iter([b'{"type":"Beat","a":' + b"[" * MANY + b"\n"])),
    "a type that is a list": ("Finished", lambda: iter([b'{"type":[]}\n'])),
    "no message at all": ("Finished", lambda: iter([b"Segmentation fault\n"])),
    "no text": ("Finished", lambda: iter([b"\xff\xfe\x00\n"])),
    "an early Done": ("Finished", lambda: iter([json_line({"type": "Done"})])),
    "put says much": ("put", lambda: repeat(b"noise\n" * 1000)),
    "put says much in a line": ("put", lambda: repeat(b"x" * 1000)),
    "put says little for ever": ("put", lambda: _slowly(b"noise\n")),
}


def flood_lies() -> dict[str, Lie]:
    """Return the lies of many words: name -> lie."""
    return {f"flood: {name}": before(kind, pieces) for name, (kind, pieces) in FLOODS.items()}


def try_lie(name: str, lie: Lie, folder: Path) -> Tried:
    """Push two variants to a board that tells `lie`, and show what came of it in every form."""
    said: list[str] = []
    faults: list[str] = []
    threading.excepthook = lambda bad: faults.append("".join(traceback.format_exception(bad.exc_value)))
    thread = threading.Thread(target=_push, args=(lie, folder, said, faults), daemon=True)
    start = time.monotonic()
    thread.start()
    thread.join(LIMIT_S)
    peak = peak_bytes()
    outcome = HUNG if thread.is_alive() else TRACEBACK if faults else HELD
    told = "\n".join(faults or said)
    return Tried(name, kind_of(name), outcome, told, time.monotonic() - start, peak)


def connect_to(lie: Lie) -> Session:
    """Start a session with a board that tells `lie`; its limits are short."""
    limits = {"silence_limit_s": 2.0, "beat_interval_s": 1.0, "answer_limit_s": 1.0}
    return start_session(BOARD, LyingTransport(lie), **limits)


def _push(lie: Lie, folder: Path, said: list[str], faults: list[str]) -> None:
    connect, out = partial(connect_to, lie), StringIO()
    try:
        with open_store(folder / "results.sqlite") as store:
            outcome = run_campaign(PushOptions(MODELS, SETTINGS), BOARD, connect, store, PlainProgress(out))
        with redirect_stdout(out):
            show_push(outcome.runs, outcome.comparison)
            show_push(outcome.runs, outcome.comparison, json_file=str(folder / "push.json"))
        said += [run.failure.message if run.failure else "ran" for run in outcome.runs]
    except BenchError as error:
        said.append(error.message)
    except BaseException:  # noqa: BLE001 - what escapes is what is looked for
        faults.append(traceback.format_exc())


def kind_of(name: str) -> str:
    """Return the kind that a lie is counted under."""
    return "floods" if name.startswith("flood") else name.partition(".")[0]


def _alone(name: str) -> Tried:
    """Try a lie in a process of its own, so that its memory is its own."""
    command = [sys.executable, __file__, name]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=3 * LIMIT_S)
        return Tried(**json.loads(done.stdout.splitlines()[-1]))
    except (subprocess.TimeoutExpired, IndexError, ValueError) as error:
        return Tried(name, kind_of(name), HUNG, str(error), 3 * LIMIT_S, 0)


def main(names: list[str]) -> int:
    """Try the lies of the command line, or all; returns how many did not hold, at most 1."""
    lies = {**flood_lies(), **field_lies(), **block_lies()}
    with tempfile.TemporaryDirectory() as folder:
        if names:
            tried = try_lie(names[0], lies[names[0]], Path(folder))
            print(json.dumps(asdict(tried)), flush=True)
            return 0
        counts: dict[str, Counter[str]] = {}
        for name, lie in lies.items():
            flood = name.startswith("flood")
            tried = _alone(name) if flood else try_lie(name, lie, Path(folder))
            fat = flood and tried.outcome == HELD and tried.peak_bytes > MEMORY_LIMIT_BYTES
            outcome = FAT if fat else tried.outcome
            counts.setdefault(tried.kind, Counter())[outcome] += 1
            if outcome != HELD or flood:
                peak = f"{tried.seconds:.1f} s, {tried.peak_bytes >> 20} MB"
                told = tried.said[-1500 if outcome != HELD else -150 :]
                print(f"{outcome}: {name} ({peak}): {told}", flush=True)
    for kind, found in counts.items():
        print(f"{kind:14} {dict(found)}")
    total = sum(counts.values(), Counter())
    print(f"{sum(total.values())} lies: {dict(total)}")
    return int(set(total) != {HELD})


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        code = main(sys.argv[1:])
        sys.stdout.flush()
        # A push that hangs must not keep this program.
        import os

        os._exit(code)
