"""`bench show`: what is in the store, as the push showed it."""

from __future__ import annotations

from typing import Annotated

import typer

from rkbench.cli import completion, options


def show(
    run: Annotated[
        str,
        typer.Argument(
            help="A run, push or night (the end or start of its id), a tag, a day, or `last`.",
            autocompletion=completion.stored,
        ),
    ],
    json_file: options.JsonFile = None,
    baseline: options.Baseline = None,
    sort: options.Sort = "",
    store: options.Store = None,
) -> None:
    """Show stored runs: all variants of a push side by side.

    A night (`night`, `night~1`, its id) is shown as `bench nightly` did.
    """
    from rkbench.campaign.stored import load_collected, load_night
    from rkbench.views.push.overview import check_sort
    from rkbench.views.push.show import show_push

    check_sort(sort)
    night = load_night(store, run)
    if night is not None:
        from rkbench.views.nightly.console import show_night

        show_night(night, junit_file=None, markdown_file=None, json_file=json_file)
        return
    collected, comparison = load_collected(store, run, baseline)
    show_push([item.run for item in collected], comparison, json_file=json_file, sort=sort)
