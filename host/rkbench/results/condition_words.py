"""Conditions that differ, in words: documents have names such as `npu_clock_hz` and bare values."""

from __future__ import annotations

from collections.abc import Callable

from rkbench_agent.wire.words import COMPUTED, FROM_FILE, MEASURED, MODELLED, PREDICTED, VENDOR_SIMULATOR

from rkbench.results.comparison import ConditionDifference
from rkbench.units import UNKNOWN, format_hertz

_SOURCES = {
    MEASURED: "a measurement",
    VENDOR_SIMULATOR: "the vendor's simulator",
    COMPUTED: "rkbench's NPU model",
    MODELLED: "a documented model",
    FROM_FILE: "the file",
    PREDICTED: "a prediction",
}
_DIGITS = 12


def _source(value: str) -> str:
    return _SOURCES.get(value, value)


def _clock(value: str) -> str:
    return format_hertz(float(value))


def _digest(value: str) -> str:
    return value[:_DIGITS]


def _given(value: str) -> str:
    """Return whether there is one; a night's name of a golden is its digest."""
    return {"True": "given", "False": "none"}.get(value, value)


def _yes(value: str) -> str:
    return {"True": "yes", "False": "no"}.get(value, value)


#: The names that are no words, and values that are not told as they stand.
_WORDS: dict[str, tuple[str, Callable[[str], str]]] = {
    "latency_provenance": ("source of the latency", _source),
    "source of the latency": ("source of the latency", _source),
    "outputs_provenance": ("source of the outputs", _source),
    "runtime_version": ("version of the runtime", str),
    "driver_version": ("driver", str),
    "core_mask": ("core mask", str),
    "npu_governor": ("governor", str),
    "npu_clock_hz": ("NPU clock", _clock),
    "agent_digest": ("agent", _digest),
    "golden": ("golden", _given),
    "pinned": ("pinned", _yes),
}


def in_words(condition: ConditionDifference) -> tuple[str, str, str]:
    """Return what a condition is called, and the values of the baseline and of the run."""
    word, _ = _WORDS.get(condition.name, (condition.name, str))
    before, after = (value_in_words(condition.name, value) for value in (condition.baseline, condition.value))
    return word, before, after


def as_it_is(condition: ConditionDifference) -> str:
    """Return what a condition is now, and was before."""
    word, before, after = in_words(condition)
    return f"{word} is {after}, before {before}"


def value_in_words(name: str, value: str | None) -> str:
    """Return how the value of a condition is told."""
    _, told = _WORDS.get(name, (name, str))
    return UNKNOWN if value is None else told(value)
