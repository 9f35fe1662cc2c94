"""`bench toolkit install`: an environment with the vendor's converter."""

from __future__ import annotations

from typing import Annotated

import typer

from rkbench.cli import completion
from rkbench.cli.voice import voice_of


def install(
    context: typer.Context,
    version: Annotated[
        str | None,
        typer.Argument(help="2.5.0 (default), 2.3.2, 2.3.0 or 2.2.0.", autocompletion=completion.toolkits),
    ] = None,
    with_torch: Annotated[
        bool, typer.Option("--with-torch", help="The real torch too; an ONNX converts without.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Make it anew, even where it is there.")] = False,
) -> None:
    """Install rknn-toolkit2 in an environment of its own.

    It lies in the cache and takes about 660 MB; your own Python environment is not touched.
    """
    from rkbench.toolkit.install import install as install_version
    from rkbench.toolkit.versions import known_version
    from rkbench.views.toolkit import show_installed

    version = known_version(version)
    with voice_of(context).install_progress() as progress:
        environment = install_version(version, progress, with_torch=with_torch, again=again)
    show_installed(environment)
