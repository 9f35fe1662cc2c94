"""What an agent says is typed strictly, and nothing that it says is a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rkbench.boards.agent.put_reply import PutReply
from rkbench.decoding.messages import answer, decode
from rkbench.errors import ProtocolError
from rkbench_agent.wire.board import Reading
from rkbench_agent.wire.caveats import caveat
from rkbench_agent.wire.codec import encode
from rkbench_agent.wire.messages import Beat, Finished, Latencies, Log, Progress
from rkbench_agent.wire.outputs import OutputError
from rkbench_agent.wire.plan import FileFigures, Plan, RunSettings, RunSpec, TensorSpec
from rkbench_agent.wire.provenance import Provenance


def line(kind: str, **fields: Any) -> bytes:
    """Return a line as an agent might send it."""
    return json.dumps({"type": kind, **fields}).encode()


PROGRESS = {"run": "a", "stage": "warmup", "done": 1, "total": 5, "unit": "iterations"}
BATCH = {"run": "a", "block": 0, "warmup": False, "start_ns": [1, 9], "duration_ns": [3, 4]}
HELLO = {
    "magic": "m",
    "protocol": 2,
    "digest": "d",
    "agent_version": "1",
    "python_version": "3",
    "pid": 1,
    "unix_ns": 1,
}
HAVE = {"digests": [], "partial": {}, "free_bytes": 1, "cache_dir": "c"}
LOG = {"run": None, "stream": "agent", "text": "well", "time_ns": 7}


@pytest.mark.parametrize(
    "message",
    [
        Beat(),
        Latencies("a", 3, True, [1, 2], [3, 4], None, [5, 6], None, None),
        Reading(
            5, npu_load_ratio=[0.5], cpu_clock_hz={"cpu0": 408_000_000}, temperature_celsius={"soc": 41.5}
        ),
        OutputError("a", 0, 1, "out", [1, 10], "float32", cosine=0.99, top1_agreement=True),
        Finished("a", 100, Provenance(load="measured"), [caveat("not_cool", "too hot")]),
        Plan(
            [RunSpec("a", "m", "0" * 64, 9, [TensorSpec("x", [1, 3], "int8")], [], figures=FileFigures(7))],
            RunSettings(pin=True, npu_clock_hz=10**9),
        ),
    ],
    ids=lambda message: type(message).__name__,
)
def test_what_the_agent_encodes_is_read_as_it_was(message: Any) -> None:
    assert decode(encode(message).strip()) == message


def test_a_field_that_a_newer_agent_adds_is_ignored() -> None:
    assert decode(line("Beat", mood={"is": ["good"]})) == Beat()


def test_a_whole_number_is_a_number() -> None:
    message = decode(line("Progress", **PROGRESS))
    assert isinstance(message, Progress)
    assert isinstance(message.done, float)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "truncated"),
        (b"Segmentation fault", "malformed"),
        (b'{"type":"Beat"} and more', "trailing"),
        (b"[1]", "Expected `object`"),
        (b"{}", "missing required field `type`"),
        (line("Coffee"), "unknown type"),
        (b'{"type":["Beat"]}', r"Expected `str`, got `array` - at `\$.type`"),
        (line("Progress", run="a"), "missing required field `stage`"),
        (line("Progress", **{**PROGRESS, "unit": None}), r"Expected `str`, got `null` - at `\$.unit`"),
        (line("Progress", **{**PROGRESS, "done": "1"}), r"Expected `float`, got `str` - at `\$.done`"),
        (line("Progress", **{**PROGRESS, "done": float("nan")}), "malformed"),
        (line("Progress", **{**PROGRESS, "done": float("inf")}), "malformed"),
        (line("Progress", **PROGRESS).replace(b'"total": 5', b'"total": 1e999'), "out of range"),
        (line("Progress", **{**PROGRESS, "done": -1e308}), "a number that is too large"),
        (line("Log", **{**LOG, "time_ns": 2**63}), "more than 64 bits"),
        (line("Log", **{**LOG, "time_ns": -(2**63) - 1}), "more than 64 bits"),
        (line("Log", **LOG).replace(b"7", b"9" * 5000), "out of range"),
        (line("Log", **{**LOG, "time_ns": 7.5}), "Expected `int`, got `float`"),
        (line("Log", **LOG).replace(b"well", b"\xff"), "can't decode"),
        (line("Log", **LOG).replace(b'"well"', b"[" * 100_000), "recursion"),
        (line("Latencies", **{**BATCH, "duration_ns": [3]}), "different lengths"),
        (line("Latencies", **{**BATCH, "run_ns": []}), "different lengths"),
        (line("Latencies", **{**BATCH, "duration_ns": [3, 2**63]}), "too big|too large"),
        (line("Latencies", **{**BATCH, "block": 2**63}), "too big|too large"),
        (line("Latencies", **{**BATCH, "start_ns": {"0": 1}}), "Expected `array`, got `object`"),
        (line("Hello", **{**HELLO, "silence_limit_s": -1.0}), "a silence limit that is none"),
        (line("Have", **{**HAVE, "free_bytes": -1}), "negative number of bytes"),
        (line("Have", **{**HAVE, "partial": {"a": -1}}), "negative number of bytes"),
        (line("Finished", run="a", iterations=1, provenance={"load": 1}), r"at `\$.provenance.load`"),
        (line("Finished", run="a", iterations=1, provenance={}, caveats=[[]]), r"at `\$.caveats\[0\]`"),
    ],
)
def test_what_is_no_message_is_refused_with_its_start(said: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why) as caught:
        decode(said)
    assert caught.value.message.endswith(repr(said[:80]))


def test_bytes_of_the_board_that_are_no_text_become_question_marks() -> None:
    text = b"caf\xe9.rknn \xf0\x9f\x8d\xb5".decode("utf-8", "surrogateescape")
    assert decode(line("Log", **{**LOG, "text": text})) == Log(None, "agent", "caf?.rknn 🍵", 7)


def test_long_digits_in_a_text_are_no_number() -> None:
    message = decode(line("Log", **{**LOG, "text": "1" * 40}))
    assert isinstance(message, Log)
    assert message.text == "1" * 40


def test_the_answer_of_a_program_is_typed_too() -> None:
    told = b'{"ok": true, "cached": false, "message": "caf\\udce9", "mood": 1}'
    assert answer(PutReply, told) == PutReply(ok=True, message="caf?")
    with pytest.raises(ProtocolError, match=r"Expected `bool`, got `str` - at `\$\.ok`"):
        answer(PutReply, b'{"ok": "yes"}')
    with pytest.raises(ProtocolError, match=r"malformed.*Killed"):
        answer(PutReply, b"Killed")


THREADS = """
import os, sys, threading
from rkbench.decoding.messages import decode

lines = sys.stdin.buffer.read().splitlines()
sys.setswitchinterval(1e-6)
together = threading.Barrier(4)

def read():
    together.wait()
    for line in lines:
        decode(line)

for _ in range(20):
    child = os.fork()
    if not child:
        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""


def test_the_boards_of_a_night_may_speak_for_the_first_time_at_once() -> None:
    """Where msgspec was asked for one decoder by two threads, the process died of SIGSEGV."""
    recorded = Path(__file__).parents[2] / "contract/recordings/crash.jsonl"
    command, said = [sys.executable, "-c", THREADS], recorded.read_bytes()
    done = subprocess.run(command, check=False, input=said, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
