"""`bench demo`: the story of the 3 MB that became 60 MB, on a virtual board."""

from __future__ import annotations

from typing import Annotated

import typer

from rkbench.cli import options
from rkbench.cli.voice import voice_of


def demo(
    context: typer.Context,
    json_file: options.JsonFile = None,
    store: Annotated[str | None, typer.Option(help="Keep the runs in this result store.")] = None,
) -> int:
    """The story of the 3 MB that became 60 MB, without hardware."""
    from rkbench.views.demo import tell

    return tell(store, json_file, voice_of(context).push_progress())
