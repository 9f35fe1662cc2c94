"""`bench nightly`: the lab's regression."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rkbench.cli import options
from rkbench.cli.voice import voice_of

if TYPE_CHECKING:
    from rkbench.nightly.begin import Terms

Resume = Annotated[
    bool | None,
    typer.Option("--resume/--fresh", help="Go on with the night that broke off (default), or begin anew."),
]
Comment = Annotated[bool, typer.Option("--comment", help="Comment on the merge request of this CI job.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be run, and how long it took; run nothing.")
]


def nightly(
    context: typer.Context,
    suite: Annotated[Path, typer.Argument(help="The suite: models, boards, plans, gates; docs/nightly.md.")],
    junit_file: Annotated[str | None, typer.Option("--junit", help="Write JUnit XML to FILE, or - .")] = None,
    markdown_file: Annotated[
        str | None, typer.Option("--markdown", help="Write a summary to FILE, or - .")
    ] = None,
    json_file: options.JsonFile = None,
    time_budget: Annotated[
        float | None, typer.Option(min=0, help="Begin nothing after so many seconds.")
    ] = None,
    resume: Resume = None,
    comment: Comment = False,
    dry_run: DryRun = False,
    priority: options.Priority = 0,
    store: options.Store = None,
    inventory: options.Inventory = None,
) -> int:
    """Run a suite on all boards: exit 0 green, 3 red, 1 not measured."""
    from rkbench.campaign.running import Running
    from rkbench.nightly.begin import FRESH, RESUME, Terms
    from rkbench.nightly.commenting import told_comment
    from rkbench.nightly.run import run_suite
    from rkbench.store import default_address
    from rkbench.views.nightly.comment import comment_body, is_news, mark_of
    from rkbench.views.nightly.console import show_night
    from rkbench.views.output import check_not_read, check_outputs
    from rkbench.views.running import heard_of_night

    outputs = {"--junit": junit_file, "--markdown": markdown_file, "--json": json_file}
    check_not_read(outputs, {"the suite": suite})
    check_outputs(outputs)
    terms = Terms({True: RESUME, False: FRESH, None: ""}[resume], time_budget, priority=priority)
    if dry_run:
        given = [*(name for name, value in outputs.items() if value), *(["--comment"] if comment else [])]
        return _dry_run(suite, terms, given, store, inventory)
    with (
        voice_of(context).night_progress() as progress,
        Running("night", suite.name, store or default_address()) as running,
    ):
        listener = heard_of_night(running, progress)
        night = run_suite(suite, listener, terms, store=store, inventory=inventory)
    if comment:
        told = told_comment(os.environ, comment_body(night), mark_of(night), is_news=is_news(night))
        print(told, file=sys.stderr)
    show_night(night, junit_file=junit_file, markdown_file=markdown_file, json_file=json_file)
    if night.interrupted:
        raise KeyboardInterrupt
    return night.exit_code


def _dry_run(suite: Path, terms: Terms, given: list[str], store: str | None, inventory: Path | None) -> int:
    from rkbench.errors import UsageError
    from rkbench.nightly.dry import look_at
    from rkbench.views.nightly.dry_run import show_dry_night

    if given:
        raise UsageError(
            f"--dry-run writes nothing, and {', '.join(given)} asks for it", hint="leave one of them away"
        )
    show_dry_night(look_at(suite, terms, store=store, inventory=inventory))
    return 0
