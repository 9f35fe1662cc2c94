"""What loads the board besides the run, and what memory does not come back."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.words import CAPI, CAPI_ZERO_COPY, SERVER, SINGLE_STREAM

from rkbench.language.said import NOTHING, say
from rkbench.results.caveats.clocks import shows_examples
from rkbench.results.caveats.rule import Evidence, Rule
from rkbench.results.model import CPU_LOAD, NPU_LOAD, RunResult
from rkbench.stats.slope import RISES
from rkbench.units import format_bytes, format_ratio, format_seconds

#: So many CPUs one run keeps busy (its call, and what waits for the NPU), and what others may add.
OWN_CPUS, MAXIMUM_CPU_LOAD = 1.5, 0.25
#: A call is bound by the host where what surrounds `rknn_run` takes so much, and so much of it.
LEAST_BESIDE_S, LEAST_BESIDE_RATIO = 0.0002, 0.5
#: What this process keeps of each latency is less than a page.
LEAST_GROWTH_BYTES, LEAST_GROWTH_EACH_BYTES = 500_000, 4096
#: NPU load of others, just before the run, that already disturbs it.
MAXIMUM_LOAD_BEFORE = 0.05


def _load_before(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    before = run.readings.npu_load_ratio_before if run.readings else None
    if before is not None and before > MAXIMUM_LOAD_BEFORE:
        yield caveat(
            "npu_busy",
            f"the NPU was {format_ratio(before)} busy before the run: somebody else uses it",
            say(
                "find who, as root on the board: lsof /dev/dri/renderD* /dev/rknpu; and measure when it is"
                " over"
            ),
        )


def _load_during(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    """CPUs busier than one run makes them, and NPU cores that it does not use."""
    if run.readings is None or run.plan.scenario != SINGLE_STREAM or shows_examples(run):
        return
    told = []
    for sensor in run.readings.of(CPU_LOAD):
        own = OWN_CPUS / run.board.cpu_count if run.board.cpu_count else None
        if own is not None and sensor.mean > own + MAXIMUM_CPU_LOAD:
            told.append(
                f"CPUs {format_ratio(sensor.mean)}, of which one run takes at most {format_ratio(own)}"
            )
    used = _used_cores(run.plan.core_mask)
    cores = [sensor for sensor in run.readings.of(NPU_LOAD) if used is not None and sensor.part not in used]
    busy = [sensor for sensor in cores if sensor.mean > MAXIMUM_LOAD_BEFORE]
    told += [f"NPU core {sensor.part} {format_ratio(sensor.mean)}" for sensor in busy]
    if told:
        yield caveat(
            "busy_during",
            f"others loaded the board during the run: {' and '.join(told)}",
            say("find who (on the board: top), and measure when it is over"),
        )


def _used_cores(core_mask: str) -> tuple[str, ...] | None:
    """Return the NPU cores that a mask names; None where the runtime chooses them."""
    return {"0": ("0",), "1": ("1",), "2": ("2",), "0-1": ("0", "1"), "all": ("0", "1", "2")}.get(core_mask)


def _host_bound(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    """A call most of whose surroundings is Python and copies; only its whole is what a user waits for."""
    whole, inner = run.latency, run.latency.stages.run if run.latency else None
    if whole is None or inner is None or run.plan.runtime == CAPI_ZERO_COPY or inner.p50_s <= 0:
        return
    # There a latency begins when the call was due: what surrounds `rknn_run` is the queue too.
    if run.plan.scenario == SERVER:
        return
    beside_s = whole.p50_s - inner.p50_s
    if beside_s < LEAST_BESIDE_S or beside_s < LEAST_BESIDE_RATIO * inner.p50_s:
        return
    better = CAPI_ZERO_COPY if run.plan.runtime == CAPI else CAPI
    yield caveat(
        "host_bound",
        f"the call takes {format_seconds(whole.p50_s)}, rknn_run alone {format_seconds(inner.p50_s)}: the"
        " rest is Python, copies and conversion on the CPU",
        say(
            "see what a program in C would get{where}: --runtime {better}",
            where=say(" on a board") if run.simulated else NOTHING,
            better=better,
        ),
    )


def _growth(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    """Memory that stays behind with every inference while Python's collector of cycles rests."""
    growth, count = run.growth_bytes, run.growth_iterations
    if growth is None or not count or growth < max(LEAST_GROWTH_BYTES, LEAST_GROWTH_EACH_BYTES * count):
        return
    why, advice = (
        ("something leaks", say("try another librknnrt and driver; load anew every few thousand inferences"))
        if run.plan.runtime in (CAPI, CAPI_ZERO_COPY)
        else (
            "RKNNLite leaves a cycle of references behind each, or something leaks",
            say("in your program call gc.collect() every few hundred inferences; or --runtime capi"),
        )
    )
    yield caveat(
        "growth",
        f"process memory grew by {format_bytes(growth / count)} with every inference ({format_bytes(growth)}"
        f" over a block of {count}): {why}",
        advice,
    )


def _leak(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    for leak in run.load.cycles.leaks if run.load and run.load.cycles else ():
        if leak.judgement == RISES:
            what = "NPU buffers" if leak.memory == "dma_buf" else "process memory"
            bounds = f"95 %: {format_bytes(leak.low_bytes)} to {format_bytes(leak.high_bytes)}"
            yield caveat(
                "memory_leak",
                f"{what} grows by {format_bytes(leak.bytes_per_cycle)} with every load ({bounds})",
                say(
                    "load once and keep the model; try another librknnrt; in few cycles an allocator that"
                    " settles looks so too: --load-cycles 50"
                ),
            )


LOAD_RULES: tuple[Rule, ...] = (_load_before, _load_during, _host_bound, _growth, _leak)
