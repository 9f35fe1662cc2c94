"""Runs that raise a caveat, and runs of nearly the same that do not; and tests of an agent that do so."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

from advice_words import ROOT
from rkbench.results.caveats import caveats_of, golden_caveats
from rkbench.results.cycles import load_cycles
from rkbench.results.diagnosis import log_caveats
from rkbench.results.extras import PinRecord
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import Readings, RunResult, Sensor
from rkbench.results.records import MadeFrom, SimulatorError, Variant
from rkbench.results.server import Server, ServerTry
from rkbench_agent.runtimes.base import ModelSetup
from rkbench_agent.runtimes.core_mask import choose_core_mask
from rkbench_agent.wire.board import HeldClock
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.messages import Latencies, LoadCycle
from test_before_push import LIBRARY, MODEL, look

sys.path += [str(ROOT / "tests" / room) for room in ("host", "truth")]

import board_claims  # the path must be set first
import caveat_claims
from made_runs import make_latencies, make_latency, make_run

Told = dict[str, str]
"""What was said: the codes of caveats, with the advice of each as it is printed."""


class Pair(NamedTuple):
    """What says which caveats were raised: where this one was, and where it was not."""

    raising: Callable[[], Told]
    quiet: Callable[[], Told]


GOOD = make_run()
OUTPUT = GOOD.outputs[0]
#: How long a board is watched: all that it does shows soon, but for heat.
SECONDS, UNTIL_HOT_S = 10.0, 30.0
STEADY = RawLatencies()
for block in range(2):
    STEADY.append(Latencies("r", block, False, list(range(50)), [1000 + at % 5 for at in range(50)]))


def told_of(found: Iterable[Caveat]) -> Told:
    return {item.code: item.advice for item in found}


def of(run: RunResult, latencies: RawLatencies = STEADY) -> Told:
    return told_of(caveats_of(run, latencies))


def changed(latencies: RawLatencies = STEADY, quiet: dict[str, Any] | None = None, **loud: Any) -> Pair:
    """Return the pair of a run with these parts, and of one with others, or as it was."""
    return Pair(lambda: of(replace(GOOD, **loud), latencies), lambda: of(replace(GOOD, **quiet or {})))


def of_output(**loud: Any) -> Pair:
    return changed(outputs=(replace(OUTPUT, **loud),))


def of_board(**loud: Any) -> Pair:
    return changed(board=replace(GOOD.board, **loud))


def of_latency(count: int, blocks: int, **loud: Any) -> dict[str, Any]:
    return {"latency": replace(make_latency(0.002, count), block_count=blocks, **loud)}


def made(**loud: Any) -> Pair:
    how = MadeFrom("int8", "k", "f" * 64, "random")
    return changed(
        variant=replace(GOOD.variant, made=replace(how, **loud)),
        quiet={"variant": replace(GOOD.variant, made=how)},
    )


def simulated_as(cosine: float) -> Variant:
    """Return the variant with what the simulator is to have said of its output."""
    how = MadeFrom("int8", "k", "f" * 64, simulator=(SimulatorError(OUTPUT.name, 16, cosine),))
    return replace(GOOD.variant, made=how)


def of_log(line: str) -> Pair:
    return Pair(lambda: told_of(log_caveats([line], ())), lambda: told_of(log_caveats(["I RKNN: fine"], ())))


def of_doctor(quiet: Callable[[], Any] = look, **loud: Any) -> Pair:
    return Pair(lambda: told_of(look(**loud).of("m.rknn")), lambda: told_of(quiet().of("m.rknn")))


def staged(code: str) -> Pair:
    """Return the first of the truths of latencies that names this, and a healthy run of the same seed."""
    truth = next(item for item in caveat_claims.TRUTHS if item.code == code)
    return Pair(partial(staged_as, truth.behaviour), _healthy)


@cache
def _healthy() -> Told:
    return staged_as(caveat_claims.HEALTHY)


def staged_as(behaviour: dict[str, Any]) -> Told:
    """Return what is said of a run of 30 s on a board with that behaviour."""
    raw = caveat_claims.staged(behaviour, caveat_claims.SEEDS)
    return of(caveat_claims.RUN, raw)


def on_board(code: str) -> Pair:
    """Return the first of the truths of a board that names this, and a healthy board of the same seed."""
    truth = next(item for item in board_claims.TRUTHS if item.code == code)
    return Pair(partial(_on_board, truth), _on_healthy_board)


@cache
def _on_healthy_board() -> Told:
    return _on_board(None)


def on_board_held(code: str, *, held: bool) -> Told:
    """Return what is said on the board whose clock that caveat names, its governor holding it or not."""
    truth = next(item for item in board_claims.TRUTHS if item.code == code)
    return _on_board(replace(truth, held=held))


def _on_board(truth: board_claims.BoardTruth | None) -> Told:
    with board_claims.example_board() as root:
        seconds = SECONDS if truth is None or truth.code != "throttling" else UNTIL_HOT_S
        run = board_claims.pushed(truth, caveat_claims.SEEDS, root, seconds)
        return told_of(run.caveats)


def in_turns(loads: int, planned: int = 7, **plan: Any) -> Told:
    settings = replace(GOOD.plan, variants_in_push=2, quads=2, loads=planned, **plan)
    return of(replace(GOOD, plan=settings), make_latencies(2_000_000, loads=loads))


def cycles(step: int) -> dict[str, Any]:
    return cycles_of([9_000_000 + step * at for at in range(21)])


def settling(count: int) -> Told:
    """Return what is said of load cycles whose memory settles: an allocator's 2 MB (1 - exp(-i / 3))."""
    noise = [0, 9, 4, 13, 2, 11, 6]
    kept = [int(9e6 + 2e6 * (1 - math.exp(-at / 3)) + 4096 * noise[at % 7]) for at in range(count + 1)]
    return of(replace(GOOD, **cycles_of(kept)))


