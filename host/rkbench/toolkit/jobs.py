"""One conversion as a job for the toolkit's own Python, and what came of it.

The job travels as JSON on stdin, the answer comes as one line of JSON on stdout (words: `apart/converter`).
It runs in a session and a temporary folder of its own, within limits of time and memory: a converter that
hangs or grows is killed with all that it started.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import IO, Any

import psutil

from rkbench.decoding.documents import read_document
from rkbench.errors import ConversionError, DocumentError, ToolkitError
from rkbench.toolkit.environment import APART, ToolkitEnvironment
from rkbench.toolkit.failures import known_cure
from rkbench.units import format_bytes, format_seconds

LOOK_S = 0.1
WEIGH_S = 0.5
"""Between two looks at a converter's memory, each of which reads all processes of this computer."""
DIE_S = 5.0
LAST_LINES = 15


@dataclass(frozen=True)
class ConversionJob:
    """What `apart/converter` is to do; its docstring says what each word means."""

    onnx: Path
    target: str
    dtype: str = "fp16"
    output: Path | None = None
    dataset: Sequence[Sequence[Path]] | None = None
    seed: int = 0
    samples: int = 8
    config: Mapping[str, Any] = field(default_factory=dict)
    hybrid: Mapping[str, str] | str | None = None
    input_shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    inputs: Path | None = None
    outputs: Path | None = None
    analysis: Path | None = None
    log: Path | None = None

    def to_json(self) -> str:
        """Return the JSON that the converter reads: what is None is left out."""
        words = {name: value for name, value in vars(self).items() if value is not None}
        return json.dumps(words, default=_plain)


@dataclass(frozen=True)
class Limits:
    """What a conversion may take: seconds, and bytes of memory with all that it starts."""

    duration_s: float = 1800.0
    memory_bytes: int = 8_000_000_000


@dataclass(frozen=True)
class Answer:
    """What a conversion says of itself: bytes of the file, seconds by stage, its highest memory in bytes."""

    size_bytes: int
    duration_s: Mapping[str, float]
    toolkit_version: str
    peak_rss_bytes: int
    output_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Refusal:
    stage: str
    error: str


def run_job(
    environment: ToolkitEnvironment,
    job: ConversionJob,
    limits: Limits | None = None,
    stop: Event | None = None,
) -> Answer:
    """Convert in `environment`, until it is done or `stop` is set.

    Raises ConversionError, or ToolkitError where the environment is broken.
    """
    limits = limits or Limits()
    beside = job.output.parent if job.output is not None else None  # goes with it, should we be killed
    with tempfile.TemporaryDirectory(prefix=".toolkit-", dir=beside) as folder:
        words = Path(folder) / "words"
        with words.open("w+b") as out:
            code, told = _run(environment, job, limits, stop or Event(), Path(folder), out)
        said = words.read_text(errors="replace").splitlines()
    return _answer(environment, job, code, told, said)


def _run(
    environment: ToolkitEnvironment,
    job: ConversionJob,
    limits: Limits,
    stop: Event,
    folder: Path,
    words: IO[bytes],
) -> tuple[int, bytes]:
    """Run the converter to its end or to its limits; return its exit code and what it answered."""
    answer = folder / "answer"
    with answer.open("w+b") as out:
        process = _start(environment, folder, out, words)
        try:
            assert process.stdin is not None
            with suppress(BrokenPipeError), process.stdin as stdin:  # one that died before it read says why
                stdin.write(job.to_json().encode())
            _wait(process, job, limits, stop)
        finally:
            _kill(process)
    return process.returncode, answer.read_bytes()


