"""Gates: what people write, and what it means.

    p99 <= 12ms   load memory <= 80MB   cosine >= 0.999   size <= 10MB   top-1 >= 99%
    cosine[scores] >= 0.999    of one output alone, by its name
    cpu layers == 0        of what is counted, none: the only number that `==` goes with
    p50 within 5%          against the accepted baseline; 5 % is the smallest effect of interest
    p50 history            against the last accepted nights: any change for the worse that is no chance
    p50 within 2% of history

A gate knows which direction is worse; getting better never fails. What it says of a run: `judging`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from rkbench.errors import UsageError, choice_hint
from rkbench.stats.figures import Statistic
from rkbench.units import COUNT, Unit, as_written

State = Literal["pass", "can't tell", "not measured", "fail"]
PASS: Final = "pass"
FAIL: Final = "fail"
CANNOT_TELL: Final = "can't tell"
NOT_MEASURED: Final = "not measured"
#: From good to bad.
STATES: tuple[State, ...] = (PASS, CANNOT_TELL, NOT_MEASURED, FAIL)


@dataclass(frozen=True)
class Quantity:
    """What a gate can speak of: its word, its unit, its direction, and what it can be held against.

    `statistic` is set for latencies that an interval can be given for; `inverse_of` for a rate of calls one
    after the other, whose interval is that of their mean. `instead` tells what to write where a figure (an
    extreme, a rate, one load) scatters too much to be held against a baseline. `of_outputs`: each output has
    it, and a gate may name one.
    """

    word: str
    unit: Unit
    higher_is_better: bool = False
    statistic: Statistic | None = None
    instead: str = ""
    of_outputs: bool = False
    inverse_of: Statistic | None = None

    @property
    def scatters(self) -> bool:
        """Whether the same file yields another value when it is measured again."""
        return self.statistic is not None or bool(self.instead and self.unit is not COUNT)


Quantities = Mapping[str, Quantity]
_ABSOLUTE = re.compile(
    r"(?P<name>[^<>=≤≥]+?)\s*(?P<sign><=|>=|==|≤|≥|<|>)\s*(?P<number>-?[\d.]+(?:e-?\d+)?)(?P<unit>.*)"
)
_RELATIVE = re.compile(r"(?P<name>.+?)\s+within\s+(?P<number>[\d.]+)\s*%(?:\s+of\s+(?:the\s+)?baseline)?")
_OF_HISTORY = re.compile(r"(?P<name>.+?)\s+(?:within\s+(?P<number>[\d.]+)\s*%\s+of\s+)?(?:the\s+)?history")
_OF_OUTPUT = re.compile(r"(?P<name>[^\[]+)\[(?P<output>.+)\]")
_TABLE = {"within": "within", "max": "<=", "min": ">="}
#: What history alone asks of a change: less is none, however sure.
HISTORY_PERCENT = 1.0
_EXAMPLE = "as in: p99 <= 12ms, cosine >= 0.999, p50 within 5%"


@dataclass(frozen=True)
class Gate:
    """One gate: `limit` (base unit) for a budget, `within_percent` for one against the baseline, or where
    `of_history` against the last nights.

    `output`: the one that it speaks of, None for the worst of all.
    """

    text: str
    quantity: Quantity
    limit: float | None = None
    strict: bool = False
    within_percent: float | None = None
    output: str | None = None
    of_history: bool = False

    @property
    def is_relative(self) -> bool:
        """Whether it needs a baseline, or the nights before."""
        return self.within_percent is not None

    @property
    def is_of_latency(self) -> bool:
        """Whether it is judged by the interval of a latency."""
        return self.quantity.statistic is not None


def parse_gate(given: Any, quantities: Quantities) -> Gate:
    """Return the gate of a text (`p99 <= 12ms`) or a table ({metric, within | max | min}).

    `quantities` are what it may speak of, by their words. Raises UsageError, which says what is known.
    """
    text = " ".join((given if isinstance(given, str) else _text_of(given)).split())
    for pattern, made in ((_OF_HISTORY, _history), (_RELATIVE, _relative), (_ABSOLUTE, _absolute)):
        if found := pattern.fullmatch(text):
            name, output = _named_output(found["name"])
            quantity = _quantity(text, name, quantities)
            if output is not None and not quantity.of_outputs:
                known = ", ".join(word for word, item in quantities.items() if item.of_outputs)
                raise UsageError(
                    f"gate {text!r}: {quantity.word} is of no single output", hint=f"known: {known}"
                )
            return replace(made(text, quantity, found), output=output)
    raise UsageError(f"gate {text!r} is not understood", hint=_EXAMPLE)


def _named_output(name: str) -> tuple[str, str | None]:
    """Return the word and the output of `cosine[scores]`; None for the output where none is named."""
    found = _OF_OUTPUT.fullmatch(name.strip())
    return (found["name"], found["output"].strip()) if found else (name, None)


def is_relative(text: str) -> bool:
    """Return whether the gate of this text is one against the baseline, or the nights before."""
    return any(pattern.fullmatch(text) for pattern in (_RELATIVE, _OF_HISTORY))


def worst(states: Sequence[State]) -> State:
    """Return the worst state; PASS where there are none."""
    return max(states, key=STATES.index, default=PASS)


def _relative(text: str, quantity: Quantity, found: re.Match[str]) -> Gate:
    number = found["number"]
    if quantity.instead:
        raise UsageError(
            f"gate {text!r}: {quantity.word} scatters too much to be held against a baseline",
            hint=quantity.instead.format(number),
        )
    return Gate(text, quantity, within_percent=_number(text, number))


def _history(text: str, quantity: Quantity, found: re.Match[str]) -> Gate:
    if quantity.statistic is None:
        raise UsageError(
            f"gate {text!r}: only latencies have a history that is judged",
            hint=f"{quantity.word} within 5%, against the accepted baseline; or p50 history",
        )
    number = found["number"]
    percent = HISTORY_PERCENT if number is None else _number(text, number)
    return Gate(text, quantity, within_percent=percent, of_history=True)


def _absolute(text: str, quantity: Quantity, found: re.Match[str]) -> Gate:
    unit, written, word = quantity.unit, found["unit"].strip(), quantity.word
    if written not in unit.spellings:
        known = ", ".join(spelling or "no unit" for spelling in unit.spellings)
        said = f"unit {written!r} is not one of {word}" if written else f"{found['number']} of what?"
        raise UsageError(f"gate {text!r}: {said}", hint=f"known: {known}")
    if found["sign"] == "==":
        _check_none(text, quantity, found["number"])
    elif (found["sign"] in (">", ">=", "≥")) != quantity.higher_is_better:
        better, sign = ("higher", ">=") if quantity.higher_is_better else ("lower", "<=")
        raise UsageError(
            f"gate {text!r} looks the wrong way: of {word}, {better} is better",
            hint=f"{word} {sign} {found['number']}{written}",
        )
    limit = _number(text, found["number"], unit.spellings[written])
    _check_range(text, quantity, limit, found["number"])
    return Gate(text, quantity, limit=limit, strict=found["sign"] in ("<", ">"))


def _check_none(text: str, quantity: Quantity, number: str) -> None:
    """Raise UsageError where `==` goes with anything but a count of 0: better never crosses a gate."""
    if quantity.unit is not COUNT or _number(text, number) != 0:
        sign = ">=" if quantity.higher_is_better else "<="
        raise UsageError(
            f"gate {text!r}: == goes with counts, and with 0 alone", hint=f"{quantity.word} {sign} {number}"
        )


def _check_range(text: str, quantity: Quantity, limit: float, number: str) -> None:
    """Raise UsageError for a limit that no value of the quantity could cross, or none could keep."""
    unit = quantity.unit
    # What is better the lower is an amount: nothing is the least of it.
    lowest = unit.lowest if quantity.higher_is_better else 0.0
    if lowest <= limit <= unit.highest:
        return
    if unit.is_ratio:
        raise UsageError(f"gate {text!r}: a ratio lies between 0 and 1", hint=f"{number.lstrip('-')}% ?")
    bounds = f"{lowest:g} or more" if math.isinf(unit.highest) else f"between {lowest:g} and {unit.highest:g}"
    raise UsageError(f"gate {text!r}: {quantity.word} is {bounds}", hint=_EXAMPLE)


def plain_word(name: str) -> str:
    """Return the word of a quantity as gates write it: `latency_p99` is `p99`."""
    plain = name.strip().lower().replace("_", " ").removeprefix("latency ")
    return {
        "load-memory": "load memory",
        "top1": "top-1",
        "top 1": "top-1",
        "top5": "top-5",
        "top 5": "top-5",
    }.get(plain, plain)


def _quantity(text: str, name: str, quantities: Quantities) -> Quantity:
    plain = plain_word(name)
    if plain in quantities:
        return quantities[plain]
    raise UsageError(
        f"gate {text!r}: {plain!r} is nothing that is measured", hint=choice_hint(plain, quantities)
    )


def _number(text: str, number: str, factor: float = 1.0) -> float:
    try:
        return as_written(number, factor)
    except ValueError as error:
        raise UsageError(f"gate {text!r}: {number!r} is no number", hint=_EXAMPLE) from error


def _text_of(given: Any) -> str:
    """Return a gate's table as the text that means the same."""
    kinds = [key for key in _TABLE if isinstance(given, dict) and key in given]
    if len(kinds) != 1 or set(given) != {"metric", kinds[0]}:
        hint = '{ metric = "p50", within = "5%" }, or max = "12ms", or min = "0.999"'
        raise UsageError(f"gate {given!r} is not understood", hint=hint)
    return f"{given['metric']} {_TABLE[kinds[0]]} {given[kinds[0]]}"
