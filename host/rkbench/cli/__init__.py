"""The `bench` command. `main` is the only place that turns errors into words and exit codes.

`app.py` lists the commands; the module of one is imported when it is typed, and what it needs when it runs:
`bench --help` must answer at once.
"""

from __future__ import annotations

import errno
import gc
import os
import re
import signal
import sys
from pathlib import Path

from rkbench.cli.quick import inspect_arguments, inspect_plain, with_all_tasks
from rkbench.errors import BenchError, SettingError, UsageError
from rkbench.streams import open_standard_streams
from rkbench.units import printable

__all__ = ["main"]

INTERRUPTED = 130
#: Set by the shell that asks what it may complete; typer answers.
COMPLETING = "_BENCH_COMPLETE"


def main() -> None:
    """Run `bench` and exit: 0 fine, 1 failed, 2 usage, 3 a gate was crossed, 130 interrupted."""
    open_standard_streams()
    _multiply_on_one_thread()
    status = _ended(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError as error:
        status = status or _cannot_write(error)
    sys.exit(status)


def _ended(arguments: list[str]) -> int:
    """Run `bench` to its end, say in words why it ended early, and return the exit code."""
    heard: list[str] = []
    try:
        _end_by_unwinding(heard)
        _check_home()
        status = _run(arguments)
        if status == INTERRUPTED:  # which typer has made of a KeyboardInterrupt
            raise KeyboardInterrupt
    except BenchError as error:
        _explain(error)
        return error.exit_code
    except KeyboardInterrupt:
        return _interrupted(heard)
    except MemoryError as error:
        print(f"bench: memory is too short: {error or 'nothing more could be taken'}", file=sys.stderr)
        print("  → end other programs, raise the limit (ulimit -v), or take a smaller model", file=sys.stderr)
        return 1
    except OSError as error:
        return _of_the_system(error)
    except Exception as error:  # noqa: BLE001 - typer's own errors; what is none goes on
        return _usage(error)
    return status if isinstance(status, int) else 0


def _of_the_system(error: OSError) -> int:
    """Say what the system refused where it has to do with what was typed, and return the exit code."""
    if error.errno == errno.ENOSPC:
        return _cannot_write(error)
    if error.errno == errno.ENAMETOOLONG:
        problem = UsageError(f"{error.filename}: {error.strerror}", hint="name a shorter path")
    elif error.errno == errno.ENOENT and error.filename is None and not _has_folder():
        problem = UsageError("the folder that this is typed in is gone", hint="cd to one that is there")
    else:
        raise error
    _explain(problem)
    return problem.exit_code


def _has_folder() -> bool:
    """Return whether the working folder is there."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def _cannot_write(error: OSError) -> int:
    """Say that stdout took no more, let the rest go nowhere, and return the exit code."""
    print(f"bench: cannot write: {error.strerror}", file=sys.stderr)
    print("  → make room, or write to a place that has some", file=sys.stderr)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _multiply_on_one_thread() -> None:
    """Give numpy's BLAS, which is loaded later, one thread, unless the user has set another number.

    Its threads wait for each other in loops: beside other work, four times the processor time for the same
    product, and no gain where there is none (docs/npu.md).
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _end_by_unwinding(heard: list[str]) -> None:
    """Let a cancelled CI job (SIGTERM) or a closed terminal (SIGHUP) end like Ctrl-C: nothing is lost.

    What ignores them already (`nohup`) goes on doing so. The background of a script ignores SIGINT: there
    Ctrl-C is for others, and SIGTERM ends it all the same. The signal's name is the exception's
    argument, and added to `heard`.
    """

    def end(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second one means it
        heard.append(signal.Signals(number).name)
        raise KeyboardInterrupt(heard[-1])

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, end)


def _check_home() -> None:
    """Refuse a HOME that begins with `~`: it is no path, and nothing expands it."""
    home = os.environ.get("HOME", "")
    if home.startswith("~"):
        raise UsageError(
            f"HOME is {home!r}, which is no folder", hint="set HOME to the path of your home folder"
        )


def _run(arguments: list[str]) -> object:
    gc.disable()  # a help page or an inspection ends before anything has to be collected; see lazy.load
    arguments = with_all_tasks(arguments)
    plain = inspect_arguments(arguments)
    if plain is not None:
        inspect_plain(plain)
        return None
    from rkbench.cli.app import app
    from rkbench.interrupts import woken_by_signals

    try:
        with woken_by_signals():
            return app(part_pin(arguments), complete_var=COMPLETING, standalone_mode=False)
    except Exception:
        if COMPLETING not in os.environ:
            raise
        return 1  # nothing to offer; words would end up in the middle of the user's command line


def part_pin(arguments: list[str]) -> list[str]:
    """Return the arguments with `--pin 600MHz` as `--pin --npu-clock 600MHz`, which typer can read.

    A bare number is taken for a clock too, which then is said to lack its unit, unless a file has that name.
    """
    parted: list[str] = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if name == "--pin" and equals:
            parted += ["--pin", "--npu-clock", value]
        elif parted[-1:] == ["--pin"] and _is_clock(argument):
            parted += ["--npu-clock", argument]
        else:
            parted.append(argument)
    return parted


def _is_clock(argument: str) -> bool:
    written = re.fullmatch(r"\d+(\.\d+)?([GMk]?Hz)?", argument, re.IGNORECASE)
    return written is not None and (bool(written[2]) or not Path(argument).exists())


def _explain(error: BenchError) -> None:
    message = error.message
    if isinstance(error, SettingError):
        message = f"--{error.word.replace('_', '-')} {error.problem}"
    for number, line in enumerate(message.split("\n")):
        print(f"{'' if number else 'bench: '}{printable(line)}", file=sys.stderr)
    for line in error.hint.splitlines():
        print(f"  → {printable(line)}", file=sys.stderr)


def _interrupted(heard: list[str]) -> int:
    """Say what ended the command, where it was not Ctrl-C; returns the exit code."""
    # What is left is to clean up (a virtual board's folder): an impatient Ctrl-C must not stop that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print(f"interrupted{''.join(f' by {name}' for name in heard)}", file=sys.stderr)
    return INTERRUPTED


def _usage(error: Exception) -> int:
    """Show typer's own errors (a wrong option, `typer.Exit`); everything else is a bug and is raised."""
    import typer

    if isinstance(error, typer.Exit):
        return error.exit_code
    if isinstance(error, typer.Abort):
        return INTERRUPTED
    show = getattr(error, "show", None)
    code = getattr(error, "exit_code", None)
    if callable(show) and isinstance(code, int):
        show(file=sys.stderr)
        return code
    raise error
