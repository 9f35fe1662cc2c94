"""What the parts of the page are made with: escaped text, lists, cures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from rkbench.inspection.causes import Fix
from rkbench.language.language import Language
from rkbench.units import printable_lines


def text(value: object) -> str:
    """Return it escaped for the page."""
    return escape(printable_lines(str(value)), quote=True)


def scrolled(label: str) -> str:
    """Return the attributes of what may be wider or longer than its place: keys reach and scroll it."""
    return f'class="scroll" tabindex="0" role="region" aria-label="{text(label)}"'


def fix_lines(fix: Fix, language: Language) -> str:
    """Return a cure with what is to be typed."""
    snippet = f'<div class="code"><pre>{text(fix.snippet)}</pre></div>' if fix.snippet else ""
    return f"<p><b>{text(language.say('Fix'))}</b> — {text(language.tell(fix.action))}</p>{snippet}"


def listed(lines: Sequence[str]) -> str:
    """Return lines as a list; "" of none."""
    return f"<ul>{''.join(f'<li>{text(line)}</li>' for line in lines)}</ul>" if lines else ""
