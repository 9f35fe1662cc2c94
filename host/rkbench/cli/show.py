"""`bench show`: what is in the store, as the push showed it."""

from __future__ import annotations

from typing import Annotated

import typer

from rkbench.cli import completion, options


def show(
    run: Annotated[
        str,
        typer.Argument(
            help="A run or a push (the end or start of its id), or `last`.", autocompletion=completion.runs
        ),
    ],
    json_file: options.JsonFile = None,
    baseline: options.Baseline = None,
    store: options.Store = None,
) -> None:
    """Show stored runs: all variants of a push side by side."""
    from rkbench.campaign.stored import load_collected
    from rkbench.views.push.show import show_push

    collected, comparison = load_collected(store, run, baseline)
    show_push([item.run for item in collected], comparison, json_file=json_file)
