"""The settings of scenarios: which belongs to which, and what a board makes of those that are left open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace

from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.plan import RunSettings
from rkbench_agent.wire.socs import find_soc, with_cores
from rkbench_agent.wire.words import AUTO, INTERFERENCE, OFFLINE, PLACEMENTS, SERVER, SOAK, SPREAD

from rkbench.errors import SettingError, UsageError
from rkbench.results.events import Listener, Note
from rkbench.results.server import parse_slo
from rkbench.stats.quantiles import FEWEST_CALLS_OF_TAIL, calls_for
from rkbench.units import format_seconds

#: Settings that only some scenarios know.
OF_SCENARIOS: Mapping[str, tuple[str, ...]] = {
    "contexts": (OFFLINE, SERVER),
    "placements": (OFFLINE, SERVER, INTERFERENCE),
    "rate_per_s": (SERVER,),
    "find_rate": (SERVER,),
    "slo": (SERVER,),
    "seed": (SERVER,),
}
#: What brings a scenario that is not asked for by its name.
_OPTIONS = {INTERFERENCE: "--interfere-with OTHER.rknn"}
#: No board holds more contexts of anything.
MOST_CONTEXTS = 64
#: Arrivals a second: fewer take hours for a percentile, more are shorter than waking up.
LEAST_RATE, MOST_RATE = 0.01, 100_000.0
#: A search serves so many times the calls that a percentile needs: a queue makes them alike, and of a p99 at
#: half of what can be served 1,000 calls tell nothing (docs/method.md), six times 662 in three of four tries.
_TIMES_IN_SEARCH = 6
#: What the default sweep of contexts holds, in NPU cores.
_SWEEP_IN_CORES = (1, 2, 3)
_ALL = "all"


def read_lists(values: Mapping[str, object]) -> dict[str, object]:
    """Return those of the values that are lists, and that the command line gives as text with commas.

    Raises UsageError where contexts are no numbers.
    """
    found: dict[str, object] = {}
    for name in ("contexts", "placements"):
        text = values.get(name)
        if not isinstance(text, str):
            continue
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if name == "contexts" and not (parts and all(part.isascii() and part.isdecimal() for part in parts)):
            raise UsageError(f"{text!r} are no numbers of contexts", hint="as in --contexts 1,2,3")
        found[name] = [int(part[:9]) for part in parts] if name == "contexts" else parts
    return found


def check_scenario(settings: RunSettings, words: Mapping[str, str]) -> None:
    """Raise UsageError where settings of two scenarios are mixed, or one of this scenario makes no sense.

    `words` are what people write, by the name of the setting.
    """
    defaults = {field.name: getattr(_DEFAULTS, field.name) for field in fields(RunSettings)}
    for name, scenarios in OF_SCENARIOS.items():
        if settings.scenario not in scenarios and getattr(settings, name) != defaults[name]:
            told = " or ".join(_OPTIONS.get(scenario, f"--scenario {scenario}") for scenario in scenarios)
            text = f"--{words[name]} means nothing with --scenario {settings.scenario}"
            raise UsageError(text, hint=f"it goes with {told}")
    if settings.scenario in (OFFLINE, SERVER, INTERFERENCE):
        _check_contexts(settings)
    if settings.scenario == SERVER:
        _check_server(settings)
    if settings.scenario == SOAK and settings.min_duration_s <= 0:
        raise SettingError("duration", "0: a soak has no other measure", hint="--duration 2h, or 60 s to try")


_DEFAULTS = RunSettings()


def _check_server(settings: RunSettings) -> None:
    if len(settings.contexts) > 1 or len(settings.placements) > 1:
        raise UsageError("--scenario server has one number of contexts, one placement", hint="--contexts 3")
    if settings.find_rate == (settings.rate_per_s is not None):
        hint = "--rate 50, or --find-rate --slo 'p99 <= 30ms'"
        raise UsageError("--scenario server needs one of --rate and --find-rate", hint=hint)
    if settings.rate_per_s is not None and not LEAST_RATE <= settings.rate_per_s <= MOST_RATE:
        raise SettingError(
            "rate", f"{settings.rate_per_s:g}: must be from {LEAST_RATE:g} to {MOST_RATE:g} a second"
        )
    if settings.find_rate and not settings.slo:
        raise UsageError("--find-rate needs an objective", hint="--slo 'p99 <= 30ms'")
    if settings.slo:
        parse_slo(settings.slo)


def _check_contexts(settings: RunSettings) -> None:
    if settings.core_mask != AUTO:
        text = f"--cores {settings.core_mask} means nothing with --scenario {settings.scenario}"
        raise UsageError(text, hint=f"it places contexts: --placement {settings.core_mask}")
    for count in settings.contexts:
        if not 1 <= count <= MOST_CONTEXTS:
            raise SettingError("contexts", f"{count}: must be from 1 to {MOST_CONTEXTS}")
    for placement in settings.placements:
        if placement not in PLACEMENTS:
            raise UsageError(f"no placement {placement!r}", hint=f"one or more of {', '.join(PLACEMENTS)}")


def settings_for(settings: RunSettings, environment: Environment, listener: Listener) -> RunSettings:
    """Return the settings with all that was left to the board, and tell what they will take.

    Raises UsageError for a placement that the board has not.
    """
    fill: Callable[[RunSettings, Environment], RunSettings] | None = _FILLERS.get(settings.scenario)
    if fill is None:
        return settings
    filled = fill(settings, environment)
    listener(Note(_TELLERS[settings.scenario](filled)))
    return filled


def _tell_offline(filled: RunSettings) -> str:
    steps = len(filled.contexts) * len(filled.placements)
    least_s = steps * filled.min_duration_s
    return f"offline: {_told_sweep(filled)}: {steps} steps, at least {format_seconds(least_s)}"


def _tell_server(filled: RunSettings) -> str:
    calls = f"at least {filled.min_iterations} calls and {format_seconds(filled.min_duration_s)}"
    if filled.rate_per_s is None:
        said = f"server: rates by bisection until {filled.slo} is missed or kept, {calls} each"
        return f"{said}; the first, always busy, tells how long the others take"
    takes_s = max(filled.min_iterations / filled.rate_per_s, filled.min_duration_s)
    return f"server: {filled.rate_per_s:g} random arrivals a second, {calls}: about {format_seconds(takes_s)}"


def _told_sweep(settings: RunSettings) -> str:
    counts = ", ".join(map(str, settings.contexts))
    noun = "context" if settings.contexts == [1] else "contexts"
    return f"{counts} {noun}, placed {', '.join(settings.placements)}"


def _fill_server(settings: RunSettings, environment: Environment) -> RunSettings:
    """Have one context unless more are asked for, and as many calls as the percentile needs."""
    contexts = settings.contexts or [1]
    asked = replace(settings, contexts=contexts, placements=settings.placements or [AUTO])
    filled = _fill_offline(asked, environment)
    needed = calls_for(parse_slo(settings.slo).percent) if settings.slo else FEWEST_CALLS_OF_TAIL
    return replace(filled, min_iterations=max(settings.min_iterations, needed, FEWEST_CALLS_OF_TAIL))


def with_calls_of_search(settings: RunSettings) -> RunSettings:
    """Return the settings of a search for a rate with as many calls of each as tell, unless more are typed.

    What a rate leaves open counts as not kept.
    """
    if not (settings.find_rate and settings.slo) or settings.min_iterations >= FEWEST_CALLS_OF_TAIL:
        return settings
    needed = _TIMES_IN_SEARCH * calls_for(parse_slo(settings.slo).percent)
    return replace(settings, min_iterations=max(settings.min_iterations, needed))


def _fill_offline(settings: RunSettings, environment: Environment) -> RunSettings:
    known = with_cores(find_soc(environment.soc), environment.npu_cores)
    cores, masks = (known.npu_cores, tuple(known.core_masks)) if known else (1, ())
    places = (*masks, SPREAD) if masks else (AUTO,)
    for placement in settings.placements:
        if placement not in places:
            why = f"{environment.soc or 'this board'} has {cores} NPU core{'s' * (cores > 1)}"
            raise UsageError(f"no placement {placement!r}: {why}", hint=f"one or more of {', '.join(places)}")
    return replace(
        settings,
        contexts=sorted(set(settings.contexts)) or default_contexts(cores),
        placements=list(dict.fromkeys(settings.placements))
        or [p for p in (AUTO, SPREAD, _ALL) if p in places],
    )


def default_contexts(cores: int) -> list[int]:
    """Return how many contexts a sweep has: each number up to the cores, then two and three times as many."""
    return sorted({*range(1, cores + 1), *(cores * factor for factor in _SWEEP_IN_CORES)})


def _fill_interference(settings: RunSettings, environment: Environment) -> RunSettings:
    """Have the driver's choice, a core for each, one for both, all for both: as far as the board has them."""
    filled = _fill_offline(settings, environment)
    several = len(filled.placements) > 1
    placements = filled.placements if settings.placements else [AUTO, *[SPREAD, "0", _ALL][: 3 * several]]
    return replace(filled, contexts=[], placements=placements)


def _tell_interference(filled: RunSettings) -> str:
    least_s = 3 * len(filled.placements) * filled.min_duration_s
    places = ", ".join(filled.placements)
    return f"interference: each alone and both at once, placed {places}: at least {format_seconds(least_s)}"


def _fill_soak(settings: RunSettings, environment: Environment) -> RunSettings:
    del environment
    return settings


def _tell_soak(filled: RunSettings) -> str:
    return f"soak: {format_seconds(filled.min_duration_s)} for each variant; Ctrl-C keeps what is measured"


_FILLERS: Mapping[str, Callable[[RunSettings, Environment], RunSettings]] = {
    OFFLINE: _fill_offline,
    SERVER: _fill_server,
    SOAK: _fill_soak,
    INTERFERENCE: _fill_interference,
}
_TELLERS: Mapping[str, Callable[[RunSettings], str]] = {
    OFFLINE: _tell_offline,
    SERVER: _tell_server,
    SOAK: _tell_soak,
    INTERFERENCE: _tell_interference,
}
