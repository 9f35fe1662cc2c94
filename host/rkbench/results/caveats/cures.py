"""What helps against several doubts, as options of the next push: nothing that this one had already."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rkbench.language.said import NOTHING, Said, listed, say
from rkbench.results.model import RunResult

#: Said where a push ended by its own limit of time: more of anything else would not be measured either.
MORE_TIME = say("give it more time: a longer --max-duration, or leave that away")
#: Said where it ended before its plan did: nothing is known against the plan.
TO_ITS_END = say("run it again to its end")
LEAST_DURATION_S, LEAST_WARMUP = 30, 50
#: What a push had is asked for so many times over.
_TIMES = 4
_SINGLE = ("0", "1", "2")


def is_held(run: RunResult) -> bool:
    """Return whether the push held the clocks: perhaps by limits, which leave the governor as it was."""
    return run.conditions is not None and run.conditions.pinned


def not_held(run: RunResult) -> Said:
    """Return what is said of what the board itself does, where its clocks were held already."""
    return say(
        "pinned, the clocks moved all the same: look for heat{rest}, weak power and firmware",
        rest=_rested(run),
    )


def heat_and_power(run: RunResult) -> Said:
    """Return what to look for where a clock stays lower than it should."""
    return say("look for heat{rest} and weak power", rest=_rested(run))


def cooler(run: RunResult) -> Said:
    """Return what keeps a board from its heat: rest before each run, or a fan where that was had."""
    if run.plan.cool_below_celsius is None:
        return say("cool the board, or let it rest before each run: --cool-below 50")
    return say("cool the board while it works (fan, heat sink): rest before the run was not enough")


def one_core(run: RunResult) -> Said:
    """Return the option that leaves several cores out of it, "" where one core was named already."""
    return NOTHING if run.plan.core_mask in _SINGLE else say("; try --cores 0")


def _rested(run: RunResult) -> Said:
    return NOTHING if run.plan.cool_below_celsius is not None else say(" (--cool-below 50)")


def is_out_of_time(run: RunResult) -> bool:
    """Return whether `--max-duration` ended it before the end of its plan."""
    return any(found.code == "max_duration_reached" for found in run.caveats)


def longer(run: RunResult, least_s: float = LEAST_DURATION_S) -> str:
    """Return what measures longer than the run, for `least_s` or more."""
    return f"--duration {max(least_s, _TIMES * run.plan.min_duration_s):g}"


def longer_soak(run: RunResult, times: float) -> str:
    """Return what soaks so many times as long as the run, and half more: calls may be slower then."""
    elapsed_s = run.soak.elapsed_s if run.soak else run.plan.min_duration_s
    return f"--duration {max(LEAST_DURATION_S, math.ceil(1.5 * times * elapsed_s))}"


def ended_early(run: RunResult) -> Said | None:
    """Return what is said where the run did not come to the end of its plan; None where it did."""
    if is_out_of_time(run):
        return MORE_TIME
    return TO_ITS_END if run.failure is not None else None


def warmer(run: RunResult) -> str:
    """Return what warms up longer than the run."""
    return f"--warmup {max(LEAST_WARMUP, _TIMES * run.plan.warmup_iterations)}"


def steadier(run: RunResult) -> Said:
    """Return what steadies a level that moves."""
    return _either((*_stiller(run), ended_early(run) or say("measure longer ({longer})", longer=longer(run))))


def stiller(run: RunResult) -> Said:
    """Return what keeps a board at one level, where more calls would not help."""
    return _either(_stiller(run) or (say("look for weak power, firmware and what else loads the board"),))


def _stiller(run: RunResult) -> tuple[Said, ...]:
    held = () if is_held(run) else (say("hold the clocks still (--pin)"),)
    cooled = () if run.plan.cool_below_celsius is not None else (say("let the board rest (--cool-below 50)"),)
    return (*held, *cooled)


def _either(ways: Sequence[Said]) -> Said:
    return say("{ways}, or {way}", ways=listed(ways[:-1]), way=ways[-1]) if len(ways) > 1 else ways[0]
