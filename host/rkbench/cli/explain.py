"""`bench explain`: what a log of board, kernel, RKNNLite or converter means, and what to do."""

from __future__ import annotations

from typing import Annotated

import typer

from rkbench.cli import options


def explain(
    source: Annotated[
        str,
        typer.Argument(metavar="[FILE|-|NUMBER]", help="A log, - for stdin, or a row of the catalogue."),
    ] = "-",
    json: options.JsonFile = None,
) -> None:
    """Say what a log of board or converter means, and the cure.

    A number is a row of the catalogue, as failures name them: bench explain 32 (a file of that name: ./32).
    """
    from rkbench.catalogue.explain import explain as explain_lines
    from rkbench.catalogue.explain import explain_row
    from rkbench.catalogue.log_input import read_log
    from rkbench.catalogue.rows import named_row
    from rkbench.views.explain import show_explanation

    row = named_row(source) if source.isdecimal() else None
    found = explain_row(row) if row else explain_lines(read_log(source))
    show_explanation(f"catalogue {row.number}" if row else source, found, json)
