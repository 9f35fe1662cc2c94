"""Numbers with their units, as people read them: the only module that makes `12.3 ms` of a value.

Sizes are decimal (1 MB = 1,000,000 B), as in the file sizes that Rockchip's tools and the issue
reports quote. An unknown value is shown as an en dash, never as 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation

from rkbench_agent.wire.text import encodable as encodable
from rkbench_agent.wire.text import printable as printable
from rkbench_agent.wire.text import printable_lines as printable_lines

from rkbench.errors import UsageError

#: Stands before every number that no real board measured.
MARK = "≈"
UNKNOWN = "–"


def format_bytes(value: float | None) -> str:
    """Return `value` bytes as `999 B`, `12.3 kB`, `63.3 MB`; the sign of a difference is kept."""
    if value is None:
        return UNKNOWN
    size = abs(value)
    sign = "-" if value < 0 else ""
    if size < 1000:
        return f"{sign}{size:.0f} B"
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 999.5 or unit == "GB":
            return f"{sign}{_three_digits(size)} {unit}"
    raise AssertionError("unreachable")


def format_about_seconds(value: float) -> str:
    """Return a duration that is only guessed, in two digits: `26 s`, `3 min`."""
    rounded = float(f"{value:.2g}")
    return f"{rounded:.0f} s" if rounded < 100 else f"{rounded / 60:.0f} min"


def format_seconds(value: float | None) -> str:
    """Return a duration as `850 ns`, `12.3 µs`, `4.56 ms`, `7.89 s`, `3 min 20 s` or `8 h 0 min`."""
    if value is None:
        return UNKNOWN
    sign, size = ("-" if value < 0 else ""), abs(value)
    if size >= 7200:
        return f"{sign}{int(size // 3600)} h {int(size % 3600 // 60)} min"
    if size >= 120:
        return f"{sign}{int(size // 60)} min {int(size % 60)} s"
    if not size:
        return "0 s"
    for limit, factor, unit in ((9.995e-7, 1e9, "ns"), (9.995e-4, 1e6, "µs"), (0.9995, 1e3, "ms")):
        if size < limit:
            return f"{sign}{_three_digits(size * factor)} {unit}"
    return f"{sign}{_three_digits(size)} s"


def as_written(number: str, factor: float) -> float:
    """Return a decimal number times a unit's factor, rounded once: 95 % is 0.95, which 95 * 0.01 exceeds.

    Raises ValueError for what is no number.
    """
    try:
        exact = Decimal(number) * Decimal(repr(factor))
    except InvalidOperation as error:
        raise ValueError(f"{number!r} is no number") from error
    return float(exact)


def parse_seconds(text: str) -> float:
    """Return the seconds of `90`, `1.5h`, `30min` or `500ms`; raises UsageError for anything else.

    A bare number may be any that Python reads, also none that is finite.
    """
    found = re.fullmatch(r"(.*?)\s*(ms|s|min|h)?", text.strip())
    factor = {"ms": 1e-3, None: 1.0, "s": 1.0, "min": 60.0, "h": 3600.0}
    try:
        return float(found.group(1)) * factor[found.group(2)] if found else float(text)
    except ValueError as error:
        raise UsageError(f"{text[:20]!r} is no duration", hint="write it as 90, 30s, 10min or 2h") from error


def format_hertz(value: float | None) -> str:
    """Return a clock as `600 MHz` or `1.01 GHz`."""
    if value is None:
        return UNKNOWN
    if value < 999.5e6:
        return f"{_three_digits(value / 1e6)} MHz"
    return f"{_three_digits(value / 1e9)} GHz"


def parse_hertz(text: str) -> int:
    """Return the hertz of `600MHz`, `1 GHz` or `600000000`; raises UsageError for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(GHz|MHz|kHz|Hz)?", text.strip(), re.IGNORECASE)
    if found is None:
        raise UsageError(f"{text!r} is no clock", hint="write it as 600MHz or 1GHz")
    factor = {"ghz": 1e9, "mhz": 1e6, "khz": 1e3, "hz": 1.0}[(found.group(2) or "Hz").lower()]
    try:
        return round(float(found.group(1)) * factor)
    except OverflowError as error:
        raise UsageError(f"{text[:20]}... is no clock", hint="write it as 600MHz or 1GHz") from error


def format_rate(value: float | None) -> str:
    """Return a throughput as `123 /s`."""
    return UNKNOWN if value is None else f"{_three_digits(value)} /s"


def format_celsius(value: float | None) -> str:
    """Return a temperature as `45.3 °C`."""
    return UNKNOWN if value is None else f"{value:.1f} °C"


def format_ratio(value: float | None) -> str:
    """Return a ratio of 0 to 1 as `12 %`."""
    return UNKNOWN if value is None else f"{value * 100:.0f} %"


