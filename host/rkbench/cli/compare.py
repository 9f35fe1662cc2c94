"""`bench compare`: stored runs, pushes and nights held against each other."""

from __future__ import annotations

from typing import Annotated

import typer

from rkbench.cli import completion, options


def compare(
    names: Annotated[
        list[str],
        typer.Argument(
            help="Runs, pushes, nights, tags, days (2026-11-26), `last~1`; the first is the baseline.",
            autocompletion=completion.stored,
        ),
    ],
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse (exit 2) where any condition differs.")
    ] = False,
    json_file: options.JsonFile = None,
    store: options.Store = None,
) -> None:
    """Hold stored runs, pushes or nights against each other.

    Of several boards it says how far they lie apart, and which is odd; of runtimes, which differs first.
    """
    from rkbench.campaign.stored import compare_stored
    from rkbench.views.compare import show_side_by_side

    found, runs = compare_stored(store, names, strict=strict)
    show_side_by_side(found, runs, json_file)
