"""The environments that hold a toolkit: where ours lie, what state they are in, and what a user's own holds.

Ours lie in the cache, `toolkits/VERSION`. One is whole once its record is written, which is the last step of
making it; a folder without a record is what an interrupted installation left.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from rkbench.decoding.documents import read_document
from rkbench.errors import DocumentError, NoToolkitError, ToolkitError, UsageError
from rkbench.files import cache_folder, write_whole
from rkbench.toolkit.versions import DEFAULT, VERSIONS

RECORD = "rkbench-environment.json"
INSTALLED, ABSENT, INCOMPLETE = "installed", "not installed", "incomplete"
STALE, BROKEN = "of an older rkbench", "broken"
HERE = Path(__file__).resolve().parent
APART = HERE / "apart"
PINS = HERE / "pins.txt"
_ASK_S = 60.0
#: AskedConversions of an environment without importing the toolkit, which takes a second.
_ASK = """
import importlib.util, json
from importlib.metadata import PackageNotFoundError, version
try:
    found = version("rknn-toolkit2")
except PackageNotFoundError:
    found = None
if importlib.util.find_spec("rknn") is None:
    found = None
torch = importlib.util.find_spec("torch") is not None
print(json.dumps({"version": found, "has_torch": torch}))
"""


@dataclass(frozen=True)
class ToolkitEnvironment:
    """A Python that can import rknn-toolkit2 `version`; `folder` is ours, None for a user's own."""

    python: Path
    version: str
    has_torch: bool
    folder: Path | None = None


@dataclass(frozen=True)
class ToldByPython:
    """What a Python says of itself: `version` of its toolkit, None without one."""

    version: str | None
    has_torch: bool


@dataclass(frozen=True)
class Record:
    """What an environment of ours was made of; `pins` is the digest of what stands beside the toolkit."""

    version: str
    python: str
    has_torch: bool
    pins: str
    size_bytes: int


def folder_of(version: str) -> Path:
    """Return where the environment of a version lies, or would."""
    return cache_folder("toolkits") / version


def python_of(folder: Path) -> Path:
    """Return the Python of an environment."""
    return folder / "bin/python"


def pins_digest() -> str:
    """Return the digest of what is installed beside a toolkit, so that a change of it is noticed."""
    return hashlib.sha256(PINS.read_bytes()).hexdigest()


def read_record(folder: Path) -> Record | None:
    """Return what an environment was made of; None where it was not made to its end, or is damaged."""
    try:
        return read_document(Record, (folder / RECORD).read_bytes(), str(folder / RECORD))
    except (OSError, DocumentError):
        return None


def write_record(folder: Path, record: Record) -> None:
    """Say that an environment is whole; raises OSError."""
    write_whole(folder / RECORD, json.dumps(asdict(record), indent=2) + "\n")


def is_whole(folder: Path) -> bool:
    """Return whether an environment was made to its end, of today's pins, and still has its Python."""
    record = read_record(folder)
    return record is not None and record.pins == pins_digest() and os.access(python_of(folder), os.X_OK)


def installed_versions() -> tuple[str, ...]:
    """Return the versions whose environments are whole, the newest first."""
    return tuple(version for version in VERSIONS if is_whole(folder_of(version)))


def find_environment(version: str = DEFAULT) -> ToolkitEnvironment:
    """Return the environment of a version; raises ToolkitError, which says how it is made.

    It is a NoToolkitError where there is none at all.
    """
    folder = folder_of(version)
    record = read_record(folder)
    if record is None or not is_whole(folder):
        broken, state = (
            (ToolkitError, "is not whole") if folder.exists() else (NoToolkitError, "is not installed")
        )
        raise broken(f"rknn-toolkit2 {version} {state}", hint=f"bench toolkit install {version}")
    return ToolkitEnvironment(python_of(folder), version, record.has_torch, folder)


def given_environment(python: Path) -> ToolkitEnvironment:
    """Return what a user's own Python holds; raises UsageError where that is no toolkit."""
    hint = "name the python of an environment with rknn-toolkit2, or leave the option out"
    told = asked_of(python)
    if told is None:
        raise UsageError(f"--toolkit-python {python}: it is no Python that answers", hint=hint)
    if told.version is None:
        raise UsageError(f"--toolkit-python {python}: no rknn-toolkit2 is installed there", hint=hint)
    return ToolkitEnvironment(python.absolute(), told.version, told.has_torch)


def asked_of(python: Path) -> ToldByPython | None:
    """Return what a Python says that it has; None where it gives no answer."""
    try:
        asked = subprocess.run([str(python), "-c", _ASK], capture_output=True, check=False, timeout=_ASK_S)
        return read_document(ToldByPython, asked.stdout, str(python))
    except (OSError, DocumentError, subprocess.TimeoutExpired):
        return None


def state_of(version: str) -> tuple[str, Record | None]:
    """Return the state of a version's environment in a word, and what it was made of."""
    folder = folder_of(version)
    record = read_record(folder)
    if record is None:
        return (INCOMPLETE if folder.exists() else ABSENT), None
    if record.pins != pins_digest():
        return STALE, record
    told = asked_of(python_of(folder))
    return (INSTALLED if told is not None and told.version == version else BROKEN), record
