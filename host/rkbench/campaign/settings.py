"""What the user wants run, and how: the settings of a run, as people write them; options of a push."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from rkbench_agent.wire.plan import RunSettings
from rkbench_agent.wire.words import CORE_MASKS, INTERFERENCE, RUNTIMES, SCENARIOS, SINGLE_STREAM

from rkbench.campaign.askable import Given, Words, check_gates
from rkbench.campaign.scenarios import check_scenario, read_lists
from rkbench.errors import SettingError, UsageError
from rkbench.stats.gates import Gate
from rkbench.units import parse_hertz, parse_seconds

#: Every mask that the board has, one run each.
SWEEP = "sweep"
#: Settings whose word on the command line and in a suite is not their own name.
SPELLED = {
    "cores": "core_mask",
    "iterations": "min_iterations",
    "duration": "min_duration_s",
    "warmup": "warmup_iterations",
    "cool_below": "cool_below_celsius",
    "cool_limit": "cool_limit_s",
    "npu_clock": "npu_clock_hz",
    "placement": "placements",
    "rate": "rate_per_s",
    "effect": "effect_percent",
    "precision": "precision_percent",
    "max_duration": "max_duration_s",
    "load_timeout": "load_timeout_s",
    "inference_timeout": "inference_timeout_s",
}
#: Counts that must be 1 or more, and durations that must be more than 0; all other numbers may be 0.
AT_LEAST_ONE = ("min_iterations", "min_blocks", "block_iterations", "loads", "quads")
#: No number is more than this: whole ones of TOML have no end, and what counts and waits has.
MOST = 10**12
POSITIVE = (
    "effect_percent",
    "precision_percent",
    "load_timeout_s",
    "first_inference_timeout_s",
    "inference_timeout_s",
)
#: In percent of a latency: with 100 or more nothing ever differs.
SHARES = ("effect_percent", "precision_percent")
#: May be negative: some boards stand in the cold.
ANY_FINITE = ("cool_below_celsius",)
_SHORTER = "--duration 0.5"
#: No NPU runs slower; a bare number below it was meant in another unit.
LEAST_CLOCK_HZ = 1_000_000


@dataclass(frozen=True)
class PushOptions:
    """The models of a push, in the order of the columns, and how to run them.

    `settings.core_mask` may be `sweep`. `baseline` is a variant's name; None: the first that ran. `wait_s` is
    how long to wait where another push holds the board, `priority` who of those that wait comes first;
    `reason` tells others what it is held for.
    `gates`: what will be asked of the results, so that it is measured;
    `requirements`: those of them, budgets all, that every run is held against as it ends.
    `noise_floor`: run the one model beside itself, to learn how far equal files lie apart.
    `minimize`: rank the variants by this measure, by its word in gates; "": do not.
    `quick`: one load was asked for, which says nothing where no variants take turns.
    `question` is what the runs will be known again by: a sweep asks nothing twice.
    `labels` and `metric` (FILE.py:function) score the outputs of every case, which the board returns for it.
    """

    models: tuple[Path, ...]
    settings: RunSettings = field(default_factory=RunSettings)
    golden: Path | None = None
    baseline: str | None = None
    force: bool = False
    wait_s: float = 0.0
    priority: int = 0
    reason: str = ""
    #: A second model that each of `models` is to have beside it.
    other: Path | None = None
    gates: tuple[Gate, ...] = ()
    requirements: tuple[Gate, ...] = ()
    noise_floor: bool = False
    labels: Path | None = None
    metric: str | None = None
    minimize: str = ""
    quick: bool = False
    question: str = ""

    @property
    def is_scored(self) -> bool:
        """Whether the outputs of all cases must come back."""
        return self.labels is not None or self.metric is not None


def settings_of(given: Mapping[str, object], base: RunSettings | None = None) -> RunSettings:
    """Return `base` with those of `given` that are settings, by the words that people write; None keeps.

    `npu_clock` may be text (600MHz), and pins; `quick` is one load; `interfere_with` is a scenario. Raises
    UsageError for a clock that cannot be read, and for a quick push of several loads.
    """
    known = {SPELLED.get(word, word): value for word, value in given.items() if value is not None}
    names = {item.name for item in fields(RunSettings)}
    values = {name: value for name, value in known.items() if name in names}
    values.update(read_lists(values))
    for name in ("min_duration_s", "max_duration_s"):
        if isinstance(values.get(name), str):
            values[name] = parse_seconds(str(values[name]))
    clock = values.get("npu_clock_hz")
    if clock is not None:
        values.update(pin=True, npu_clock_hz=parse_hertz(clock) if isinstance(clock, str) else clock)
    slow_s = values.get("inference_timeout_s")
    if isinstance(slow_s, (int, float)):  # the first inference takes longer than others, never less
        first_s = (base or RunSettings()).first_inference_timeout_s
        values.setdefault("first_inference_timeout_s", max(first_s, slow_s))
    if given.get("interfere_with") and values.get("scenario", SINGLE_STREAM) == SINGLE_STREAM:
        values.update(scenario=INTERFERENCE)
    if given.get("quick"):
        if values.get("loads", 1) != 1:
            raise UsageError("--quick is one load: --loads says otherwise", hint="give one of them")
        values.update(loads=1)
    return replace(base or RunSettings(), **values)  # type: ignore[arg-type]  # typed where they were read


def setting_words() -> dict[str, str]:
    """Return the word that people write for each setting: word -> name of the field."""
    spelled = {name: word for word, name in SPELLED.items()}
    return {spelled.get(item.name, item.name): item.name for item in fields(RunSettings)}


def check_push(options: PushOptions) -> None:
    """Raise UsageError for what no board can do."""
    if not options.models:
        raise UsageError("no model given", hint="bench push MODEL.rknn --board NAME")
    check_settings(options.settings, (*CORE_MASKS, SWEEP), has_other=options.other is not None)
    _check_turns(options)
    _check_minimize(options)
    _check_noise_floor(options)
    given = Given(options.golden is not None, options.labels is not None, options.metric is not None)
    check_gates(options.gates, options.settings, given, Words())
    check_wait(options.wait_s)


def check_wait(wait_s: float) -> None:
    """Raise SettingError where nobody can wait so long for a board."""
    _check_number("wait", "wait_s", wait_s)


def _check_turns(options: PushOptions) -> None:
    """Raise UsageError where something is asked of turns or of differences, and no variants take turns."""
    hint = _why_no_turns(options)
    if not hint:
        return
    settings = options.settings
    if settings.precision_percent is not None:
        more = "; for the percentiles of one: --iterations"
        raise UsageError("--precision is of the difference of variants that take turns", hint=hint + more)
    if options.quick and settings.scenario != SINGLE_STREAM:
        more = f"; a shorter one: {_SHORTER}"
        raise UsageError("--quick is one load of variants that take turns", hint=hint + more)
    if (settings.loads or 1, settings.quads or 1) != (1, 1):
        word = "loads" if (settings.loads or 1) > 1 else "quads"
        more = "; to load one again and again: --load-cycles"
        raise UsageError(f"--{word} is of variants that take turns", hint=hint + more)


def told_of_quick(options: PushOptions) -> str:
    """Return that one load is what a push has anyway, where it was asked to be quick; else ""."""
    if not options.quick or not _why_no_turns(options):
        return ""
    return f"--quick changes nothing: without turns there is one load; a shorter push: {_SHORTER}"


def _why_no_turns(options: PushOptions) -> str:
    """Return what to change so that variants take turns; "" where they do."""
    settings = options.settings
    if settings.scenario == INTERFERENCE:
        return "leave --interfere-with away"
    if settings.scenario != SINGLE_STREAM:
        return "leave --scenario away"
    if not (len(options.models) > 1 or settings.core_mask == SWEEP or options.noise_floor):
        return "give it a second model"
    return "" if settings.interleave else "leave --no-interleave away"


def _check_minimize(options: PushOptions) -> None:
    """Raise UsageError where there is nothing to rank."""
    if not options.minimize:
        return
    if options.noise_floor or (len(options.models) < 2 and options.settings.core_mask != SWEEP):
        raise UsageError("--minimize ranks variants", hint="give it a second model, or --cores sweep")
    if options.settings.scenario != SINGLE_STREAM:
        text = f"--minimize ranks variants that take turns: --scenario {options.settings.scenario} has none"
        raise UsageError(text, hint="leave --scenario away")


def _check_noise_floor(options: PushOptions) -> None:
    """Raise UsageError where the model of a noise floor cannot take turns with itself."""
    settings = options.settings
    if not options.noise_floor:
        return
    if len(options.models) > 1 or settings.core_mask == SWEEP:
        raise UsageError("--noise-floor is of one model on the same cores", hint="push it alone")
    if not settings.interleave or settings.scenario != SINGLE_STREAM:
        hint = "leave --scenario and --no-interleave away"
        raise UsageError("--noise-floor runs a model in turns with itself", hint=hint)


def check_settings(
    settings: RunSettings, core_masks: tuple[str, ...] = CORE_MASKS, *, has_other: bool = False
) -> None:
    """Raise UsageError for a setting that no board can have; a SettingError where a number is wrong."""
    if settings.scenario not in SCENARIOS:
        raise UsageError(
            f"scenario {settings.scenario!r} is not there: {', '.join(SCENARIOS)}",
            hint="leave it away",
        )
    _check_other(settings.scenario, has_other=has_other)
    check_scenario(settings, {name: word for word, name in setting_words().items()})
    if settings.core_mask not in core_masks:
        raise UsageError(f"no core mask {settings.core_mask!r}", hint=f"one of {', '.join(core_masks)}")
    if settings.runtime is not None and settings.runtime not in RUNTIMES:
        raise UsageError(f"no runtime {settings.runtime!r}", hint=f"one of {', '.join(RUNTIMES)}")
    for word, name in setting_words().items():
        value = getattr(settings, name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            _check_number(word, name, value)


def _check_other(scenario: str, *, has_other: bool) -> None:
    """Raise UsageError where a second model is there that the scenario has no use for, or is missing."""
    if has_other and scenario != INTERFERENCE:
        raise UsageError(
            f"--interfere-with means nothing with --scenario {scenario}",
            hint="it is a scenario of its own: leave --scenario away",
        )
    if scenario == INTERFERENCE and not has_other:
        text = f"--scenario {INTERFERENCE} needs a second model"
        raise UsageError(text, hint="bench push MODEL.rknn --interfere-with OTHER.rknn")


def _check_number(word: str, name: str, value: float) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise SettingError(word, f"{value:g}: must be a finite number")
    if value > MOST:
        raise SettingError(word, f"is too large: must be at most {MOST:g}")
    if name in SHARES and value >= 100:
        raise SettingError(word, f"{value:g}: must be less than 100 (%)")
    if name in POSITIVE and value <= 0:
        raise SettingError(word, f"{value:g}: must be more than 0")
    if name == "npu_clock_hz" and value < LEAST_CLOCK_HZ:
        problem = f"{value:g} Hz: is slower than any NPU"
        raise SettingError(word, problem, hint="write it with its unit: 600MHz")
    least = 1 if name in AT_LEAST_ONE else 0
    if name not in ANY_FINITE and value < least:
        raise SettingError(word, f"{value:g}: must be {least} or more")
