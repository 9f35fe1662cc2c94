"""The runs that the views' tests show: the story of the demo, with a failure."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

from made_runs import collected, make_latency, make_run
from rkbench.campaign import compare_collected
from rkbench.results.comparison import Comparison
from rkbench.results.loads import Load, LoadRange
from rkbench.results.model import Failure, RunResult
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.provenance import Provenance

SIMULATED = Provenance("from_file", "modelled", "measured", "modelled", "vendor_simulator", "from_file")
GOVERNOR = Caveat("governor", "NPU governor ondemand: clocks may follow the load", "set performance")
SIM = Caveat("simulated", "a virtual board ran this", "repeat it on a board")


def story(simulated: bool = True) -> tuple[list[RunResult], Comparison]:
    """Return four variants: the bloated one, two better ones, and one that crashed."""
    common = {"simulated": simulated, "provenance": SIMULATED} if simulated else {}
    load = Load(0.107, 15_298_560, npu_total_bytes=14_584_128, ranges=_ranges(0.104, 15_290_000))
    base = make_run(1, "digits.fp16", load=load, **common)
    caveats = (SIM, GOVERNOR) if simulated else (GOVERNOR,)
    runs = [
        replace(base, caveats=caveats, verdict="SUSPECT"),
        _variant(base, 2, "digits.int8", 7_376_967, 0.00143, caveats),
        _variant(base, 3, "digits.regrouped.int8", 1_714_759, 0.00227, ()),
        replace(
            base,
            id="1qmv0w0v1-04",
            variant=replace(
                base.variant, name="digits.regrouped.fp16", sha256=f"{2_009_389:064x}", size_bytes=2_009_389
            ),
            load=None,
            latency=None,
            throughput_per_s=None,
            outputs=(),
            partial=True,
            verdict="SUSPECT",
            failure=Failure(
                "load",
                "crash",
                "the worker was killed by SIGSEGV while it loaded the model",
                "try another runtime version",
                "SIGSEGV",
                log_tail=("E RKNN: parseRKNN: [bold]invalid[/bold] RKNN_MAGIC!",),
            ),
        ),
    ]
    durations = (2_260_000, 1_430_000, 2_270_000, 1)
    items = [collected(run, duration) for run, duration in zip(runs, durations, strict=True)]
    return runs, compare_collected(items)


def _ranges(duration_s: float, rss_bytes: int) -> tuple[LoadRange, ...]:
    """Return the ranges over eight loads of which the first was cold, and which agree in the NPU's memory."""
    return (
        LoadRange("duration_s", 8, duration_s, duration_s + 0.03),
        LoadRange("rss_delta_bytes", 8, rss_bytes, rss_bytes + 90_000),
        LoadRange("npu_total_bytes", 8, 1_000_000, 1_000_000),
    )


def _variant(
    base: RunResult, number: int, name: str, size: int, p50_s: float, caveats: tuple[Caveat, ...]
) -> RunResult:
    return replace(
        base,
        id=f"1qmv0w0v1-{number:02d}",
        variant=replace(base.variant, name=name, sha256=f"{size:064x}", size_bytes=size),
        load=Load(0.064, 8_015_872, npu_total_bytes=size - 50_000, ranges=_ranges(0.061, 7_950_000)),
        latency=make_latency(p50_s),
        throughput_per_s=1 / p50_s,
        outputs=(replace(base.outputs[0], cosine=0.99965, max_abs_error=0.158, top1_agreement=0.984),),
        caveats=caveats,
    )


class Terminal(StringIO):
    """An output that says that it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True
