"""What int8 leaves of a cause's bytes: measured on networks that were converted both ways, never argued.

`in_int8.tsv` has, for each cause and SoC, the least, the median and the most that an int8 file took of the
bytes that the float16 file of the same network gives to that cause (`tools/corpus/in_int8.py` writes it).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from rkbench.inspection.causes.cause import QUANTIZE, Fix
from rkbench.language.said import Said, say

FEWEST_NETWORKS = 3
"""Of fewer nothing is said: one network tells little of another."""
_CURED_BELOW = 45
"""Percent. Weights are halved by int8 whatever they are for: a cause that shrinks no more is not cured."""
_STAYS_FROM = 80
"""Percent that stayed in every network where int8 is said not to help."""


@dataclass(frozen=True)
class Int8Share:
    """What int8 files took of the bytes that a cause has in float16, in percent."""

    networks: int
    least_percent: int
    median_percent: int
    most_percent: int


def in_int8(code: str, target: str | None, dtype: str) -> tuple[tuple[Fix, ...], tuple[Said, ...]]:
    """Return what int8 does to a cause of a float16 file, as a cure or as what does not help; else nothing.

    Nothing is said of a file that is int8 already, of a cause that too few networks had in float16, nor
    where it helped some networks and others not.
    """
    share = measured().get((code, target or "")) if dtype == "fp16" else None
    if share is None or share.networks < FEWEST_NETWORKS:
        return (), ()
    said = say(  # with rknn-toolkit2 2.5.0
        "int8: it takes {leaves} of these bytes (measured, {networks} networks converted both ways for "
        "{target})",
        leaves=_range(share),
        networks=share.networks,
        target=target,
    )
    if share.median_percent < _CURED_BELOW and share.most_percent < 100:
        return (Fix("config", said, QUANTIZE),), ()
    return (), ((said,) if share.least_percent >= _STAYS_FROM else ())


def _range(share: Int8Share) -> str:
    if share.least_percent == share.most_percent:
        return f"{share.least_percent} %"
    return f"{share.least_percent} to {share.most_percent} %"


@cache
def measured() -> dict[tuple[str, str], Int8Share]:
    """Return what was measured, by code of the cause and SoC."""
    text = files("rkbench.inspection.causes").joinpath("in_int8.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()[1:]]
    return {(code, target): Int8Share(*map(int, numbers)) for code, target, *numbers in rows}