def cycles_of(kept_bytes: list[int]) -> dict[str, Any]:
    told = [LoadCycle("r", at, 10**7, 10**6, kept) for at, kept in enumerate(kept_bytes)]
    assert GOOD.load is not None
    return {"load": replace(GOOD.load, cycles=load_cycles(told))}


def pinned_at(hz: float) -> dict[str, Any]:
    clock = Sensor("npu_clock_hz", 3, hz, hz, hz, hz, hz, "npu_clock_hz")
    held = PinRecord(True, {}, clocks=(HeldClock("NPU", clock_hz=600_000_000),))
    return {"readings": Readings(3, 0.0, (clock,)), "conditions": held}


def masked(soc: str) -> Told:
    return told_of(choose_core_mask(ModelSetup("m.rknn", [], soc=soc, core_mask="0-1"))[1])


def served(grew: bool) -> dict[str, Any]:
    return {"server": Server((ServerTry(500.0, 99.0, 1000, 0.01, 0.02, 0.04, 0.09, queue_grew=grew),))}


def searched(slow_s: float) -> dict[str, Any]:
    """Return a search over two rates, at the second of which calls that wait for none take `slow_s`."""
    quick = ServerTry(None, 198.0, 4000, 0.005, 0.005, 0.005, 0.006, unqueued_s=0.005, unqueued_high_s=0.0051)
    slow = replace(quick, rate_per_s=50.0, unqueued_s=slow_s, unqueued_low_s=0.0052)
    return {
        "server": Server((quick, slow), "p99 <= 20ms"),
        "plan": replace(GOOD.plan, scenario="server", contexts=(1,)),
    }


