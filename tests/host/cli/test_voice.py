"""-v, -vv and --quiet: where they may stand, what they let through, and what they leave behind."""

from __future__ import annotations

import io
import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rkbench.cli import version
from rkbench.cli.app import app
from rkbench.cli.voice import Voice
from rkbench.errors import UsageError
from rkbench.views.push.progress import PlainProgress
from rkbench.views.silence import Silence
from typer.testing import CliRunner

OURS = logging.getLogger("rkbench")


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The level of our loggers in the middle of each `bench history`."""
    levels: list[int] = []
    monkeypatch.setenv("RKBENCH_STORE", str(tmp_path / "results.sqlite"))
    monkeypatch.setattr("rkbench.views.history.show_history", lambda *_, **_asked: levels.append(OURS.level))
    yield levels
    assert (OURS.level, OURS.handlers, OURS.propagate) == (logging.NOTSET, [], True)


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("history", logging.NOTSET),
        ("-v history", logging.INFO),
        ("history -v", logging.INFO),
        ("history --verbose --limit 3", logging.INFO),
        ("-v history -vv", logging.DEBUG),
        ("-vv history", logging.DEBUG),
        ("history --debug", logging.DEBUG),
        ("-q history", logging.ERROR),
        ("history --quiet", logging.ERROR),
    ],
)
def test_the_options_stand_before_the_command_or_after_it(heard: list[int], line: str, level: int) -> None:
    app(line.split(), standalone_mode=False)
    assert heard == [level]


@pytest.mark.parametrize("line", ["-v -q history", "-v history -q", "history -q -vv"])
def test_quiet_and_verbose_contradict_each_other(heard: list[int], line: str) -> None:
    with pytest.raises(UsageError, match="contradict"):
        app(line.split(), standalone_mode=False)
    assert heard == []


def test_log_lines_go_to_stderr_with_their_time_and_logger(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RKBENCH_STORE", str(tmp_path / "results.sqlite"))
    monkeypatch.setattr(
        "rkbench.views.history.show_history",
        lambda *_, **_asked: logging.getLogger("rkbench.agent").info("desk: hello"),
    )
    ended = CliRunner().invoke(app, ["history", "-v"])
    assert (ended.exit_code, ended.stdout) == (0, "")
    assert ended.stderr.endswith(" rkbench.agent: desk: hello\n")


def test_bars_give_way_to_lines_between_log_lines_and_to_nothing_when_quiet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(Voice(verbosity=1).push_progress(), PlainProgress)
    assert isinstance(Voice(quiet=True).push_progress(), Silence)
    assert isinstance(Voice(quiet=True).night_progress(), Silence)


def test_the_version_names_all_parts() -> None:
    ended = CliRunner().invoke(app, ["--version"])
    assert ended.exit_code == 0
    assert ended.stdout == version.version_line() + "\n"
    for part in ("rkbench 0.1.0", "agent ", f"Python {sys.version.split()[0]}"):
        assert part in ended.stdout


def test_where_ctrl_c_is_ignored_sigterm_ends_it_all_the_same() -> None:
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"  # as in the background of a script
        "import rkbench.cli as cli\n"
        "cli._run = lambda _: (print('runs', flush=True), signal.pause())\n"
        "cli.main()"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "runs\n"
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "interrupted by SIGTERM\n")


def test_a_module_is_the_command_too() -> None:
    command = [sys.executable, "-m", "rkbench", "-h"]
    page = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert page.startswith("Usage: python -m rkbench [OPTIONS] COMMAND")
