"""What to doubt about a result, and what to do about it: one small rule each, over the result alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from shlex import quote

from rkbench_agent.wire.caveats import INFORMATION, Caveat, caveat
from rkbench_agent.wire.words import DDR, NPU

from rkbench.runs.impossible import impossible_numbers
from rkbench.runs.model import (
    DDR_CLOCK,
    NPU_CLOCK,
    SUSPECT,
    TEMPERATURE,
    VALID,
    Output,
    RunResult,
    Sensor,
    Verdict,
)
from rkbench.stats.slope import RISES
from rkbench.stats.summary import P99_MINIMUM_COUNT, is_bimodal, variation
from rkbench.units import format_bytes, format_celsius, format_hertz, format_ratio

#: As trtexec warns: a coefficient of variation above this makes a mean doubtful.
MAXIMUM_VARIATION = 0.025
#: Fewer timed iterations than this are no basis for a percentile.
MINIMUM_ITERATIONS = 30
#: The vendor's kernels throttle from 75 to 85 degrees Celsius on; the passive trip point differs by board.
HOT_CELSIUS = 80.0
#: Firmware rounds a clock to what its PLL can do; more than this is another clock.
PIN_TOLERANCE_RATIO = 0.03
#: NPU load of others, just before the run, that already disturbs it.
MAXIMUM_LOAD_BEFORE = 0.05
#: Below this cosine three quarters of an output's energy are error: no quantization that works does that.
WRONG_COSINE = 0.5
#: A class vector that agrees in fewer cases than this is wrong as well where the cosine is no better than
#: WRONG_CLASS_COSINE; a few cases may be near ties.
WRONG_TOP1, WRONG_CLASS_COSINE, WRONG_CLASS_CASES = 0.5, 0.9, 4
#: A wall clock before 2020 was never set: the board has no battery-backed clock and no network time.
CLOCK_SET_UNIX_NS = 1_577_836_800_000_000_000

_NO_PIN_FOLLOWED = "the driver or firmware does not follow: pin a clock that its available_frequencies list"
_NO_PIN_REPLAYED = "a virtual board shows example sensors, which follow no pin: keep --pin for real ones"

Rule = Callable[[RunResult, Sequence[int]], Iterator[Caveat]]


def caveats_of(run: RunResult, durations_ns: Sequence[int]) -> tuple[Caveat, ...]:
    """Return every doubt about `run`, whose timed latencies are `durations_ns`."""
    return tuple(found for rule in _RULES for found in rule(run, durations_ns))


def golden_caveats(assumptions: Sequence[str]) -> tuple[Caveat, ...]:
    """Return what was assumed to make a golden fit, one caveat each."""
    return tuple(
        caveat(
            "golden_assumed",
            f"golden: {assumed}",
            "if that is wrong, so is the output error: name the members inputs/NAME and outputs/NAME as the"
            " model does, or let bench golden MODEL.onnx make it",
        )
        for assumed in assumptions
    )


def verdict_of(caveats: Sequence[Caveat]) -> Verdict:
    """Return VALID, or SUSPECT where a caveat casts doubt on a number."""
    return VALID if all(item.weight == INFORMATION for item in caveats) else SUSPECT


def _simulated(run: RunResult, _: Sequence[int]) -> Iterator[Caveat]:
    if run.simulated:
        yield caveat(
            "simulated",
            "a virtual board ran this: latency and sensors are not a real NPU's",
            "repeat it on a board: --board NAME",
        )


def _governor(run: RunResult, _: Sequence[int]) -> Iterator[Caveat]:
    if run.conditions is not None and run.conditions.pinned:
        return  # perhaps by both limits, which leaves the governor as it was
    board = run.board
    free = [
        (part, governor, folder)
        for part, governor, folder in (
            # Runs that an older agent made do not tell the names; the pattern finds the NPU of every SoC.
            (NPU, board.npu_governor, quote(board.npu_devfreq) if board.npu_devfreq else "*.npu"),
            (DDR, board.ddr_governor, quote(board.ddr_devfreq or "dmc")),
        )
        if governor not in (None, "performance", "userspace")
    ]
    if free:
        told = " and ".join(f"{part} governor {governor}" for part, governor, _ in free)
        # A pattern is expanded by the loop; in a redirection dash and busybox would take it as a name.
        folders = " ".join(f"/sys/class/devfreq/{folder}" for _, _, folder in free)
        yield caveat(
            "governor",
            f"{told}: clocks may follow the load",
            f"--pin; or as root there: for d in {folders}; do echo performance > $d/governor; done",
        )


def _pin(run: RunResult, _: Sequence[int]) -> Iterator[Caveat]:
    """A clock that was asked for and written, but is not what the board then ran at."""
    if run.conditions is None or not run.conditions.pinned:
        return
    for part, clock in _clock_sensors(run):
        wanted = run.conditions.clock_hz(part)
        if wanted is None:
            continue
        if max(abs(clock.min - wanted), abs(clock.max - wanted)) > PIN_TOLERANCE_RATIO * wanted:
            yield caveat(
                "pin_without_effect",
                f"{part} clock pinned to {format_hertz(wanted)}, but it read {_clock_range(clock)}",
                _NO_PIN_REPLAYED if run.simulated else _NO_PIN_FOLLOWED,
            )


def _clock_range(clock: Sensor) -> str:
    lowest, highest = format_hertz(clock.min), format_hertz(clock.max)
    return lowest if lowest == highest else f"{lowest} to {highest}"


def _clocks(run: RunResult, _: Sequence[int]) -> Iterator[Caveat]:
    for part, clock in _clock_sensors(run):
        if clock.min != clock.max:
            yield caveat(
                "clock_changed",
                f"{part} clock moved between {format_hertz(clock.min)} and {format_hertz(clock.max)}",
                "hold the clocks still: --pin; or compare only runs at one clock",
            )


def _clock_sensors(run: RunResult) -> Iterator[tuple[str, Sensor]]:
    """Yield NPU and DDR with the sensor of its clock, where that was read."""
    for part, quantity in ((NPU, NPU_CLOCK), (DDR, DDR_CLOCK)):
        yield from ((part, sensor) for sensor in (run.readings.of(quantity) if run.readings else ()))


def _throttling(run: RunResult, _: Sequence[int]) -> Iterator[Caveat]:
    heat = run.readings.of(TEMPERATURE) if run.readings else ()
    hottest = max(heat, key=lambda sensor: sensor.max, default=None)
    if hottest is None or hottest.max < HOT_CELSIUS:
        return
    fell = any(part == NPU and clock.last < clock.max for part, clock in _clock_sensors(run))
    yield caveat(
        "throttling",
        f"{hottest.part} reached {format_celsius(hottest.max)}"
        + (", and the NPU clock fell" if fell else ""),
        "cool the board, or let it rest between runs",
    )


def _variation(_: RunResult, durations_ns: Sequence[int]) -> Iterator[Caveat]:
    ratio = variation(durations_ns)
    if is_bimodal(durations_ns):
        yield caveat(
            "bimodal",
            "latencies fall into two heaps: their mean and p50 describe neither",
            "look at bench export --raw; pin clocks and cores (--cores 0)",
        )
    elif ratio is not None and ratio > MAXIMUM_VARIATION:
        yield caveat(
            "variation",
            f"latencies vary by {ratio * 100:.1f} % (stddev/mean; above 2.5 % is doubtful)",
            "pin the clocks, stop other load, measure longer (--duration 30)",
        )


def _iterations(run: RunResult, _: Sequence[int]) -> Iterator[Caveat]:
    count = run.latency.count if run.latency else 0
    if 0 < count < MINIMUM_ITERATIONS:
        yield caveat("too_few_iterations", f"only {count} timed iterations", "measure more: --iterations 100")
    elif 0 < count < P99_MINIMUM_COUNT:
        yield caveat("p99_unknown", f"p99 needs 100 iterations, there are {count}", "--iterations 100")


def _load_before(run: RunResult, _: Sequence[int]) -> Iterator[Caveat]:
    before = run.readings.npu_load_ratio_before if run.readings else None
    if before is not None and before > MAXIMUM_LOAD_BEFORE:
        yield caveat(
            "npu_busy",
            f"the NPU was {format_ratio(before)} busy before the run: somebody else uses it",
            "find who on the board (rknn processes), or wait",
        )


def is_wrong(output: Output) -> bool:
    """Return whether an output has so little to do with what was expected that no rounding explains it."""
    cosine, top1 = output.cosine_mean, output.top1_agreement
    if cosine is None:
        return False
    few = output.case_count < WRONG_CLASS_CASES
    return cosine < WRONG_COSINE or (
        not few and top1 is not None and top1 < WRONG_TOP1 and cosine < WRONG_CLASS_COSINE
    )


def _outputs_wrong(run: RunResult, _: Sequence[int]) -> Iterator[Caveat]:
    for output in run.outputs:
        if is_wrong(output):
            top1 = output.top1_agreement
            agreement = "" if top1 is None else f", top-1 agrees in {format_ratio(top1)} of the cases"
            yield caveat(
                "outputs_wrong",
                f"output {output.name!r} is not what was expected: mean cosine"
                f" {output.cosine_mean:.3f}{agreement}",
                "its speed means nothing until this is known: check that the golden is of this model and its"
                " outputs in this order, then mean, std and layout of the inputs, then the quantization",
            )


def _outputs(run: RunResult, _: Sequence[int]) -> Iterator[Caveat]:
    for output in run.outputs:
        if output.nan_count or output.inf_count:
            yield caveat(
                "not_finite",
                f"output {output.name!r} holds {output.nan_count} NaN and {output.inf_count} infinite values",
                "fp16 overflows above 65504: quantize, or scale the layer before it",
            )
        if output.constant:
            yield caveat(
                "constant_output",
                f"output {output.name!r} has one value only, whatever the input",
                "check input layout and quantization: its numbers mean nothing",
            )
        if output.deterministic is False:
            yield caveat(
                "nondeterministic",
                f"output {output.name!r} differs when the same input is fed twice",
                "check driver and runtime versions; try --cores 0",
            )


def _leak(run: RunResult, _: Sequence[int]) -> Iterator[Caveat]:
    for leak in run.load.cycles.leaks if run.load and run.load.cycles else ():
        if leak.judgement == RISES:
            what = "NPU buffers" if leak.memory == "dma_buf" else "process memory"
            bounds = f"95 %: {format_bytes(leak.low_bytes)} to {format_bytes(leak.high_bytes)}"
            yield caveat(
                "memory_leak",
                f"{what} grows by {format_bytes(leak.bytes_per_cycle)} with every load ({bounds})",
                "load once and keep the model; try another librknnrt",
            )


def _readings(run: RunResult, _: Sequence[int]) -> Iterator[Caveat]:
    inside = run.readings.inside_count if run.readings else None
    if run.latency is not None and inside is not None and inside < 2:
        yield caveat(
            "few_readings",
            "the timed part was too short to sample clocks and temperatures twice inside it",
            "measure longer: --duration 3",
        )


def _golden(run: RunResult, _: Sequence[int]) -> Iterator[Caveat]:
    if run.plan.golden_sha256 is None:
        yield caveat(
            "no_golden",
            "no golden given: the outputs were not checked",
            "--golden FILE.npz, or --onnx MODEL.onnx",
        )


def _board_clock(run: RunResult, _: Sequence[int]) -> Iterator[Caveat]:
    clock = run.board.clock_unix_ns
    if clock is not None and clock < CLOCK_SET_UNIX_NS:
        yield caveat(
            "board_clock",
            "the board's clock was never set; times here are the host's",
            "on the board: timedatectl set-ntp true",
        )


_RULES: tuple[Rule, ...] = (
    impossible_numbers,
    _outputs_wrong,
    _simulated,
    _governor,
    _pin,
    _clocks,
    _throttling,
    _variation,
    _iterations,
    _load_before,
    _leak,
    _readings,
    _outputs,
    _golden,
    _board_clock,
)
