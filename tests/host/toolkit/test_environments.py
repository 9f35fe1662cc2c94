"""Where toolkits lie, what state they are in, what is refused before anything is fetched."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

import pytest
from bench_command import run_bench
from made_toolkit import make_environment
from rkbench.errors import BenchError, ToolkitError, UsageError
from rkbench.toolkit import environment, install, versions
from rkbench.toolkit.environment import folder_of, given_environment, state_of


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder_of("2.5.0").parent.mkdir(parents=True)
    return tmp_path


def test_the_states_of_an_environment(cache: Path) -> None:
    folder = folder_of("2.5.0")
    assert state_of("2.5.0")[0] == environment.ABSENT
    made = make_environment(folder, whole=False)
    assert state_of("2.5.0")[0] == environment.INCOMPLETE
    environment.write_record(
        folder, environment.Record("2.5.0", "3.11.0", False, environment.pins_digest(), 1)
    )
    assert state_of("2.5.0")[0] == environment.INSTALLED
    assert environment.find_environment().python == made.python
    made.python.unlink()
    assert state_of("2.5.0")[0] == environment.BROKEN
    environment.write_record(folder, environment.Record("2.5.0", "3.11.0", False, "others", 1))
    assert state_of("2.5.0")[0] == environment.STALE


def test_one_that_is_not_installed_says_how(cache: Path) -> None:
    with pytest.raises(ToolkitError) as raised:
        environment.find_environment("2.3.0")
    assert "not installed" in raised.value.message
    assert raised.value.hint == "bench toolkit install 2.3.0"


def test_one_that_is_whole_is_left_alone(cache: Path) -> None:
    made = make_environment(folder_of("2.5.0"))
    seen: list[install.Installing] = []
    assert install.install("2.5.0", seen.append).python == made.python
    assert seen == []


def test_what_fails_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = cache / "python-without-pip"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -m venv --without-pip "$3"\n')
    python.chmod(0o755)
    monkeypatch.setattr(install, "find_python", lambda: str(python))
    steps: list[str] = []
    with pytest.raises(ToolkitError, match="what the toolkit needs could not be installed") as raised:
        install.install("2.5.0", lambda event: steps.append(event.step))
    assert "No module named pip" in raised.value.message
    assert steps[-1] == "what the toolkit needs"
    assert not folder_of("2.5.0").exists()


def test_a_disk_without_room_is_refused_before_anything_is_fetched(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "NEEDED_BYTES", shutil.disk_usage(cache).total * 2)
    with pytest.raises(BenchError, match="free; installing takes") as raised:
        install.install("2.5.0", lambda _: None)
    assert "XDG_CACHE_HOME" in raised.value.hint


@pytest.mark.parametrize(
    ("machine", "system", "version", "said"),
    [
        ("riscv64", "Linux", "2.5.0", "Linux with x86_64 or aarch64 only"),
        ("arm64", "Darwin", "2.5.0", "this is Darwin on arm64"),
        ("aarch64", "Linux", "2.2.0", "x86_64 only"),
    ],
)
def test_a_computer_without_a_wheel_is_refused(
    monkeypatch: pytest.MonkeyPatch, machine: str, system: str, version: str, said: str
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "system", lambda: system)
    with pytest.raises(BenchError, match=said):
        versions.check_computer(version)


def test_a_computer_without_a_fitting_python_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "PYTHONS", ((3, 99),))
    with pytest.raises(BenchError, match=r"python3\.99") as raised:
        versions.find_python()
    assert "--toolkit-python" in raised.value.hint


def test_a_version_that_cannot_be_had_is_refused() -> None:
    with pytest.raises(UsageError) as raised:
        versions.known_version("2.5.1")
    assert "2.5.0" in raised.value.hint


def test_a_users_own_environment(tmp_path: Path) -> None:
    own = make_environment(tmp_path / "own", "2.3.2", whole=False)
    assert given_environment(own.python).version == "2.3.2"
    with pytest.raises(UsageError, match="no rknn-toolkit2"):
        given_environment(Path(sys.executable))
    with pytest.raises(UsageError, match="no Python that answers"):
        given_environment(tmp_path)
    with pytest.raises(UsageError, match="no Python that answers"):
        given_environment(Path("/bin/true"))


def test_list_and_remove(cache: Path) -> None:
    make_environment(folder_of("2.3.0"), "2.3.0")
    listed = run_bench("toolkit", "list").stdout
    states = {line.split()[0]: line.split()[1] for line in listed.splitlines()[1:] if line.startswith("2.")}
    assert states == {"2.5.0": "not", "2.3.2": "not", "2.3.0": "installed", "2.2.0": "not"}
    assert run_bench("toolkit", "remove", "2.3.0").stdout == "rknn-toolkit2 2.3.0: removed\n"
    assert not folder_of("2.3.0").exists()
    assert run_bench("toolkit", "remove", "2.3.0").stdout == "rknn-toolkit2 2.3.0: was not installed\n"
