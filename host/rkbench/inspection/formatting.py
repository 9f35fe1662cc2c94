"""Numbers and names as the sentences of an inspection put them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rkbench.language.said import Said, listed, say

LONGEST_NAME = 120


def count(number: int, noun: str) -> Said:
    """Return `1 layer`, `13 layers`; translations are of the singular, `{number:,} layer`."""
    said = say(f"{{number:,}} {noun}" if number == 1 else f"{{number:,}} {noun}s", number=number)
    said.template = f"{{number:,}} {noun}"
    return said


def listing(items: Sequence[str], most: int = 3) -> Said:
    """Return `a, b, c and 10 more`; of a name longer than LONGEST_NAME only both ends."""
    shown = [shortened(item) for item in items[:most]]
    if len(items) > most:
        return say("{items} and {more} more", items=listed(shown), more=len(items) - most)
    if len(shown) > 1:
        return say("{items} and {last}", items=listed(shown[:-1]), last=shown[-1])
    return listed(shown)


def shortened(item: str) -> str:
    """Return a name, of a longer one than LONGEST_NAME only both ends."""
    return item if len(item) <= LONGEST_NAME else f"{item[:50]}…{item[-50:]}"


def percent(share: float) -> str:
    """Return a share of 0 to 1 as `96 %`, small ones as `0.4 %`, the least as `<0.1 %`."""
    if 0 < share < 0.0005:
        return "<0.1 %"
    return f"{share * 100:.0f} %" if share >= 0.0995 or share == 0 else f"{share * 100:.1f} %"


def dims(shape: Iterable[int]) -> str:
    """Return a shape as `1x64x112x112`."""
    return "x".join(str(size) for size in shape)
