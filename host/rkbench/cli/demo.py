"""`bench demo`: the story of the 3 MB that became 60 MB, on a virtual board."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from rkbench.cli import options
from rkbench.cli.voice import voice_of


def demo(
    context: typer.Context,
    json_file: options.JsonFile = None,
    store: Annotated[
        str | None, typer.Option(help="Keep the runs in this result store, not in the usual one.")
    ] = None,
) -> int:
    """The story of the 3 MB that became 60 MB, without hardware."""
    from rkbench.demo.run import demo_data, push_variants, read_facts
    from rkbench.views.demo import print_end, print_opening, render_json, without_percentages
    from rkbench.views.output import STDOUT, check_outputs, write_text
    from rkbench.views.terminal import make_console

    check_outputs({"--json": json_file})
    quiet, console = json_file == STDOUT, make_console(sys.stdout)
    with demo_data() as data:
        facts = read_facts(data)
        if not quiet:
            print_opening(facts, console)
        with voice_of(context).push_progress() as progress:
            outcome = push_variants(data, store, without_percentages(progress))
        if outcome.interrupted:
            raise KeyboardInterrupt
        if not quiet:
            print_end(outcome, facts, data, console, kept=store)
    if json_file is not None:
        write_text(json_file, render_json(outcome, facts))
    return 1 if outcome.failed else 0
