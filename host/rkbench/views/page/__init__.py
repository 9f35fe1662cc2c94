"""What all pages have in common: one style sheet beneath each page's own, and templates that escape."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from rkbench.units import printable_lines
from rkbench.views.columns import kept_together

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def style_of(page: Path) -> str:
    """Return the style of a page whose own style sheet is `page`."""
    base = Path(__file__).parent / "base.css"
    return base.read_text(encoding="utf-8") + page.read_text(encoding="utf-8")


def page_environment(*folders: Path) -> Environment:
    """Return the templates of some folders: all text is escaped, and shows no control characters."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else printable_lines(str(value)),
    )
    environment.filters.update(breakable=breakable, unbroken=unbroken)
    return environment


def breakable(name: str) -> Markup:
    """Return a name, escaped, that a narrow column breaks behind a dot or a dash, not within a word."""
    from markupsafe import Markup, escape

    return Markup(_JOINTS.sub(r"\1<wbr>", str(escape(printable_lines(name)))))


def unbroken(text: str) -> Markup:
    """Return a sentence, escaped, in which no line ends between a number and its unit."""
    from markupsafe import Markup, escape

    return Markup(kept_together(str(escape(printable_lines(text)))))


_JOINTS = re.compile(r"([._/-])(?=\w)")


def embedded(document: object) -> str:
    """Return a value as JSON in which nothing can end the script element or start a comment."""
    text = json.dumps(document, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