def format_difference(value: float | None) -> str:
    """Return a relative difference (0.123 = 12.3 % more) as `+12.3 %`."""
    return UNKNOWN if value is None else f"{value * 100:+.1f} %"


def signed(value: float, digits: int = 1) -> str:
    """Return a difference with its sign: `+12.3`, `-0.05`; what rounds to nothing is `+0.0`."""
    return f"{round(value, digits) + 0.0:+.{digits}f}"


def format_moment(unix_s: float, form: str = "%Y-%m-%d %H:%M:%S UTC") -> str:
    """Return a moment in UTC, in a form of strftime; a dash for what a damaged store holds instead of one."""
    try:
        return datetime.fromtimestamp(unix_s, timezone.utc).strftime(form)
    except (OverflowError, ValueError, OSError):
        return UNKNOWN


def _three_digits(value: float) -> str:
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


@dataclass(frozen=True)
class Unit:
    """The unit of a measure: its name, how people may write it, and how a value is shown.

    `spellings` are factors to the unit in which values are kept. `is_ratio`: a value from 0 to 1 that is
    written in percent. `in_percent`: whether a difference in percent says something of two values.
    `lowest` and `highest` are what a value can be.
    """

    name: str
    spellings: Mapping[str, float]
    text: Callable[[float | None], str]
    is_ratio: bool = False
    in_percent: bool = True
    lowest: float = 0.0
    highest: float = math.inf

    @property
    def base(self) -> str:
        """How the unit in which values are kept is written; "" for plain numbers."""
        return next(spelling for spelling, factor in self.spellings.items() if factor == 1.0)


def text_beside(unit: Unit, value: float, limit: float) -> str:
    """Return `value` with as many digits as it takes not to read like `limit`, unless it is equal to it."""
    shown = unit.text(value)
    if value == limit or shown != unit.text(limit):
        return shown
    _, _, spelling = shown.rpartition(" ")
    factor = unit.spellings.get(spelling, 1.0)
    suffix = f" {spelling}" if spelling in unit.spellings else ""
    for digits in range(4, 18):
        plain = f"{value / factor:#.{digits}g}".rstrip(".")
        if plain != f"{limit / factor:#.{digits}g}".rstrip("."):
            return f"{plain}{suffix}"
    return f"{value / factor!r}{suffix}"


def format_between(unit: Unit, low: float, high: float, limit: float | None = None) -> str:
    """Return bounds as `9.95–10.1 ms`: the unit once where it is one, and digits that tell them apart.

    With a `limit` neither of them reads like it, unless it is equal to it.
    """
    first, last = _beside_both(unit, low, high, limit), _beside_both(unit, high, low, limit)
    number, _, spelling = first.rpartition(" ")
    return f"{number}–{last}" if number and last.endswith(f" {spelling}") else f"{first}–{last}"


def _beside_both(unit: Unit, value: float, other: float, limit: float | None) -> str:
    texts = [text_beside(unit, value, apart) for apart in (other, limit) if apart is not None]
    return max(texts, key=len)


def _similarity(value: float | None) -> str:
    """Return a cosine with five decimals, or as many as it takes: only 1 reads as 1."""
    if value is None:
        return UNKNOWN
    decimals = 5
    while abs(value) < 1 and abs(float(f"{value:.{decimals}f}")) == 1 and decimals < 17:
        decimals += 1
    return f"{value:.{decimals}f}"


def _share(value: float | None) -> str:
    """Return a ratio as `99.4 %`, with one decimal or as many as it takes: only 1 reads as 100 %."""
    if value is None:
        return UNKNOWN
    decimals = 1
    while value < 1 and float(f"{value * 100:.{decimals}f}") == 100 and decimals < 15:
        decimals += 1
    return f"{value * 100:.{decimals}f} %"


def _pattern(pattern: str) -> Callable[[float | None], str]:
    return lambda value: UNKNOWN if value is None else pattern.format(value)


def _decibels(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:.1f} dB".replace("inf", "∞")


SECONDS = Unit("s", {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}, format_seconds)
_DECIMAL = {"B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9}
BYTES = Unit("B", {**_DECIMAL, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}, format_bytes)
PER_SECOND = Unit("1/s", {"/s": 1.0, "1/s": 1.0, "fps": 1.0}, format_rate)
RATIO = Unit(
    "1",
    {"": 1.0, "%": 0.01},
    _share,
    is_ratio=True,
    in_percent=False,
    highest=1.0,
)
SIMILARITY = Unit("1", {"": 1.0}, _similarity, in_percent=False, lowest=-1.0, highest=1.0)
COUNT = Unit("1", {"": 1.0}, _pattern("{:.0f}"))
DECIBELS = Unit("dB", {"dB": 1.0}, _decibels, in_percent=False, lowest=-math.inf)
#: Whatever the model's output means.
OUTPUT_UNIT = Unit("output unit", {"": 1.0}, _pattern("{:.3g}"), lowest=-math.inf)