IMPOSSIBLE = RawLatencies()
IMPOSSIBLE.append(Latencies("r", 0, False, list(range(50)), [*[1000] * 49, -5]))
WRONG = {"cosine": -0.5, "cosine_mean": -0.5, "top1_agreement": 0.1, "case_count": 32}
RUNS: dict[str, Pair] = {
    **{
        code: staged(code)
        for code in (
            *("drift", "slow_start", "slow_turns", "periodic", "modes", "blocks_differ", "autocorrelated"),
        )
    },
    **{
        code: on_board(code)
        for code in ("below_max_clock", "clock_changed", "throttling", "busy_during", "host_bound", "growth")
    },
    "simulated": changed(simulated=True),
    "governor": of_board(npu_governor="rknpu_ondemand"),
    "cpu_governor": of_board(cpu_governors={"policy0": "schedutil"}),
    "board_clock": of_board(clock_unix_ns=12_000_000_000),
    "too_few_iterations": changed(**of_latency(29, 20), quiet=of_latency(30, 20, p99_s=None)),
    "p99_rough": changed(**of_latency(999, 20), quiet=of_latency(1000, 20)),
    "few_blocks": changed(**of_latency(1000, 5), quiet=of_latency(1000, 6)),
    "few_quads": Pair(lambda: in_turns(5), lambda: in_turns(6)),
    "few_readings": changed(
        readings=Readings(3, 0.0, (), inside_count=1),
        quiet={"readings": Readings(3, 0.0, (), inside_count=2)},
    ),
    "precision_not_reached": Pair(
        lambda: in_turns(10, 10, precision_percent=0.5), lambda: in_turns(9, 10, precision_percent=0.5)
    ),
    "npu_busy": changed(readings=Readings(3, 0.06), quiet={"readings": Readings(3, 0.05)}),
    "no_golden": changed(plan=replace(GOOD.plan, golden_sha256=None)),
    "not_finite": of_output(nan_count=3),
    "equal_nonfinite": of_output(nan_count=3, equal_nonfinite=3),
    "constant_output": of_output(constant=True),
    "nondeterministic": of_output(deterministic=False),
    "ties": of_output(tied_count=1),
    "outputs_wrong": of_output(**WRONG),
    "overloaded": changed(**served(True), quiet=served(False)),
    "levels_differ": changed(**searched(0.0065), quiet=searched(0.00522)),
    "impossible_number": changed(IMPOSSIBLE),
    "memory_leak": changed(**cycles(42_000), quiet=cycles(1_000)),
    "pin_without_effect": changed(**pinned_at(3e8), quiet=pinned_at(5.94e8)),
    "random_calibration": made(is_calibrated_on_noise=True),
    "differs_from_simulator": Pair(
        lambda: of(replace(GOOD, variant=simulated_as(0.9999), outputs=(replace(OUTPUT, cosine=0.99),))),
        lambda: of(replace(GOOD, variant=simulated_as(0.995), outputs=(replace(OUTPUT, cosine=0.99),))),
    ),
    "golden_assumed": Pair(lambda: told_of(golden_caveats(["x is y"])), lambda: told_of(golden_caveats([]))),
    "driver_old": of_log("W RKNN: Current driver version: 0.8.2, recommend to upgrade the driver to 0.8.8"),
    "single_core_fallback": of_log("E RKNN: Failed to config layer 'a' using 3Core fallback to single core"),
    "core_mask_replaced": of_log(
        'W The RK3576 platform has only two NPU cores. "NPU_CORE_0_1_2" is automatically replaced'
    ),
    "core_mask_ignored": Pair(lambda: masked("rk3568"), lambda: masked("rk3588")),
    "container_untried": of_doctor(model=replace(MODEL, container_version=99)),
    "sensors_missing": of_doctor(sensors={"npu_load": False, "npu_clock": True}),
    "runtime_version_mismatch": of_doctor(model=replace(MODEL, toolkit_version="2.5.0")),
    "runtime_ambiguous": of_doctor(
        lambda: look(libraries=[LIBRARY, replace(LIBRARY, path="/opt/x.so")]),
        libraries=[LIBRARY, replace(LIBRARY, path="/opt/x.so", version="1.6.0")],
    ),
}

