"""Results made by hand for the tests of stores, caveats, comparisons and views."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rkbench.results.collect import Collected
from rkbench.results.latencies import RawLatencies
from rkbench.results.loads import Load
from rkbench.results.model import Latency, PercentileBounds, Readings, RunResult, Sensor, Stages
from rkbench.results.output import Output
from rkbench.results.records import BoardRecord, PlanRecord, TransferRecord, Variant
from rkbench_agent.wire.board import Reading
from rkbench_agent.wire.messages import Latencies
from rkbench_agent.wire.provenance import Provenance

MEASURED = Provenance("measured", "measured", "measured", "measured", "measured", "measured")


def make_run(number: int = 1, name: str = "fp16", push: str = "1qmv0w0v1", **changes: Any) -> RunResult:
    """Return a valid run on a real board that no caveat applies to; `changes` replace its fields."""
    run = RunResult(
        id=f"{push}-{number:02d}",
        push=push,
        started_at="2026-11-23T14:00:00.000+00:00",
        rkbench_version="0.1.0",
        simulated=False,
        partial=False,
        verdict="VALID",
        provenance=MEASURED,
        board=BoardRecord(
            "desk",
            soc="rk3588",
            driver_version="0.9.8",
            runtime="lite",
            runtime_version="2.3.2",
            npu_governor="performance",
            ddr_governor="performance",
            npu_clock_hz=1_000_000_000,
            npu_max_clock_hz=1_000_000_000,
            cpu_count=8,
            clock_unix_ns=1_795_000_000_000_000_000,
        ),
        variant=Variant(name, f"{number:064x}", 14_580_397, target="rk3588"),
        plan=PlanRecord(runtime="lite", golden_sha256="a" * 64),
        load=Load(duration_s=0.107, rss_delta_bytes=15_298_560, npu_total_bytes=14_584_128),
        latency=make_latency(0.00226),
        throughput_per_s=443.0,
        outputs=(Output(0, "logits", (1, 10), "float32", 64, 0.99999, 0.99999, 0.00804, top1_agreement=1.0),),
        readings=Readings(
            6, 0.0, (Sensor("npu_clock_hz", 6, 1e9, 1e9, 1e9, 1e9, 1e9, quantity="npu_clock_hz"),)
        ),
        transfer=TransferRecord(14_580_397, 0, True, 0.0),
    )
    return replace(run, **changes)


def make_latency(p50_s: float, count: int = 1000) -> Latency:
    """Return a narrow latency summary around `p50_s`."""
    return Latency(
        count,
        p50_s * 0.99,
        p50_s,
        p50_s,
        p50_s * 1.01,
        p50_s * 1.02 if count >= 662 else None,
        p50_s * 1.05,
        p50_s * 0.005,
        warmup_count=5,
        block_count=count // 50,
        stages=Stages(),
        p95_s=p50_s * 1.015,
        bounds=(
            PercentileBounds(50.0, p50_s * 0.999, p50_s * 1.001, count * 0.9),
            PercentileBounds(90.0, p50_s * 1.008, p50_s * 1.013, count * 0.9),
            PercentileBounds(99.0, p50_s * 1.018, p50_s * 1.024 if count > 1000 else None, count * 0.9),
        ),
    )


def make_latencies(
    duration_ns: int, *, loads: int = 7, quads: int = 2, size: int = 20, place: int = 0
) -> RawLatencies:
    """Return blocks of iterations, each 0.1 % longer or shorter than `duration_ns`, measured in turns.

    A round has 32 slots of a second, and `place` (0 to 15) says which two of them are this run's. No two
    loads are quite alike.
    """
    raw = RawLatencies()
    raw.append(Latencies("r", 0, True, [0], [duration_ns * 2]))
    for number in range(2 * loads * quads):
        round_number, is_back = divmod(number, 2)
        load = round_number // quads
        start = (32 * (1 + round_number) + (31 - place if is_back else place)) * 1_000_000_000
        level = duration_ns + duration_ns // 2000 * ((load * 3 + place * 5) % 7 - 3)
        durations = [level + duration_ns // 1000 * (index % 3 - 1) for index in range(size)]
        starts = [start + index * 2 * duration_ns for index in range(size)]
        raw.append(Latencies("r", number, False, starts, durations, load=load))
    return raw


def collected(run: RunResult, duration_ns: int = 2_260_000, **latencies: int) -> Collected:
    """Return `run` with latencies, at the place that its number says, and one reading."""
    raw = make_latencies(duration_ns, place=int(run.id[-2:]) % 16, **latencies)
    return Collected(run, raw, (Reading(5, npu_load_ratio=[0.5, 0.0, 0.0]),))
