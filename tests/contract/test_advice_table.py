"""What each caveat advises, typed: taken out of the text as printed, accepted, and good for what it says."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import pytest
from advice_words import ROOT, literals
from caveat_cases import (
    GOOD,
    RUNS,
    TESTS,
    Told,
    in_turns,
    of,
    of_latency,
    on_board_held,
    settling,
    staged_as,
    told_of,
)
from rkbench.campaign.settings import SPELLED, PushOptions
from rkbench.cli.app import app
from rkbench.results.caveats import golden_caveats
from rkbench.results.extras import PinRecord
from rkbench.results.model import Readings
from rkbench.variants.variant import prepare_variants
from rkbench_agent.wire.caveats import WEIGHTS
from rkbench_agent.wire.plan import Plan, RunSettings
from test_every_caveat import NO_MORE_SAID, source_of
from typed_advice import MODELS, asked, read, typed

#: Said where nothing is to be typed, and why.
NOTHING_TO_TYPE = {
    "background_load": "who loads the board is found there (top), and stopped by a person",
    "blocks_load_anew": "a board without the memory for all variants; it says how to read the numbers",
    "board_clock": "the board's own clock is set on the board",
    "busy_during": "who loads the board is found there (top), and stopped by a person",
    "cache_in_memory": "the cache's folder is a line of bench.toml",
    "cache_unreadable": "the cache's folder is looked at on the board",
    "clocks_not_restored": "a board is rebooted, or its governors set by hand",
    "clocks_restored": "nothing is left to do",
    "container_untried": "a newer toolkit made the file; nobody knows more",
    "core_mask_ignored": "an option is left away",
    "driver_old": "the kernel of a board is its owner's",
    "equal_nonfinite": "the golden holds them as well",
    "implausible_rate": "causes, each with what a person looks at on the board",
    "impossible_number": "a defect of clock or driver, to be reported",
    "load_cycles_failed": "the log says why",
    "memory_tight": "memory is freed on the board",
    "not_on_big_cores": "cpusets are the board's",
    "not_pinned": "rights on the board, or its files by hand",
    "not_scored": "a defect in the user's own function or outputs",
    "npu_busy": "who uses the NPU is found on the board (lsof)",
    "other_users_unseen": "it says how to read the numbers",
    "outputs_wrong": "a golden or a conversion is made again, outside of rkbench; that of one value: below",
    "periodic": "what runs in a rhythm is found on the board",
    "pin_lost": "who ended the guard is found on the board (dmesg)",
    "pin_without_effect": "the clocks that firmware follows stand in its available_frequencies",
    "runtime_ambiguous": "a library is removed from the board",
    "runtime_version_mismatch": "a library is installed on the board",
    "sensors_missing": "rights on the board",
    "single_core_fallback": "a newer converter may split the model",
    "ties": "the last layer is converted in float16",
}
#: Texts of agents and of whole pushes, as they stand in the source: `{}` is what differs.
PRINTED = {
    "dead_part": "bench inspect MODEL.rknn --against MODEL.onnx",
    "fewer_contexts": "free memory, make the model smaller, or ask for fewer: --contexts 1,2",
    "max_duration_reached": "give it more time: --max-duration {}, or leave it away",
    "not_cool": "give it a fan, wait longer (--cool-limit), or ask for less",
    "one_scale": "give each part a scale of its own: end the ONNX before the Concat that joins them"
    " (bench inspect MODEL.rknn names it), convert again, and join them after the NPU",
    "outputs_beside": "give each model cores of its own: --placement spread; ",
    "outputs_not_recorded": "push to a board (--board NAME), or give the golden whose outputs lie beside the"
    " model",
    "profile_failed": "the time of each layer needs the C API: librknnrt.so (--runtime capi)",
    "temperature_unknown": "bench boards check NAME says what is missing",
}


ROOMS = (
    "host/rkbench/results/caveats",
    *(f"agent/rkbench_agent/{room}" for room in ("board", "run", "runtimes")),
)


@cache
def advice_of(code: str) -> str:
    """Return the advice of a caveat as it is printed, or as it stands in the source."""
    return PRINTED[code] if code in PRINTED else RUNS[code].raising()[code]


NAMING = [code for code in (*RUNS, *PRINTED) if code not in NOTHING_TO_TYPE]


def test_every_caveat_has_something_to_type_or_a_reason_why_not() -> None:
    assert {*NAMING, *NOTHING_TO_TYPE} == WEIGHTS.keys() - NO_MORE_SAID
    assert TESTS.keys() == PRINTED.keys() | (TESTS.keys() & NOTHING_TO_TYPE.keys())


def test_each_advice_of_the_table_stands_in_the_source() -> None:
    files = [path for room in ROOMS for path in (ROOT / room).glob("*.py")]
    known = {text.text for path in files for text in literals(path)}
    assert [code for code, text in PRINTED.items() if text not in known] == []


@pytest.mark.parametrize("code", sorted(NOTHING_TO_TYPE.keys() & RUNS.keys()))
def test_what_has_nothing_to_type_names_nothing(code: str) -> None:
    assert typed(RUNS[code].raising()[code]) == []


@pytest.mark.parametrize("code", NAMING)
def test_what_an_advice_names_is_accepted_and_stands_in_the_plan(code: str) -> None:
    commands = typed(advice_of(code))
    assert commands
    for words in commands:
        if words[0] != "push":
            assert read(words)
        elif words.count("--board") == 1:  # which else is what is advised
            assert differing(asked(words)) or is_taken_up(words), words


def is_taken_up(words: list[str]) -> bool:
    """Return whether the last option has its value: a default changes no plan, nor does an ONNX."""
    return str(read(words)[words[-2].lstrip("-").replace("-", "_")]) == words[-1]


def differing(options: PushOptions) -> set[str]:
    """Return what a push asks for otherwise than one of the same models without any option."""
    plain = PushOptions(options.models, other=options.other)
    of_push = {
        item.name for item in fields(plain) if getattr(plain, item.name) != getattr(options, item.name)
    }
    settings = {
        item.name
        for item in fields(RunSettings)
        if getattr(plain.settings, item.name) != getattr(options.settings, item.name)
    }
    return of_push - {"settings"} | settings - {"scenario"}


def merged(code: str) -> PushOptions:
    """Return a push with all the options at once that the advice of a caveat names."""
    pushes = [asked(words) for words in typed(advice_of(code)) if words[0] == "push"]
    settings = RunSettings()
    for push in pushes:
        changed = {name for name in differing(push) if hasattr(settings, name)}
        settings = replace(settings, **{name: getattr(push.settings, name) for name in changed})
    golden = next((push.golden for push in pushes if push.golden), None)
    return PushOptions(pushes[0].models, settings, golden)


def held(push: PushOptions) -> Told:
    """Return what is said of a board with governors that follow the load, pinned or not."""
    board = replace(GOOD.board, npu_governor="rknpu_ondemand", cpu_governors={"policy0": "schedutil"})
    return of(replace(GOOD, board=board, conditions=PinRecord(push.settings.pin, {})))


def after_blocks(push: PushOptions) -> Told:
    settings = push.settings
    blocks = math.ceil(settings.min_duration_s / settings.block_duration_s)
    return of(replace(GOOD, **of_latency(1000, blocks)))


def after_warm_up(push: PushOptions) -> Told:
    cold = {"calls": max(0, 20 - push.settings.warmup_iterations), "factor": 1.5}
    return staged_as({"scatter": {"block": 0.001}, "cold": cold})


def clock_held(code: str) -> Callable[[PushOptions], Told]:
    """Return what is said on the board whose clock that caveat names, once its governor holds it."""
    return lambda push: on_board_held(code, held=push.settings.pin)


def of_readings(push: PushOptions) -> Told:
    inside = int(push.settings.min_duration_s / Plan([]).reading_interval_s)
    return of(replace(GOOD, readings=Readings(3, 0.0, (), inside_count=inside)))


#: What is said once the options of the advice are in the plan: the caveat no more.
CURED: dict[str, Callable[[PushOptions], Told]] = {
    "below_max_clock": clock_held("below_max_clock"),
    "clock_changed": clock_held("clock_changed"),
    "cpu_governor": held,
    "few_blocks": after_blocks,
    "few_quads": lambda push: in_turns(push.settings.loads or 0),
    "few_readings": of_readings,
    "governor": held,
    "memory_leak": lambda push: settling(push.settings.load_cycles),
    "modes": clock_held("clock_changed"),
    "no_golden": lambda push: of(
        replace(GOOD, plan=replace(GOOD.plan, golden_sha256="a" * 64 if push.golden else None))
    ),
    "p99_rough": lambda push: of(replace(GOOD, **of_latency(push.settings.min_iterations, 20))),
    "slow_start": after_warm_up,
    "too_few_iterations": lambda push: of(
        replace(GOOD, **of_latency(push.settings.min_iterations, 20, p99_s=None))
    ),
}
_TYPED = "tests/e2e/test_typed_advice.py"
_COMMANDS = f"{_TYPED}::test_commands_that_doubts_name_can_be_typed"
#: Whole pushes and commands that show it.
SHOWN = {
    "constant_output": _COMMANDS,
    "dead_part": _COMMANDS,
    "differs_from_simulator": _COMMANDS,
    "fewer_contexts": "tests/agent/test_agent_offline.py::"
    "test_a_context_too_many_leaves_what_was_measured_with_fewer",
    "max_duration_reached": f"{_TYPED}::test_the_time_that_a_push_out_of_time_is_advised_is_enough",
    "not_cool": "tests/agent/test_agent_conditions.py::test_a_board_that_stays_hot_is_measured_with_a_caveat",
    "not_finite": _COMMANDS,
    "one_scale": _COMMANDS,
    "overloaded": "tests/e2e/test_scenarios.py::"
    "test_a_rate_beyond_what_can_be_served_is_told_with_one_that_can",
    "precision_not_reached": f"{_TYPED}::"
    "test_a_push_with_all_that_is_advised_has_nothing_of_what_it_was_advised_for",
    "slow_turns": f"{_TYPED}::test_models_that_slow_each_other_down_are_measured_one_after_the_other",
    "temperature_unknown": _COMMANDS,
}
#: Whose effect no fake of ours has: that it stands in the plan is all that can be shown.
OF_A_REAL_BOARD = {
    "autocorrelated": "what makes a level wander is the board's",
    "blocks_differ": "why blocks differ is the board's",
    "core_mask_replaced": "what the runtime makes of a mask",
    "drift": "heat leaves a real board, and an old fault stays",
    "growth": "the cycle of references is RKNNLite's",
    "host_bound": "what Python costs beside a program in C",
    "levels_differ": "what moves a board between two rates is its own",
    "nondeterministic": "a fault of driver or silicon",
    "outputs_beside": "a fault of driver or silicon",
    "outputs_not_recorded": "a board has outputs of everything",
    "profile_failed": "the C API is librknnrt's",
    "random_calibration": "a conversion takes the vendor's toolkit",
    "simulated": "a board is no simulation",
    "throttling": "heat leaves a real board",
}


def test_each_advice_is_shown_to_help_or_says_why_only_a_board_could_show_it() -> None:
    shown = [*CURED, *SHOWN, *OF_A_REAL_BOARD, "golden_assumed"]
    assert sorted(shown) == sorted(NAMING)


@pytest.mark.parametrize("code", CURED)
def test_with_what_an_advice_names_the_caveat_is_said_no_more(code: str) -> None:
    assert code in RUNS[code].raising()
    assert code not in CURED[code](merged(code))


@pytest.mark.parametrize("code", ["clock_changed", "memory_leak", "slow_start"])
def test_a_cure_that_is_not_in_the_plan_cures_nothing(code: str) -> None:
    """The doubles of a cure are no cure by themselves."""
    plain = PushOptions((), replace(RunSettings(), load_cycles=10))
    assert code in CURED[code](plain)


@pytest.mark.parametrize("code", SHOWN)
def test_a_test_that_shows_it_is_there_and_types_what_the_advice_names(code: str) -> None:
    assert source_of(SHOWN[code])
    file = (ROOT / SHOWN[code].partition("::")[0]).read_text("utf-8")
    for words in typed(advice_of(code)):
        named = next(word for word in reversed(words) if word.startswith("--") or word == words[0])
        word = named.lstrip("-").replace("-", "_")
        assert f'"{named}"' in file or f"{SPELLED.get(word, word)}=" in file, named


def test_a_golden_that_is_made_as_advised_leaves_nothing_assumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (words,) = typed(advice_of("golden_assumed"))
    assert not app([*words, "-o", "made.npz"], standalone_mode=False)
    (variant,) = prepare_variants([Path(MODELS[0])], golden=Path("made.npz"))
    assert told_of(golden_caveats(variant.golden_assumptions)) == {}


@pytest.mark.parametrize(
    ("advice", "commands"),
    [
        ("hold them (--pin), or wait (--cool-below 50)", [["--pin"], ["--cool-below", "50"]]),
        ("leave --loads and --quads away, or: --loads 7", [["--loads", "7"]]),
        ("a longer --max-duration, or leave that away", [["--max-duration", "60"]]),
        ("leave --cores away on this board", []),
    ],
)
def test_options_are_taken_out_of_a_sentence(advice: str, commands: list[list[str]]) -> None:
    assert [words[words.index("virtual") + 1 :] for words in typed(advice)] == commands


def test_commands_are_taken_out_of_a_sentence() -> None:
    (words,) = typed("which layer: bench inspect MODEL.rknn --against MODEL.onnx, and convert again")
    assert words[:2] == ["inspect", MODELS[0]] and words[2] == "--against"
    assert typed("bench boards check NAME says what is missing") == [["boards", "check", "virtual"]]