_CONDITIONS, _PLAN = "tests/agent/test_agent_conditions.py", "tests/agent/test_agent_plan.py"
_PINNING, _TRUTHS = "tests/agent/test_agent_pinning.py", "tests/host/results/test_output_truths.py"
_FORETOLD, _LOCK = "tests/contract/test_foretold_push.py", "tests/agent/test_agent_lock.py"
_HELD = f"{_PINNING}::test_clocks_are_pinned_while_it_measures_and_given_back"
_WHOLE = f"{_PLAN}::test_one_variant_is_loaded_compared_and_timed"
_WANTED = f"{_PLAN}::test_want_is_answered_with_what_the_cache_has"
#: The tests of an agent, a board or a whole push: which raises it, and which does not.
TESTS: dict[str, tuple[str, str]] = {
    "background_load": (
        f"{_CONDITIONS}::test_an_npu_that_others_use_is_a_caveat",
        f"{_CONDITIONS}::test_a_calm_board_has_no_such_caveat",
    ),
    "blocks_load_anew": (
        "tests/agent/test_agent_lite.py::test_variants_that_do_not_load_together_load_for_every_block",
        f"{_PLAN}::test_two_variants_take_turns_in_the_order_a_b_b_a",
    ),
    "cache_in_memory": (f"{_PLAN}::test_a_cache_in_memory_is_a_caveat", _WANTED),
    "cache_unreadable": (f"{_PLAN}::test_a_cache_that_cannot_be_asked_is_a_caveat", _WANTED),
    "clocks_not_restored": (
        f"{_PINNING}::test_a_clock_that_cannot_be_given_back_is_a_doubt_about_every_run",
        _HELD,
    ),
    "clocks_restored": (f"{_PINNING}::test_what_a_killed_guard_left_is_given_back_by_the_next_start", _HELD),
    "dead_part": (
        f"{_TRUTHS}::test_a_dead_channel_is_named",
        f"{_TRUTHS}::test_a_channel_that_is_constant_in_the_golden_too_is_not_dead",
    ),
    "fewer_contexts": (
        "tests/agent/test_agent_offline.py::test_a_context_too_many_leaves_what_was_measured_with_fewer",
        "tests/agent/test_agent_offline.py::test_contexts_fill_the_cores_and_then_wait_for_each_other",
    ),
    "implausible_rate": (
        f"{_FORETOLD}::test_a_latency_of_twice_the_prediction_is_told_with_its_likely_causes",
        f"{_FORETOLD}::test_within_the_band_and_where_there_is_none_nothing_is_told",
    ),
    "load_cycles_failed": (
        f"{_CONDITIONS}::test_load_cycles_that_fail_cost_a_caveat_and_not_the_run",
        f"{_CONDITIONS}::test_load_cycles_come_from_a_worker_of_their_own_after_the_clean_run",
    ),
    "max_duration_reached": (f"{_PLAN}::test_the_longest_duration_ends_a_run_within_a_block", _WHOLE),
    "memory_tight": (f"{_CONDITIONS}::test_force_loads_it_all_the_same_with_a_caveat", _WHOLE),
    "not_cool": (
        f"{_CONDITIONS}::test_a_board_that_stays_hot_is_measured_with_a_caveat",
        f"{_CONDITIONS}::test_a_hot_board_is_waited_for_until_it_is_cool",
    ),
    "not_on_big_cores": (
        f"{_PINNING}::test_big_cores_that_a_worker_may_not_use_are_a_doubt",
        f"{_PINNING}::test_big_cores_that_a_worker_may_use_are_none",
    ),
    "not_pinned": (
        f"{_PINNING}::test_a_refused_write_leaves_nothing_half_pinned_and_names_the_command",
        _HELD,
    ),
    "not_scored": (
        "tests/e2e/test_scored_push.py::test_a_function_that_fails_costs_its_metric_alone_and_the_exit_code",
        "tests/e2e/test_scored_push.py::test_metrics_of_true_labels_are_shown_stored_and_required",
    ),
    "one_scale": (
        f"{_TRUTHS}::test_a_detector_with_one_scale_is_named_although_its_cosine_is_perfect",
        f"{_TRUTHS}::test_a_detector_with_a_scale_for_each_part_is_not_named",
    ),
    "other_users_unseen": (
        f"{_LOCK}::test_a_lock_for_all_users_that_cannot_be_opened_is_told",
        _HELD,
    ),
    "outputs_beside": (
        "tests/e2e/test_interference.py::test_outputs_that_change_beside_another_model_make_a_run_suspect",
        "tests/host/views/test_interference_view.py::test_outputs_that_change_are_a_doubt_and_equal_ones_are_none",
    ),
    "outputs_not_recorded": (f"{_PLAN}::test_outputs_that_nobody_recorded_are_not_invented", _WHOLE),
    "pin_lost": (f"{_PINNING}::test_a_guard_that_is_killed_meanwhile_is_a_caveat_and_leaves_nothing", _HELD),
    "profile_failed": (
        f"{_CONDITIONS}::test_a_profile_that_cannot_be_had_costs_a_caveat_and_not_the_run",
        f"{_CONDITIONS}::test_the_profile_is_the_runtimes_own_text",
    ),
    "temperature_unknown": (
        f"{_CONDITIONS}::test_a_board_without_thermometers_says_so",
        f"{_CONDITIONS}::test_a_cool_board_is_not_waited_for",
    ),
}
