"""The table of commands. A command is a function in a module of its own, which does not know this table."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer import completion

from rkbench.cli import voice
from rkbench.cli.lazy import PLAIN, Command, Group, LazyGroup
from rkbench.cli.plain_values import read_plainly
from rkbench.errors import BenchError, UsageError

SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")
HELP = "Benchmark RKNN models on RK3568/RK3588 boards, and explain every byte of a .rknn file."

COMMANDS: dict[str, Command | Group] = {
    "demo": Command("The story of the 3 MB that became 60 MB, without hardware.", "demo:demo"),
    "push": Command("Push variants to boards, run them there, and compare.", "push:push"),
    "inspect": Command("Say where every byte of a .rknn is, why, and what cures it.", "inspect:inspect"),
    "predict": Command("Predict the latency of a .rknn from the NPU tasks in it.", "predict:predict"),
    "explain": Command("Say what a log of board or converter means, and the cure.", "explain:explain"),
    "fix": Command("Rewrite an ONNX so that its .rknn does not bloat.", "fix:fix"),
    "convert": Command("Convert an ONNX, one .rknn for each recipe.", "convert:convert"),
    "sweep": Command("Build variants of an ONNX, measure, and name the one to ship.", "sweep:sweep"),
    "bisect": Command("Find the first layer that a board computes wrong.", "bisect:bisect"),
    "toolkit": Group(
        "The vendor's converter: install, list, remove.",
        {
            "install": Command(
                "Install rknn-toolkit2 in an environment of its own.", "toolkit.install:install"
            ),
            "list": Command(
                "List the versions of rknn-toolkit2, and which of them are installed.",
                "toolkit.list:list_toolkits",
            ),
            "remove": Command("Remove an installed rknn-toolkit2.", "toolkit.remove:remove"),
        },
    ),
    "golden": Command("Compute expected outputs with onnxruntime, for push --golden.", "golden:golden"),
    "run": Command("Compute the outputs of a .rknn without a board.", "run:run"),
    "show": Command("Show stored runs: all variants of a push side by side.", "show:show"),
    "compare": Command("Hold stored runs, pushes or nights against each other.", "compare:compare"),
    "history": Command("List stored runs, the newest first.", "history:history"),
    "tag": Command("Name stored runs, to find them by; or list the names.", "tag:tag"),
    "report": Command("Write stored runs as a page, Markdown, a picture or a trace.", "report:report"),
    "export": Command("Write stored runs, or their raw latencies, as CSV or Parquet.", "export:export"),
    "boards": Group(
        "The boards that you have: add, check, list.",
        {
            "add": Command("Add a board, once you have agreed to its host key.", "boards.add:add"),
            "check": Command(
                "Say what a board lacks for running models, and the cure.", "boards.check:check"
            ),
            "list": Command("List the boards; with --status, who holds them.", "boards.list:list_boards"),
            "calibrate": Command(
                "Fit the coefficients of `bench predict` to a board.",
                "boards.calibrate:calibrate",
            ),
            "record": Command("Record what a board tells, to send with a report.", "boards.record:record"),
            "remove": Command("Remove a board and its host key from the inventory.", "boards.remove:remove"),
            "release": Command(
                "Use a board again that was taken out for its faults.", "boards.release:release"
            ),
            "install-exporter": Command(
                "Keep an exporter for Prometheus running on a board.",
                "boards.install_exporter:install_exporter",
            ),
        },
    ),
    "nightly": Command("Run a suite on all boards: exit 0 green, 3 red, 1 not measured.", "nightly:nightly"),
    "nights": Command("List the nights that were run, the last first.", "nights:nights"),
    "baseline": Group(
        "What nights are held against: accept, list.",
        {
            "accept": Command(
                "Hold the nights to come against the runs of this one.", "baseline.accept:accept"
            ),
            "list": Command("List the baselines in force.", "baseline.list:list_baselines"),
        },
    ),
    "store": Group(
        "The result store: check, back up, copy, prune.",
        {
            "check": Command(
                "Read everything in the store, and say what is damaged: exit 1.", "store.check:check"
            ),
            "backup": Command(
                "Copy the store as it is at one moment, also while others write to it.", "store.backup:backup"
            ),
            "import": Command(
                "Take in the runs, nights and tags of another store; exit 1 where some are damaged.",
                "store.take:take",
            ),
            "copy": Command(
                "Copy a store into another, from a file to a server or back; exit 1 where some are damaged.",
                "store.copy:copy",
            ),
            "prune": Command(
                "Remove old runs, but for tagged ones and baselines in force.", "store.prune:prune"
            ),
            "migrate": Command(
                "Bring a store to the version that this rkbench writes.", "store.migrate:migrate"
            ),
        },
    ),
    "serve": Command("Serve results (/metrics) and boards (/sd) to Prometheus.", "serve:serve"),
}


class Bench(LazyGroup):
    """The group of all commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(tree=COMMANDS, **attributes)
        read_plainly(self.params, options)


app = typer.Typer(
    name="bench",
    cls=Bench,
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"max_content_width": 100, "help_option_names": ["--help", "-h"]},
    pretty_exceptions_enable=False,
    **PLAIN,
)
# typer does so itself only for options of its own making, which cost more to build.
completion.completion_init()  # type: ignore[attr-defined]  # imported there for callers like us


def _show_version(context: typer.Context, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        from rkbench.cli.version import version_line

        typer.echo(version_line())
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", callback=_show_version, is_eager=True, help="Show the versions of all parts."),
]


def _shell_after(option: str) -> str | None:
    """Return the word that was typed after an option: typer has it as a flag, which takes none."""
    words = sys.argv[1:]
    after = words[words.index(option) + 1 :] if option in words else []
    return after[0] if after and not after[0].startswith("-") else None


def _install_completion(context: typer.Context, parameter: typer.CallbackParam, asked: bool) -> object:
    """Install the completion; a home that cannot be written is an error with the next step."""
    shell = _shell_after("--install-completion")
    if asked and shell is not None and shell not in SHELLS:
        raise UsageError(f"no completion for the shell {shell!r}", hint=f"one of {', '.join(SHELLS)}")
    try:
        return completion.install_callback(context, parameter, shell if asked and shell else asked)
    except OSError as error:
        raise BenchError(
            f"the completion cannot be installed: {error.filename}: {error.strerror}",
            hint="bench --show-completion prints it: put it where your shell reads it",
        ) from error


InstallCompletion = Annotated[
    bool,
    typer.Option(
        "--install-completion",
        callback=_install_completion,
        help="Let this shell complete what you type.",
    ),
]
ShowCompletion = Annotated[
    bool,
    typer.Option(
        "--show-completion", callback=completion.show_callback, help="Print what would be installed."
    ),
]


@app.callback()
def options(
    verbose: voice.Verbose = False,
    debug: voice.Debug = False,
    quiet: voice.Quiet = False,
    lang: voice.Lang = None,
    version: Version = False,
    install_completion: InstallCompletion = False,
    show_completion: ShowCompletion = False,
) -> None:
    """Take the options that stand before the command; their callbacks have done it."""
