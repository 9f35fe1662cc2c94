"""Show an inspection where it was asked for: JSON, page, terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from rkbench.inspection.document import Inspection
from rkbench.language.choice import spoken
from rkbench.language.language import ENGLISH, Language
from rkbench.views.inspect.terminal import NOTABLE, layer_limit, wants_all
from rkbench.views.output import STDOUT, all_of, check_not_read, check_output, write_text

NOTHING: Mapping[str, Path | None] = {}


class HowMuch(NamedTuple):
    """How much a terminal shows."""

    layers: int | None
    """How many; None for all."""
    all_causes: bool
    myths: bool


def show_inspection(
    inspection: Inspection,
    *,
    json_to: str | None,
    html_to: str | None,
    layers: str,
    myths: bool,
    causes: str = NOTABLE,
    read: Mapping[str, Path | None] = NOTHING,
) -> None:
    """Write the inspection where it was asked for, and to the terminal unless stdout is taken.

    `read` are the files that were read, by what they are: they are not overwritten.
    """
    limits = HowMuch(layer_limit(layers), wants_all(causes), myths)
    check_not_read({"--json": json_to, "--html": html_to}, read)
    for target in (json_to, html_to):
        if target:
            check_output(target)
    steps = [] if STDOUT in (json_to, html_to) else [lambda: _print(inspection, limits)]
    if json_to:
        steps.append(lambda: _write_json(inspection, json_to))
    if html_to:
        steps.append(lambda: _write_page(inspection, html_to))
    all_of(*steps)


def _write_json(inspection: Inspection, target: str) -> None:
    from rkbench.views.inspect.json import render_json

    write_text(target, render_json(inspection))


def _write_page(inspection: Inspection, target: str) -> None:
    from rkbench.views.inspect.html import render_html

    write_text(target, render_html(inspection, spoken()))


def _print(inspection: Inspection, limits: HowMuch) -> None:
    language = spoken(sys.stdout.encoding)
    print(_on_terminal(_told(inspection, language), limits, language), end="")


def _told(inspection: Inspection, language: Language) -> Inspection:
    if language is ENGLISH:
        return inspection
    from rkbench.language.documents import translated  # loaded for other languages alone

    return translated(inspection, language)


def _on_terminal(inspection: Inspection, limits: HowMuch, language: Language) -> str:
    from rkbench.views.inspect.console import render_console
    from rkbench.views.inspect.terminal import terminal_width, wants_colour

    terminal = sys.stdout.isatty()
    return render_console(
        inspection,
        terminal_width(),
        layers=limits.layers,
        all_causes=limits.all_causes,
        myths=limits.myths,
        colour=wants_colour(terminal),
        fold=terminal,
        language=language,
    )
