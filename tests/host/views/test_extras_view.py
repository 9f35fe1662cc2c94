"""The tables beside that of a push: core masks, load cycles, layers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rkbench.results.extras import Leak, LoadCycles
from rkbench.results.model import RunResult
from rkbench.results.profile import read_profile
from rkbench.views.push.extras import aligned_sweep, cycles_text, is_sweep, profile_lines
from rkbench_agent.wire.caveats import Caveat
from view_runs import make_latency, make_run

PROFILES = Path(__file__).parents[2] / "data/profiles"


def on_cores(number: int, cores: str, p50_s: float, rate: float, *codes: str) -> RunResult:
    run = make_run(number, latency=make_latency(p50_s), throughput_per_s=rate)
    caveats = tuple(Caveat(code, code, "") for code in codes)
    return replace(run, plan=replace(run.plan, core_mask=cores), caveats=caveats)


def test_a_sweep_is_one_table_of_cores() -> None:
    runs = [
        on_cores(1, "auto", 0.00211, 470.0),
        on_cores(2, "0", 0.00217, 460.0),
        on_cores(3, "all", 0.00119, 820.0, "single_core_fallback", "no_golden"),
    ]
    assert is_sweep(runs)
    lines = aligned_sweep(runs, "≈")
    assert [line.split() for line in lines] == [
        ["variant", "cores", "p50", "p99", "throughput", "against", "doubts"],
        ["fp16", "auto", "2.11", "ms", "2.15", "ms", "470", "/s"],
        ["0", "2.17", "ms", "2.21", "ms", "460", "/s", "auto", "0.98×"],
        ["all", "1.19", "ms", "1.21", "ms", "820", "/s", "auto", "1.74×", "single_core_fallback"],
    ]


def test_variants_on_equal_cores_are_no_sweep() -> None:
    assert not is_sweep([make_run(1, "fp16"), make_run(2, "int8")])


def test_load_cycles_are_told_in_one_sentence() -> None:
    leak = Leak("rss", "rises", 4096.0, 4000.0, 4200.0, "")
    clean = Leak("dma_buf", "no rise", 0.0, -1.0, 1.0, "")
    assert cycles_text("fp16", LoadCycles(20, 0.05, 0.02, (leak, clean), ())) == (
        "fp16: loaded and released 20 times in one worker of its own: "
        "first load 50.0 ms, then 20.0 ms (median); "
        "process memory: 4.10 kB a cycle (95 %: 4.00 kB to 4.20 kB), it leaks; "
        "NPU buffers: 0 B a cycle (95 %: -1 B to 1 B), no leak seen"
    )


def test_few_cycles_say_nothing_of_leaks() -> None:
    leak = Leak("rss", "too few values", None, None, None, "")
    text = cycles_text("fp16", LoadCycles(3, 0.05, 0.02, (leak,), ()))
    assert text.endswith("process memory: too few cycles to say whether it leaks")


def test_the_slowest_layers_come_first_with_their_units() -> None:
    profile = read_profile("capi", (PROFILES / "layer_table_2.3_rk3588.txt").read_text())
    assert profile_lines("seg", profile) == [
        (
            "seg: 6 layers, 400 µs: NPU 45 % in 2, CPU 50 % in 3, GPU 5 % in 1 "
            "(a run of its own, which profiling slows down)"
        ),
        "   time   share  unit  op              layer",
        " 190 µs  47.5 %  CPU   Resize          Resize:/up/Resize",
        " 120 µs  30.0 %  NPU   ConvExSwish     Conv:/block.0/conv/Conv",
        "60.0 µs  15.0 %  NPU   Conv            (layer 2)",
        "20.0 µs   5.0 %  GPU   MatMul          MatMul:/head/MatMul",
        "6.00 µs   1.5 %  CPU   OutputOperator  OutputOperator:y",
        "4.00 µs   1.0 %  CPU   InputOperator   InputOperator:x",
    ]


def test_a_form_that_is_not_known_is_shown_raw() -> None:
    assert profile_lines("seg", read_profile("capi", "layer | ms\nconv | 3\n")) == [
        "seg: the runtime's table of layers has a form that is not known; as it is:",
        "layer | ms",
        "conv | 3",
    ]