def _start(
    environment: ToolkitEnvironment, folder: Path, out: IO[bytes], words: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start the converter; raises ToolkitError where its Python is not there."""
    try:
        return subprocess.Popen(
            [str(environment.python), "-m", "converter"],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=words,
            cwd=folder,
            env=_surroundings(folder),
            start_new_session=True,
        )
    except OSError as error:
        text = f"the environment {environment.python} is broken: {error.strerror}"
        raise ToolkitError(text, hint=_cure(environment)) from error


def _cure(environment: ToolkitEnvironment) -> str:
    """Return what mends an environment that is broken."""
    if environment.folder is None:
        return f"does {environment.python} -c 'import rknn.api' work?"
    return f"make it anew: bench toolkit install {environment.version} --again"


def _surroundings(folder: Path) -> dict[str, str]:
    """Return the converter's variables: its modules, none of the user's, temporary files in `folder`."""
    left_out = ("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, "PYTHONPATH": str(APART), "PYTHONNOUSERSITE": "1", "TMPDIR": str(folder)}


def _wait(process: subprocess.Popen[bytes], job: ConversionJob, limits: Limits, stop: Event) -> None:
    """Return once the converter has ended; raises ConversionError where it goes beyond a limit."""
    end = time.monotonic() + limits.duration_s
    weigh_at = 0.0
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_S)
            return
        if stop.is_set():
            raise ConversionError(f"{job.onnx.name}: stopped", stage="stopped")
        if time.monotonic() > end:
            text = f"{job.onnx.name}: the converter did not end within {format_seconds(limits.duration_s)}"
            raise ConversionError(text, hint="give it longer: --time-limit SECONDS", stage="time limit")
        if (now := time.monotonic()) < weigh_at:
            continue
        weigh_at = now + WEIGH_S
        if (used := _memory_of(process.pid)) > limits.memory_bytes:
            text = f"{job.onnx.name}: the converter took {format_bytes(used)} of memory and was stopped"
            hint = f"the limit is {format_bytes(limits.memory_bytes)}: --memory-limit GB"
            raise ConversionError(text, hint=hint, stage="memory limit")


def _memory_of(pid: int) -> int:
    """Return the resident bytes of a process and its children; what has ended counts nothing."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        used = 0
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                used += each.memory_info().rss
        return used
    return 0


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the converter and what it left behind: its session is its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(DIE_S)


def _answer(
    environment: ToolkitEnvironment, job: ConversionJob, code: int, told: bytes, said: list[str]
) -> Answer:
    if job.log is not None:
        with job.log.open("a", encoding="utf-8", errors="replace") as log:
            log.writelines(f"{line}\n" for line in said)
    try:
        if code == 0:
            return read_document(Answer, told, "the converter's answer")
        refusal = read_document(_Refusal, told, "the converter's answer")
    except DocumentError as error:
        raise _died(environment, job, code, said) from error
    raise refused(job, refusal.stage, refusal.error, said)


def refused(job: ConversionJob, stage: str, error: str, said: Sequence[str]) -> ConversionError:
    """Return the error of a model that the toolkit refused, with the cure where the catalogue knows one."""
    cause, cure = known_cure([*said, *error.splitlines()])
    last = next((line.strip() for line in reversed(error.splitlines()) if line.strip()), "it gave no reason")
    hint = cure or (f"its own words: {job.log}" if job.log is not None else "bench explain its log")
    return ConversionError(f"{job.onnx.name} ({stage}): {cause or last}", hint=hint, stage=stage, log=job.log)


BEGUN = "rknn-toolkit2 version:"
"""What the toolkit says first of all: its environment is whole."""


def _died(
    environment: ToolkitEnvironment, job: ConversionJob, code: int, said: Sequence[str]
) -> ToolkitError:
    """Return the error of a converter that gave no answer: it was killed, ended itself, or cannot even
    start."""
    if code < 0:
        name = signal.Signals(-code).name
        hint = (
            "out of memory? dmesg tells; fewer at once: --jobs 1" if name == "SIGKILL" else f"log: {job.log}"
        )
        return ConversionError(
            f"{job.onnx.name}: the converter died of {name}", hint=hint, stage="died", log=job.log
        )
    cause, cure = known_cure(said)
    if any(BEGUN in line for line in said):
        last = said[-1].split("\r")[-1].strip()
        text = f"{job.onnx.name}: the converter ended itself; its last words: {cause or last}"
        return ConversionError(text, hint=cure or f"log: {job.log}", stage="died", log=job.log)
    last = "\n".join([*([cause] if cause else []), *(f"  {line}" for line in said[-LAST_LINES:])])
    hint = cure if cure and environment.folder is None else _cure(environment)
    return ToolkitError(f"the environment {environment.python} is broken:\n{last}", hint=hint)


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value.absolute())
    raise TypeError(f"{type(value).__name__} in a job")
