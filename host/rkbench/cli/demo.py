"""`bench demo`: the story of the 3 MB that became 60 MB, on a virtual board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli.app import app


@app.command()
def demo(
    json_file: Annotated[str | None, typer.Option("--json", help="Write JSON to FILE, or - .")] = None,
    store: Annotated[Path | None, typer.Option(help="Keep the runs in this result store.")] = None,
) -> int:
    """The story of the 3 MB that became 60 MB, without hardware."""
    from rkbench.views.demo import tell

    return tell(store, json_file)
