"""What `--json` writes is what the schema says, for every way a run can end."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from recorded import FIRST, SECOND, read_recording
from rkbench.campaign import compare_collected
from rkbench.results.collect import Collector
from rkbench.results.environment import board_record
from rkbench.results.model import Failure, RunResult
from rkbench.results.records import PlanRecord, TransferRecord, Variant
from rkbench.results.serialize import dump_run, to_json
from rkbench.store.documents import load_run
from rkbench.views.push.json import SCHEMA_FILE, push_document
from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.messages import Hello
from rkbench_agent.wire.provenance import Provenance
from strict_schema import strict_validator

VALIDATOR = strict_validator(SCHEMA_FILE)


def header(run_id: str, name: str, hello: Hello, environment: Environment) -> RunResult:
    return RunResult(
        id=run_id,
        push=run_id[:9],
        started_at="2026-11-23T14:00:00.000+00:00",
        rkbench_version="0.1.0",
        simulated=True,
        partial=False,
        verdict="VALID",
        provenance=Provenance(),
        board=board_record("virtual", hello, environment),
        variant=Variant(name, "0" * 64, 1000, target="rk3588"),
        plan=PlanRecord(runtime="virtual", min_duration_s=0.0, variants_in_push=2),
        transfer=TransferRecord(1000, 0, True, 0.0),
    )


def document(name: str, count: int | None = None) -> dict[str, Any]:
    hello, environment, *stream = read_recording(name)
    assert isinstance(hello, Hello)
    assert isinstance(environment, Environment)
    headers = [header(FIRST, "a", hello, environment), header(SECOND, "b", hello, environment)]
    collector = Collector(headers)
    for message in stream[:count]:
        collector.add(message)
    cut = Failure("connection", "cancelled", "the line broke off")
    unfinished = collector.unfinished()
    collected = [collector.result(run.id, cut if run.id in unfinished else None) for run in headers]
    return push_document([item.run for item in collected], compare_collected(collected))


@pytest.mark.parametrize("name", ["two_variants", "crash", "constant"])
@pytest.mark.parametrize("count", [0, 1, 5, 12, 20, 40, None])
def test_a_recording_cut_anywhere_yields_valid_json(name: str, count: int | None) -> None:
    text = json.dumps(document(name, count), allow_nan=False)
    VALIDATOR.validate(json.loads(text))


def test_a_reader_of_today_accepts_a_field_that_comes_later() -> None:
    push = document("crash")
    push["runs"][0]["variant"]["color"] = "red"
    jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text())).validate(push)
    with pytest.raises(jsonschema.ValidationError, match="'color' was unexpected"):
        VALIDATOR.validate(push)


@pytest.mark.parametrize(
    ("value", "why"),
    [("3 MB", "is not of type 'integer'"), (-1, "less than the minimum"), (None, "is not of type")],
)
def test_a_size_is_a_number_of_bytes(value: object, why: str) -> None:
    push = document("crash")
    push["runs"][0]["variant"]["size_bytes"] = value
    with pytest.raises(jsonschema.ValidationError, match=why):
        VALIDATOR.validate(push)


def test_a_run_survives_json() -> None:
    run = load_run(json.dumps(document("two_variants")["runs"][0]))
    assert load_run(dump_run(run)) == run
    assert to_json(run) == document("two_variants")["runs"][0]


def test_the_numbers_are_those_of_the_recording() -> None:
    push = document("two_variants")
    first, second = push["runs"]
    assert first["load"]["npu_weight_bytes"] == 669824
    assert first["load"]["npu_internal_bytes"] == 190464
    assert second["load"]["npu_total_bytes"] == 476480
    assert (first["latency"]["count"], first["latency"]["warmup_count"]) == (300, 5)
    assert first["latency"]["block_count"] == 6
    assert first["outputs"][0]["case_count"] == 2
    assert first["outputs"][0]["cosine"] == 0.9999998836107287
    assert first["outputs"][0]["max_abs_error"] == 0.004983425140380859
    assert first["outputs"][0]["top1_agreement"] == 1.0
    assert first["provenance"] == {
        "load": "from_file",
        "load_duration": "modelled",
        "process_memory": "measured",
        "latency": "modelled",
        "outputs": "vendor_simulator",
        "readings": "from_file",
    }


def test_constant_outputs_and_a_flapping_clock_are_caveats() -> None:
    codes = [caveat["code"] for caveat in document("constant")["runs"][0]["caveats"]]
    assert "constant_output" in codes
    assert "modes" in codes
