"""Gates of a nightly: what people write, what it means, and what it says of a measurement.

    p99 <= 12ms   load memory <= 80MB   cosine >= 0.999   size <= 10MB   top-1 >= 99%
    p50 within 5%          against the accepted baseline; 5 % is the smallest effect of interest

A relative latency gate fails only where the whole interval of 95 % lies beyond the smallest effect, and
passes only where the whole interval lies within it: noise of a percent between nights moves the interval,
but not past 5 %. A gate knows which direction is worse; getting better never fails.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rkbench.errors import UsageError
from rkbench.stats.compare import difference_percent
from rkbench.stats.tails import Statistic, latency_interval

PASS = "pass"
FAIL = "fail"
CANNOT_TELL = "can't tell"
NOT_MEASURED = "not measured"
#: From good to bad.
STATES = (PASS, CANNOT_TELL, NOT_MEASURED, FAIL)

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
_DECIMAL = {"B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9}
_BYTES = {**_DECIMAL, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}
_RATIO = {"": 1.0, "%": 0.01}
_RATE = {"/s": 1.0, "1/s": 1.0, "fps": 1.0}
_PLAIN = {"": 1.0}
_DECIBEL = {"dB": 1.0}


@dataclass(frozen=True)
class Quantity:
    """What a gate can speak of: its units in the base unit, its direction, and whether it is a latency."""

    units: dict[str, float]
    higher_is_better: bool = False
    is_latency: bool = False


#: By the name that people write; values are in s, B, ratios of 0 to 1, 1/s, dB, or the output's unit.
QUANTITIES: dict[str, Quantity] = {
    **{name: Quantity(_SECONDS, is_latency=True) for name in ("p50", "p90", "p99", "mean", "min", "max")},
    "load time": Quantity(_SECONDS),
    "load memory": Quantity(_BYTES),
    "load rss": Quantity(_BYTES),
    "size": Quantity(_BYTES),
    "throughput": Quantity(_RATE, higher_is_better=True),
    "cosine": Quantity(_PLAIN, higher_is_better=True),
    "top-1": Quantity(_RATIO, higher_is_better=True),
    "top-5": Quantity(_RATIO, higher_is_better=True),
    "snr": Quantity(_DECIBEL, higher_is_better=True),
    "max error": Quantity(_PLAIN),
}
#: Extremes of a run, its rate, its one load: nothing that an interval can be given for.
_NOT_RELATIVE = {
    "min": "p50 within {}%",
    "max": "p99 within {}%",
    "throughput": "mean within {}%",
    "load time": "load time <= 500ms",
}
_ABSOLUTE = re.compile(
    r"(?P<name>[^<>=≤≥]+?)\s*(?P<sign><=|>=|≤|≥|<|>)\s*(?P<number>[\d.]+(?:e-?\d+)?)(?P<unit>.*)"
)
_RELATIVE = re.compile(r"(?P<name>.+?)\s+within\s+(?P<number>[\d.]+)\s*%(?:\s+of\s+(?:the\s+)?baseline)?")
_TABLE = {"within": "within", "max": "<=", "min": ">="}
_EXAMPLE = "as in: p99 <= 12ms, cosine >= 0.999, p50 within 5%"


@dataclass(frozen=True)
class Gate:
    """One gate: `limit` (base unit) for a budget, `within_percent` for one against the baseline."""

    text: str
    quantity: str
    limit: float | None = None
    strict: bool = False
    within_percent: float | None = None

    @property
    def is_relative(self) -> bool:
        """Whether it needs a baseline."""
        return self.within_percent is not None

    @property
    def is_relative_latency(self) -> bool:
        """Whether a failure is measured again before it is believed."""
        return self.is_relative and QUANTITIES[self.quantity].is_latency


@dataclass(frozen=True)
class Judgement:
    """What a gate says of one measurement: `difference_percent` above (+) the baseline, within 95 %.

    Values are in the base unit of the quantity; None where unknown or where there is none.
    """

    state: str
    value: float | None = None
    baseline: float | None = None
    difference_percent: float | None = None
    low_percent: float | None = None
    high_percent: float | None = None
    detail: str = ""


def parse_gate(given: Any) -> Gate:
    """Return the gate of a text (`p99 <= 12ms`) or a table ({metric, within | max | min}).

    Raises UsageError, which says what is known.
    """
    text = " ".join((given if isinstance(given, str) else _text_of(given)).split())
    if found := _RELATIVE.fullmatch(text):
        return _relative(text, found["name"], found["number"])
    if found := _ABSOLUTE.fullmatch(text):
        return _absolute(text, found)
    raise UsageError(f"gate {text!r} is not understood", hint=_EXAMPLE)


def judge_budget(gate: Gate, value: float | None, baseline: float | None = None) -> Judgement:
    """Return what a budget says of `value`; the baseline is only shown beside it."""
    if value is None:
        return Judgement(NOT_MEASURED, baseline=baseline, detail=f"no {gate.quantity} was measured")
    assert gate.limit is not None
    higher = QUANTITIES[gate.quantity].higher_is_better
    kept = value > gate.limit if higher else value < gate.limit
    kept = kept or (value == gate.limit and not gate.strict)
    difference = difference_percent(baseline, value)
    return Judgement(PASS if kept else FAIL, value, baseline, difference)


def judge_change(gate: Gate, value: float | None, baseline: float | None) -> Judgement:
    """Return what a relative gate says of a figure that does not scatter: size, memory, output error."""
    if value is None or baseline is None:
        lacks = "no" if value is None else "the baseline has no"
        detail = f"{lacks} {gate.quantity}{' was measured' if value is None else ''}"
        return Judgement(NOT_MEASURED, value, baseline, detail=detail)
    difference = difference_percent(baseline, value)
    if difference is None:
        return Judgement(CANNOT_TELL, value, baseline, detail="the baseline is 0: give a budget instead")
    worse = -difference if QUANTITIES[gate.quantity].higher_is_better else difference
    assert gate.within_percent is not None
    kept = worse <= gate.within_percent  # False for NaN
    return Judgement(PASS if kept else FAIL, value, baseline, difference)


def judge_latency(
    gate: Gate,
    values: tuple[float | None, float | None],
    baseline: Sequence[Sequence[float]],
    candidate: Sequence[Sequence[float]],
) -> Judgement:
    """Return what a relative latency gate says: `values` are the baseline's and the candidate's figures.

    `baseline` and `candidate` are the timed durations, block by block.
    """
    base, value = values
    if value is None or not candidate:
        return Judgement(NOT_MEASURED, value, base, detail=f"no {gate.quantity} was measured")
    interval = latency_interval(Statistic(gate.quantity), baseline, candidate)
    if interval is None:
        return Judgement(CANNOT_TELL, value, base, detail="too few iterations: give the plan more")
    assert gate.within_percent is not None
    if interval.low_percent > gate.within_percent:
        state, detail = FAIL, ""
    elif interval.high_percent <= gate.within_percent:
        state, detail = PASS, ""
    else:
        state, detail = (
            CANNOT_TELL,
            f"the interval holds {gate.within_percent:g} %: give the plan more iterations",
        )
    return Judgement(
        state, value, base, interval.difference_percent, interval.low_percent, interval.high_percent, detail
    )


def worst(states: Sequence[str]) -> str:
    """Return the worst state; PASS where there are none."""
    return max(states, key=STATES.index, default=PASS)


def _relative(text: str, name: str, number: str) -> Gate:
    quantity = _quantity(text, name)
    if quantity in _NOT_RELATIVE:
        raise UsageError(
            f"gate {text!r}: {quantity} scatters too much to be held against a baseline",
            hint=_NOT_RELATIVE[quantity].format(number),
        )
    return Gate(text, quantity, within_percent=_number(text, number))


def _absolute(text: str, found: re.Match[str]) -> Gate:
    quantity, unit = _quantity(text, found["name"]), found["unit"].strip()
    kind = QUANTITIES[quantity]
    if unit not in kind.units:
        known = ", ".join(unit or "no unit" for unit in kind.units)
        said = f"unit {unit!r} is not one of {quantity}" if unit else f"{found['number']} of what?"
        raise UsageError(f"gate {text!r}: {said}", hint=f"known: {known}")
    if (found["sign"] in (">", ">=", "≥")) != kind.higher_is_better:
        better = "higher" if kind.higher_is_better else "lower"
        sign = ">=" if kind.higher_is_better else "<="
        raise UsageError(
            f"gate {text!r} looks the wrong way: of {quantity}, {better} is better",
            hint=f"{quantity} {sign} {found['number']}{unit}",
        )
    limit = _number(text, found["number"]) * kind.units[unit]
    if kind.units is _RATIO and limit > 1:
        raise UsageError(f"gate {text!r}: a ratio lies between 0 and 1", hint=f"{found['number']}% ?")
    return Gate(text, quantity, limit=limit, strict=found["sign"] in ("<", ">"))


def _quantity(text: str, name: str) -> str:
    plain = name.strip().lower().replace("_", " ").removeprefix("latency ")
    plain = {"top1": "top-1", "top 1": "top-1", "top5": "top-5", "top 5": "top-5"}.get(plain, plain)
    if plain in QUANTITIES:
        return plain
    close = difflib.get_close_matches(plain, QUANTITIES, 2)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(QUANTITIES)}"
    raise UsageError(f"gate {text!r}: {plain!r} is nothing that is measured", hint=hint)


def _number(text: str, number: str) -> float:
    try:
        return float(number)
    except ValueError as error:
        raise UsageError(f"gate {text!r}: {number!r} is no number", hint=_EXAMPLE) from error


def _text_of(given: Any) -> str:
    """Return a gate's table as the text that means the same."""
    kinds = [key for key in _TABLE if isinstance(given, dict) and key in given]
    if len(kinds) != 1 or set(given) != {"metric", kinds[0]}:
        hint = '{ metric = "p50", within = "5%" }, or max = "12ms", or min = "0.999"'
        raise UsageError(f"gate {given!r} is not understood", hint=hint)
    return f"{given['metric']} {_TABLE[kinds[0]]} {given[kinds[0]]}"
