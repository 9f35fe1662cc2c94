"""A push read along, line by line: it says what the JSON says, and a reader that stalls holds nothing up."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from bench_command import run_bench
from rkbench.errors import BenchError
from rkbench.schema import SCHEMAS
from rkbench.views.push.stream import PushStream
from rkbench_agent.wire.board import Reading
from rkbench_agent.wire.messages import Latencies

DATA = Path("host/rkbench/demo/data").resolve()
PUSH = (
    "push", DATA / "digits.fp16.rknn", DATA / "digits.int8.rknn", "--board", "virtual",
    "--golden", DATA / "golden.npz", "--quick",
)  # fmt: skip


def check(line: dict[str, Any]) -> None:
    """Hold a line to the schema, and to have no field that it does not name."""
    schema = json.loads((SCHEMAS / "rkbench-stream-1.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(line)
    (part,) = [
        case["then"]["$ref"]
        for case in schema["allOf"]
        if case["if"]["properties"]["event"]["const"] == line["event"]
    ]
    known = {*schema["properties"], *schema["$defs"][part.rpartition("/")[2]]["properties"]}
    assert set(line) <= known, line


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_push_is_told_as_it_goes_in_the_words_of_the_json(tmp_path: Path) -> None:
    out, store = tmp_path / "push.json", tmp_path / "s"
    done = run_bench(*PUSH, "--store", store, "--jsonl", "-", "--json", out)
    assert done.returncode == 0, done.stderr
    told, document = lines_of(done.stdout), json.loads(out.read_text())
    assert told[0] == {"event": "begin", "schema": "rkbench-stream/1"}
    for line in {line["event"]: line for line in told}.values():
        check(line)
    assert {"begin", "step", "reading", "block", "verdict", "run", "comparison"} <= {
        line["event"] for line in told
    }
    runs = {line["run"]["id"]: line["run"] for line in told if line["event"] == "run"}
    assert [runs[run["id"]] for run in document["runs"]] == document["runs"]
    assert told[-1] == {"event": "comparison", "comparison": document["comparison"]}
    for run in document["runs"]:
        blocks = [line for line in told if line["event"] == "block" and line["run"] == run["id"]]
        assert sum(block["count"] for block in blocks) == run["latency"]["count"]
        assert min(block["min_s"] for block in blocks) == run["latency"]["min_s"]
        assert max(block["max_s"] for block in blocks) == run["latency"]["max_s"]
        verdicts = [
            line["verdict"] for line in told if line["event"] == "verdict" and line["run"] == run["id"]
        ]
        assert verdicts == [run["verdict"]]
        codes = [line["code"] for line in told if line["event"] == "caveat" and line["run"] == run["id"]]
        assert codes == [caveat["code"] for caveat in run["caveats"]]
    assert any(line["event"] == "reading" and "npu_load_ratio" in line for line in told)
    kinds = [line["event"] for line in told]
    assert kinds.index("block") < kinds.index("verdict") < kinds.index("run")


@pytest.mark.parametrize("is_open", [True, False], ids=["stalled", "never there"])
def test_a_reader_that_stalls_delays_nothing(tmp_path: Path, is_open: bool) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR) if is_open else None
    done = run_bench(*PUSH, "--store", tmp_path / "s", "--jsonl", pipe, "--json", tmp_path / "out.json")
    assert done.returncode == 0
    assert "nobody read to the end" in done.stderr
    runs = json.loads((tmp_path / "out.json").read_text())["runs"]
    assert [run["verdict"] for run in runs] == ["VALID", "VALID"]
    assert all(run["latency"]["count"] >= 100 and not run["partial"] for run in runs)
    if reader is not None:
        os.close(reader)


def test_what_a_slow_reader_loses_is_counted(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with PushStream(str(pipe), patience_s=0.01, most=3) as stream:
        for number in range(10):
            stream.hear(Reading(number))
        reader = os.open(pipe, os.O_RDONLY)
        told = ""
        while "lost_lines_before" not in told:
            stream.hear(Reading(10))
            told += os.read(reader, 100_000).decode()
    lost = [line["lost_lines_before"] for line in lines_of(told) if "lost_lines_before" in line]
    assert lost[0] >= 8
    os.close(reader)


def test_warm_up_and_what_follows_a_switch_are_in_no_block(tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    with PushStream(str(file)) as stream:
        stream.hear(Latencies("r", 0, True, [0], [9_000_000]))
        stream.hear(Latencies("r", 0, False, [10, 20], [8_000_000, 1_000_000], unread=1))
        stream.hear(Latencies("r", 0, False, [30], [3_000_000]))
        stream.hear(Latencies("r", 1, False, [40], [2_000_000]))
    _, block = lines_of(file.read_text())
    assert block == {
        "event": "block", "run": "r", "block": 0, "load": 0, "start_ns": 10, "count": 2,
        "min_s": 0.001, "mean_s": 0.002, "p50_s": 0.002, "max_s": 0.003,
    }  # fmt: skip


def test_a_file_that_cannot_be_written_is_said_at_the_end() -> None:
    with PushStream("/dev/full") as stream:
        stream.hear(Reading(1))
    with pytest.raises(BenchError, match="--jsonl /dev/full"):
        stream.check()


def test_a_reader_of_a_pipe_may_leave(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with PushStream(str(pipe)) as stream:
        reader = os.open(pipe, os.O_RDONLY)  # returns once the stream has opened it as well
        os.close(reader)
        stream.hear(Reading(1))
    stream.check()
    assert capsys.readouterr().err == f"bench: --jsonl {pipe}: nobody read to the end\n"


def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    done = run_bench(*PUSH, "--jsonl", tmp_path / "none" / "x", "--store", tmp_path / "s")
    assert (done.returncode, "no folder" in done.stderr) == (2, True)
    done = run_bench(*PUSH, "--jsonl", "-", "--json", "-", "--store", tmp_path / "s")
    assert (done.returncode, "cannot both have stdout" in done.stderr) == (2, True)


def test_the_schema_refuses_a_line_that_lacks_what_its_event_has() -> None:
    check({"event": "verdict", "run": "r-01", "verdict": "VALID"})
    for wrong in (
        {"event": "verdict", "run": "r-01"},
        {"event": "verdict", "run": "r-01", "verdict": "FINE"},
        {"event": "block", "run": "r-01", "block": 0},
        {"event": "nothing"},
        {"text": "no event"},
    ):
        with pytest.raises(jsonschema.ValidationError):
            check(wrong)
