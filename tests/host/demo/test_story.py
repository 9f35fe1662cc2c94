"""What the demo says of runs, also of runs that went wrong."""

from __future__ import annotations

from rkbench.demo.story import Facts, StoryLine, choose, opening, source_of, sources, table, verdict, width
from rkbench.results.loads import Load
from rkbench.results.measure_types import NumberGroup
from rkbench.results.model import Failure, Latency, RunResult
from rkbench.results.output import Output
from rkbench.results.records import BoardRecord, PlanRecord, Variant
from rkbench_agent.wire.provenance import Provenance

PLAN = PlanRecord(runtime="virtual", min_duration_s=1.0, variants_in_push=2)
BROKEN = Failure("load", "crash", "the worker died")


def run(
    name: str,
    size: int,
    *,
    top1: float | None = 1.0,
    latency: str | None = "modelled",
    failure: Failure | None = None,
) -> RunResult:
    outputs = (
        () if top1 is None else (Output(0, "logits", case_count=64, cosine=0.9996, top1_agreement=top1),)
    )
    return RunResult(
        id=name,
        push="push",
        started_at="2026-01-01T00:00:00+00:00",
        rkbench_version="0",
        simulated=latency == "modelled",
        partial=False,
        verdict="VALID",
        provenance=Provenance(load="from_file", latency=latency, outputs="vendor_simulator"),
        board=BoardRecord("virtual"),
        variant=Variant(name, "00", size),
        plan=PLAN,
        load=Load(npu_total_bytes=size // 2),
        latency=Latency(100, 0.001, 0.001, 0.001, 0.001, None, 0.001, None),
        outputs=outputs,
        failure=failure,
    )


def test_the_smallest_of_those_that_agree_most_is_chosen() -> None:
    runs = [run("big", 9000), run("small", 4000), run("smallest", 1000, top1=0.98)]
    chosen = choose(runs)
    assert chosen is not None
    assert chosen.variant.name == "small"


def test_a_failed_run_is_never_chosen() -> None:
    assert choose([run("a", 1, failure=BROKEN)]) is None
    assert verdict([run("a", 1, failure=BROKEN)]) == (
        "No variant can be named: no run was completed with its outputs compared."
    )


def test_without_outputs_nothing_is_chosen() -> None:
    assert choose([run("a", 1, top1=None)]) is None


def test_the_verdict_leaves_a_modelled_latency_to_the_users_board() -> None:
    assert verdict([run("big", 10_000_000), run("small", 2_000_000)]) == (
        "Ship small: 2.00 MB instead of 10.0 MB (-80.0 %), 1.00 MB of NPU memory instead of 5.00 MB,"
        " the same class as the ONNX on 64 of 64 digits; but its latency is only modelled here"
        " (≈1.00 ms against ≈1.00 ms), so let your own board decide that."
    )


def test_a_measured_latency_needs_no_doubt() -> None:
    runs = [run("big", 10_000_000, latency="measured"), run("small", 2_000_000, latency="measured")]
    assert verdict(runs).endswith("on 64 of 64 digits.")
    assert table(runs, 1000)[-1].cells == ("1.00 ms", "1.00 ms")


def test_what_is_unknown_is_shown_as_a_dash() -> None:
    cells = {line.label: line.cells[0] for line in table([run("a", 2000, top1=None)], 1000)}
    assert (cells["lowest cosine"], cells["max. logit error"], cells["top-1 as the ONNX"]) == ("–", "–", "–")
    assert cells["against the ONNX"] == "2.0×"


def test_every_source_of_a_group_is_named() -> None:
    runs = [run("a", 1), run("b", 1, latency="measured"), run("c", 1, latency=None)]
    assert source_of(runs, NumberGroup.LATENCY) == "measured, ≈ simulated: a model, no NPU"
    assert source_of(runs, NumberGroup.READINGS) == "–"


def test_the_opening_takes_its_figures_from_the_files() -> None:
    facts = Facts("m.onnx", 1_000_000, "m.rknn", 15_500_000, "rk3588", "It is so.", 8)
    text = " ".join(opening(facts))
    assert "m.onnx, is 1.00 MB. Converted for rk3588 it became 15.5 MB: 15.5× as much." in text
    assert "Why? It is so." in text
    assert "with 8 held-out digits" in text


def test_the_sources_fit_into_one_sentence_where_the_line_is_short() -> None:
    lines = (
        StoryLine("size", ("1 B",), "the file"),
        StoryLine("ratio", ("2×",), "the file"),
        StoryLine("p50", ("≈3 s",), "a model"),
    )
    assert sources(lines) == "size, ratio: the file; p50: a model."
    assert width(lines, [("converted", "fp16")]) == 5 + (9 + 2) + (8 + 2)
