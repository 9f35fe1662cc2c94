"""`bench toolkit remove`: give the disk back what a converter takes."""

from __future__ import annotations

from typing import Annotated

import typer

from rkbench.cli import completion
from rkbench.cli.voice import say


def remove(
    version: Annotated[
        str, typer.Argument(help="The version, as 2.3.0.", autocompletion=completion.toolkits)
    ],
) -> None:
    """Remove an installed rknn-toolkit2."""
    from rkbench.toolkit.install import WAITING
    from rkbench.toolkit.install import remove as remove_version
    from rkbench.toolkit.versions import known_version

    version = known_version(version)
    was_there = remove_version(version, lambda: say(f"waiting for {WAITING} ...", err=True))
    say(f"rknn-toolkit2 {version}: {'removed' if was_there else 'was not installed'}")
