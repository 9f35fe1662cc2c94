"""Doubts about a good result: their codes, and what each means for the verdict, for both ends."""

from __future__ import annotations

from dataclasses import dataclass

#: Says what is not known; casts no doubt on what is.
INFORMATION = "information"
#: Casts doubt on a number of the run.
DOUBT = "doubt"
#: Says that clocks may have followed the load: no more is known against the run.
CLOCKS = "clocks"
KINDS = (INFORMATION, DOUBT, CLOCKS)

#: Every caveat's code. The failure catalogue adds `catalogue_N` for its row N.
WEIGHTS = {
    # what the agent knows
    "background_load": DOUBT,
    "blocks_load_anew": INFORMATION,
    "cache_in_memory": INFORMATION,
    "cache_unreadable": INFORMATION,
    "clocks_not_restored": DOUBT,
    "clocks_restored": INFORMATION,
    "core_mask_ignored": DOUBT,
    "core_mask_replaced": DOUBT,
    "cores_not_modelled": INFORMATION,
    "driver_old": DOUBT,
    "fewer_contexts": INFORMATION,
    "load_cycles_failed": DOUBT,
    "max_duration_reached": INFORMATION,
    "memory_tight": DOUBT,
    "not_cool": DOUBT,
    "not_on_big_cores": DOUBT,
    "not_pinned": CLOCKS,
    "other_users_unseen": INFORMATION,
    "outputs_not_recorded": INFORMATION,
    "pin_lost": DOUBT,
    "profile_failed": DOUBT,
    "runtime_version_mismatch": DOUBT,
    "single_core_fallback": DOUBT,
    "temperature_unknown": DOUBT,
    # what the host sees in the result, in the golden, in the board
    "autocorrelated": DOUBT,
    "below_max_clock": DOUBT,
    "blocks_differ": DOUBT,
    "board_clock": INFORMATION,
    "busy_during": DOUBT,
    "clock_changed": DOUBT,
    "constant_output": DOUBT,
    "container_untried": DOUBT,
    "cpu_governor": CLOCKS,
    "dead_part": DOUBT,
    "differs_from_simulator": DOUBT,
    "drift": DOUBT,
    "equal_nonfinite": INFORMATION,
    "few_blocks": INFORMATION,
    "few_quads": INFORMATION,
    "few_readings": INFORMATION,
    "golden_assumed": INFORMATION,
    "governor": CLOCKS,
    "growth": DOUBT,
    "host_bound": INFORMATION,
    "implausible_rate": DOUBT,
    "impossible_number": DOUBT,
    "levels_differ": DOUBT,
    "memory_leak": DOUBT,
    "modes": DOUBT,
    "no_golden": INFORMATION,
    "nondeterministic": DOUBT,
    "not_finite": DOUBT,
    "not_scored": INFORMATION,
    "npu_busy": DOUBT,
    "one_scale": DOUBT,
    "outputs_beside": DOUBT,
    "outputs_wrong": DOUBT,
    "overloaded": DOUBT,
    "p99_rough": INFORMATION,
    "periodic": DOUBT,
    "pin_without_effect": DOUBT,
    "precision_not_reached": INFORMATION,
    "random_calibration": DOUBT,
    "runtime_ambiguous": DOUBT,
    "sensors_missing": INFORMATION,
    "simulated": INFORMATION,
    "slow_start": DOUBT,
    "slow_turns": DOUBT,
    "throttling": DOUBT,
    "ties": INFORMATION,
    "too_few_iterations": DOUBT,
}


@dataclass(frozen=True)
class Caveat:
    """A doubt about a good result, with what to do about it.

    `weight` says what it means for the verdict: whoever makes the caveat decides, so that a code which the
    other end does not know yet keeps its meaning.
    """

    code: str
    message: str
    advice: str = ""
    weight: str = DOUBT


def caveat(code: str, message: str, advice: str = "") -> Caveat:
    """Return the caveat of a code in WEIGHTS; raises KeyError for one that is not there, which is a bug."""
    return Caveat(code, message, advice, WEIGHTS[code])
