"""How much `bench` says on stderr: nothing but errors (--quiet), progress, log lines (-v), all of them (-vv).

The options stand before the command or after it. Log lines are those of the loggers `rkbench.*`: the host's
own, and what the agent and its workers say on the board; -vv adds every message of the
wire and SSH's own lines.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.main import get_command

from rkbench.cli.plain_values import read_plainly
from rkbench.errors import UsageError
from rkbench.units import printable_lines

if TYPE_CHECKING:
    from rkbench.views.convert import ConvertProgress
    from rkbench.views.nightly.progress import NightProgress
    from rkbench.views.push.progress import PushProgress
    from rkbench.views.push.progress_boards import BoardsProgress
    from rkbench.views.silence import Silence
    from rkbench.views.toolkit import InstallProgress

LINE = "%(asctime)s.%(msecs)03d %(name)s: %(message)s"


@dataclass
class Voice:
    """What one call of `bench` was asked to say."""

    verbosity: int = 0
    quiet: bool = False

    def push_progress(self) -> PushProgress:
        """Return where the events of a push go: bars, or plain lines between log lines, or nowhere."""
        from rkbench.views.push.progress import make_progress

        return make_progress(sys.stderr, plain=self.verbosity > 0, quiet=self.quiet)

    def boards_progress(self) -> BoardsProgress:
        """Return where the events of a push on several boards go."""
        from rkbench.views.push.progress_boards import make_boards_progress

        return make_boards_progress(sys.stderr, plain=self.verbosity > 0, quiet=self.quiet)

    def convert_progress(self) -> ConvertProgress | Silence:
        """Return where it is said that conversions begin and end."""
        from rkbench.views.convert import ConvertProgress
        from rkbench.views.silence import Silence

        return Silence() if self.quiet else ConvertProgress(sys.stderr)

    def install_progress(self) -> InstallProgress:
        """Return where the events of an installation go."""
        from rkbench.views.toolkit import make_install_progress

        return make_install_progress(sys.stderr, plain=self.verbosity > 0, quiet=self.quiet)

    def night_progress(self) -> NightProgress | Silence:
        """Return where the events of a night go."""
        from rkbench.views.nightly.progress import make_night_progress
        from rkbench.views.silence import Silence

        return Silence() if self.quiet else make_night_progress(sys.stderr, plain=self.verbosity > 0)


def say(text: str, *, err: bool = False) -> None:
    """Print lines that may hold words of others, on stdout or stderr."""
    typer.echo(printable_lines(text), err=err)


def say_written(context: typer.Context, *paths: Path | None) -> None:
    """Say on stderr which files were written, and how large they are, unless nothing is to be said there."""
    from rkbench.units import format_bytes

    for path in paths:
        if path is not None and path.is_file() and not voice_of(context).quiet:
            say(f"wrote {path}, {format_bytes(path.stat().st_size)}", err=True)


def voice_of(context: typer.Context) -> Voice:
    """Return the voice of the call that `context` belongs to."""
    return context.find_root().ensure_object(Voice)


def _verbose(context: typer.Context, asked: bool) -> bool:
    return _ask(context, verbosity=1, asked=asked)


def _debug(context: typer.Context, asked: bool) -> bool:
    return _ask(context, verbosity=2, asked=asked)


def _quiet(context: typer.Context, asked: bool) -> bool:
    return _ask(context, quiet=True, asked=asked)


# Flags, no counter: typer imports pydantic to read a number, which takes longer than all else of a help page.
Verbose = Annotated[
    bool,
    typer.Option("-v", "--verbose", callback=_verbose, help="Log on stderr what host and agent do."),
]
Debug = Annotated[
    bool,
    typer.Option("-vv", "--debug", callback=_debug, help="Log every message, and SSH's own lines too."),
]
Quiet = Annotated[
    bool,
    typer.Option("-q", "--quiet", callback=_quiet, help="No progress on stderr: results and errors only."),
]


def _language(context: typer.Context, word: str | None) -> str | None:
    """Let answers and advice be told in the language that is asked for."""
    if word is not None and not context.resilient_parsing:
        from rkbench.language.choice import ask, forget  # a help page needs neither

        ask(word)
        context.find_root().call_on_close(forget)
    return word


Lang = Annotated[
    str | None,
    typer.Option(
        "--lang",
        metavar="LANGUAGE",
        callback=_language,
        help="Answers of inspect, causes and advice: en or zh; default: as LANG says.",
    ),
]


def parameters() -> list[Any]:
    """Return the options for a command of its own: the same, and its function does not see them."""

    def options(
        verbose: Verbose = False, debug: Debug = False, quiet: Quiet = False, lang: Lang = None
    ) -> None:
        """Stand for the options."""

    single = typer.Typer(add_completion=False)
    single.command()(options)
    built: Any = get_command(single)
    read_plainly(built.params, options)
    for parameter in built.params:
        parameter.expose_value = False
    return list(built.params)


def _ask(context: typer.Context, *, verbosity: int = 0, quiet: bool = False, asked: bool) -> bool:
    """Let the call say more or less, where it is `asked` to; raises UsageError where it is asked for both."""
    voice = voice_of(context)
    if asked and not context.resilient_parsing:  # which is the shell, asking what it may complete
        voice.verbosity, voice.quiet = max(voice.verbosity, verbosity), voice.quiet or quiet
        if voice.quiet and voice.verbosity:
            _set_loggers(Voice())
            raise UsageError("--quiet and --verbose contradict each other", hint="give one of them")
        _set_loggers(voice)
        context.find_root().call_on_close(lambda: _set_loggers(Voice()))
    return asked


def _set_loggers(voice: Voice) -> None:
    """Let the loggers say as much as `voice` does."""
    import logging

    class Escaped(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return printable_lines(super().format(record))

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Escaped(LINE, datefmt="%H:%M:%S"))
    ours, ssh = logging.getLogger("rkbench"), logging.getLogger("paramiko")
    ours.handlers[:] = [handler] if voice.verbosity else []
    ours.propagate = not voice.verbosity
    loud = (logging.NOTSET, logging.INFO, logging.DEBUG)[voice.verbosity]
    ours.setLevel(logging.ERROR if voice.quiet else loud)
    ssh.handlers[:] = [handler] if voice.verbosity > 1 else []
    ssh.setLevel(logging.INFO if voice.verbosity > 1 else logging.NOTSET)
