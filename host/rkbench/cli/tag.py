"""`bench tag`: words and notes for stored runs."""

from __future__ import annotations

from typing import Annotated

import typer

from rkbench.cli import completion, options


def tag(
    run: Annotated[
        str | None,
        typer.Argument(
            help="A run, push, night or day, or `last`; without it, all tags.",
            autocompletion=completion.stored,
        ),
    ] = None,
    word: Annotated[
        str | None, typer.Argument(metavar="TAG", help="The tag; without it, those of these runs.")
    ] = None,
    note: Annotated[str, typer.Option("--note", help="Why, in words.")] = "",
    remove: Annotated[bool, typer.Option("--remove", help="Take the tag from these runs.")] = False,
    store: options.Store = None,
) -> None:
    """Name stored runs, to find them by; or list the names."""
    from rkbench.campaign.tagging import list_tags, tag_runs
    from rkbench.views.tags import show_tagged, show_tags

    if run is not None and word is not None:
        show_tagged(tag_runs(store, run, word, note, remove=remove), word, remove=remove)
    else:
        show_tags(list_tags(store, run, note=note, remove=remove), name=run)
