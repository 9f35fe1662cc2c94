"""`bench nightly` and `bench baseline`: the lab's regression."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli.app import app

baseline_app = typer.Typer(help="What nights are held against: accept, list.", no_args_is_help=True)
app.add_typer(baseline_app, name="baseline")

_STORE = typer.Option("--store", help="The result store (default: $RKBENCH_STORE, else your data folder).")


@app.command()
def nightly(
    suite: Annotated[Path, typer.Argument(help="The suite: models, boards, plans, gates; docs/nightly.md.")],
    junit_file: Annotated[str | None, typer.Option("--junit", help="Write JUnit XML to FILE, or - .")] = None,
    markdown_file: Annotated[
        str | None, typer.Option("--markdown", help="Write a summary to FILE, or - .")
    ] = None,
    json_file: Annotated[str | None, typer.Option("--json", help="Write JSON to FILE, or - .")] = None,
    time_budget: Annotated[
        float | None, typer.Option(min=0, help="Begin nothing after so many seconds.")
    ] = None,
    resume: Annotated[
        bool | None,
        typer.Option(
            "--resume/--fresh", help="Go on with the night that broke off (default), or begin anew."
        ),
    ] = None,
    store: Annotated[Path | None, _STORE] = None,
    inventory: Annotated[
        Path | None, typer.Option(help="The bench.toml to use; how it is found: README.md.")
    ] = None,
) -> int:
    """Run a suite on all boards: exit 0 green, 3 red, 1 not measured."""
    wishes = dict(locals())
    from rkbench.cli.nights import NightWishes, run_and_show

    return run_and_show(NightWishes(**wishes))


@baseline_app.command("accept")
def accept(
    night: Annotated[str, typer.Argument(help="A night, a run of it (the start of an id), or `last`.")],
    note: Annotated[str, typer.Option(help="Why, for those who come after you.")] = "",
    store: Annotated[Path | None, _STORE] = None,
) -> None:
    """Hold the nights to come against the runs of this one."""
    from rkbench.cli.nights import accept_and_show

    accept_and_show(night, note, store)


@baseline_app.command("list")
def list_baselines(store: Annotated[Path | None, _STORE] = None) -> None:
    """List the baselines in force."""
    import sys

    from rkbench.store.nights import baselines
    from rkbench.store.sqlite import Store, default_path
    from rkbench.views.nightly.console import print_baselines

    with Store(store or default_path()) as opened:
        print_baselines(baselines(opened), sys.stdout)
