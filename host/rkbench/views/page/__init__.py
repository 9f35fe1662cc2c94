"""What all pages look alike in: one style sheet beneath each page's own."""

from __future__ import annotations

from pathlib import Path


def style_of(page: Path) -> str:
    """Return the style of a page whose own style sheet is `page`."""
    base = Path(__file__).parent / "base.css"
    return base.read_text(encoding="utf-8") + page.read_text(encoding="utf-8")
