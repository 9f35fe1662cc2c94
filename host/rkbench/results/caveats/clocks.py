"""What the clocks of the board did, and whether anything held them still."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from shlex import quote

from rkbench_agent.wire.caveats import CLOCKS, INFORMATION, Caveat, caveat
from rkbench_agent.wire.words import CPU, DDR, FROM_FILE, NPU

from rkbench.language.said import NOTHING, Said, clause, say
from rkbench.results.caveats.cures import heat_and_power, is_held, not_held
from rkbench.results.caveats.rule import Evidence, Rule
from rkbench.results.model import CPU_CLOCK, DDR_CLOCK, NPU_CLOCK, RunResult, Sensor
from rkbench.units import format_hertz

#: Firmware rounds a clock to what its PLL can do; more than this is another clock.
PIN_TOLERANCE_RATIO = 0.03
#: Governors under which a clock follows no load.
HELD = ("performance", "userspace")

_NO_PIN_FOLLOWED = say(
    "the driver or firmware does not follow: pin a clock that its available_frequencies list"
)
_NO_PIN_REPLAYED = say("a virtual board shows example sensors, which follow no pin: keep --pin for real ones")

_CPU_BY_HAND = say(
    "--pin; or as root there: for d in /sys/devices/system/cpu/cpufreq/policy*; do echo performance >"
    " $d/scaling_governor; done"
)
_CPU_FOLLOWS = clause("CPU governor {told}: the part of the call that is no NPU may follow the load{tail}")
_PINNED = clause("{part} clock pinned to {wanted}, but it read {read}")


def shows_examples(run: RunResult) -> bool:
    """Return whether its sensors are the files of a virtual board, which nothing moves."""
    return run.simulated and run.provenance.readings in (FROM_FILE, None)


def _governor(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    if shows_examples(run):
        return
    free = free_governors(run)
    if free:
        # A pattern is expanded by the loop; in a redirection dash and busybox would take it as a name.
        folders = " ".join(f"/sys/class/devfreq/{folder}" for _, folder in free.values())
        yield caveat(
            "governor",
            _following(free),
            say(
                "--pin; or as root there: for d in {folders}; do echo performance > $d/governor; done",
                folders=folders,
            ),
        )


def _following(free: Mapping[str, tuple[str, str]]) -> Said:
    (part, (governor, _)), *others = free.items()
    for other, (second, _) in others:
        return say(
            "{part} governor {governor} and {other} governor {second}: clocks may follow the load",
            part=part,
            governor=governor,
            other=other,
            second=second,
        )
    return say("{part} governor {governor}: clocks may follow the load", part=part, governor=governor)


def free_governors(run: RunResult) -> dict[str, tuple[str, str]]:
    """Return the parts whose governor lets the clock follow the load: its name and its folder."""
    if is_held(run):
        return {}
    board = run.board
    known = (
        # Runs that an older agent made do not tell the names; the pattern finds the NPU of every SoC.
        (NPU, board.npu_governor, quote(board.npu_devfreq) if board.npu_devfreq else "*.npu"),
        (DDR, board.ddr_governor, quote(board.ddr_devfreq or "dmc")),
    )
    return {
        part: (governor, folder)
        for part, governor, folder in known
        if governor is not None and governor not in HELD
    }


def _pin(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    """A clock that was asked for and written, but is not what the board then ran at."""
    if run.conditions is None or not run.conditions.pinned:
        return
    for part, clock in clock_sensors(run):
        wanted = run.conditions.clock_hz(part)
        if wanted is None:
            continue
        if max(abs(clock.min - wanted), abs(clock.max - wanted)) > PIN_TOLERANCE_RATIO * wanted:
            text = _PINNED(part=part, wanted=format_hertz(wanted), read=_clock_range(clock))
            if shows_examples(run):
                yield replace(caveat("pin_without_effect", text, _NO_PIN_REPLAYED), weight=INFORMATION)
            else:
                yield caveat("pin_without_effect", text, _NO_PIN_FOLLOWED)


def _clock_range(clock: Sensor) -> str:
    lowest, highest = format_hertz(clock.min), format_hertz(clock.max)
    return lowest if lowest == highest else say("{low} to {high}", low=lowest, high=highest)


def _clocks(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    for part, clock in clock_sensors(run):
        if clock.min != clock.max:
            found = caveat(
                "clock_changed",
                say(
                    "{part} clock moved between {low} and {high}",
                    part=part,
                    low=format_hertz(clock.min),
                    high=format_hertz(clock.max),
                ),
                not_held(run)
                if is_held(run)
                else say("hold the clocks still: --pin; or compare only runs at one clock"),
            )
            # With a governor that follows the load this is what it is there for.
            yield replace(found, weight=CLOCKS) if part in free_governors(run) else found


def clock_sensors(run: RunResult) -> Iterator[tuple[str, Sensor]]:
    """Yield NPU and DDR with the sensor of its clock, where that was read."""
    for part, quantity in ((NPU, NPU_CLOCK), (DDR, DDR_CLOCK)):
        yield from ((part, sensor) for sensor in (run.readings.of(quantity) if run.readings else ()))


def cpu_clock_sensors(run: RunResult) -> Iterator[tuple[str, Sensor]]:
    """Yield each CPU policy, as `CPU policy0`, with the sensor of its clock."""
    for sensor in run.readings.of(CPU_CLOCK) if run.readings else ():
        yield f"{CPU} {sensor.part}", sensor


def _below_maximum(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    """An NPU that never reached its highest clock, though nobody asked for a lower one."""
    top = run.board.npu_max_clock_hz
    wanted = run.conditions.clock_hz(NPU) if run.conditions is not None and is_held(run) else None
    clock = next((clock for part, clock in clock_sensors(run) if part == NPU), None)
    if not top or clock is None or (wanted or top) < top or shows_examples(run):
        return
    if clock.max < (1 - PIN_TOLERANCE_RATIO) * top:
        yield caveat(
            "below_max_clock",
            say(
                "the NPU ran at {clock}, never at its {top}",
                clock=_clock_range(clock),
                top=format_hertz(top),
            ),
            heat_and_power(run) if is_held(run) else _highest(heat_and_power(run)),
        )


def _highest(look: Said) -> Said:
    return say("hold it at its highest clock: --pin; if that does not help, {look}", look=look)


def _cpu_governors(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    """CPUs whose clocks follow the load: the whole call is Python, copies and a wait besides the NPU."""
    governors = run.board.cpu_governors or {}
    free = {policy: governor for policy, governor in governors.items() if governor not in HELD}
    if not free or is_held(run) or shows_examples(run):
        return
    same = len(set(governors.values())) == 1
    told = next(iter(free.values())) if same else ", ".join(" ".join(item) for item in sorted(free.items()))
    moved = [part for part, clock in cpu_clock_sensors(run) if clock.min != clock.max]
    tail = say("; {parts} moved", parts=", ".join(moved)) if moved else NOTHING
    yield caveat(
        "cpu_governor",
        _CPU_FOLLOWS(told=told, tail=tail),
        _CPU_BY_HAND,
    )


CLOCK_RULES: tuple[Rule, ...] = (_governor, _cpu_governors, _pin, _clocks, _below_maximum)
