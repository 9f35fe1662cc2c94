"""A conversion for another computer: a job with the bytes of its files goes out, bytes come back.

`run_shipped` is a plain function of plain values, so that any executor can carry it: it finds the toolkit of
the version that it is told on the computer where it runs. Its errors are values too: exceptions do not always
travel.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Executor
from concurrent.futures import TimeoutError as NotYetError
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from typing import Any

from rkbench.decoding.documents import read_document
from rkbench.errors import BenchError, ConversionError, ToolkitError
from rkbench.toolkit.environment import ToolkitEnvironment, find_environment
from rkbench.toolkit.jobs import LOOK_S, Answer, ConversionJob, Limits, run_job

INPUTS, OUTPUT, OUTPUTS, LOG = "fed.npz", "model.rknn", "model.replay.npz", "model.log"
ANALYSIS = "model.analysis.txt"
CAME_BACK = (OUTPUT, OUTPUTS, ANALYSIS, LOG)
_NO_WORKER = "what was converted is kept: run the same command again, without --workers here"
ExecutorFor = Callable[[str], Executor]
"""Returns what runs functions where the toolkit of a version is."""


@dataclass(frozen=True)
class _Words:
    """A job without its paths, and the toolkit that it is for."""

    version: str
    onnx: str
    target: str
    dtype: str
    config: Mapping[str, Any]
    hybrid: Mapping[str, str] | str | None
    input_shapes: Mapping[str, tuple[int, ...]]
    dataset: tuple[tuple[str, ...], ...] | None
    is_analysed: bool
    duration_s: float
    memory_bytes: int


@dataclass(frozen=True)
class _Refused:
    """An error as it travels."""

    is_of_toolkit: bool
    message: str
    hint: str
    stage: str


def run_shipped(words: str, files: Mapping[str, bytes]) -> tuple[str, dict[str, bytes]]:
    """Convert on this computer: return an answer, or a refusal, as JSON, and the files that came of it."""
    asked = read_document(_Words, words.encode(), "a conversion's words")
    with tempfile.TemporaryDirectory(prefix="rkbench-shipped-") as temporary:
        folder = Path(temporary)
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        try:
            answer = run_job(find_environment(asked.version), _job(asked, folder), _limits(asked))
            said = json.dumps(asdict(answer))
        except BenchError as error:
            stage = error.stage if isinstance(error, ConversionError) else ""
            told = _Refused(not isinstance(error, ConversionError), error.message, error.hint or "", stage)
            said = json.dumps({"refused": asdict(told)})
        return said, {name: (folder / name).read_bytes() for name in CAME_BACK if (folder / name).exists()}


def _job(asked: _Words, folder: Path) -> ConversionJob:
    has_inputs = (folder / INPUTS).exists()
    return ConversionJob(
        onnx=folder / asked.onnx,
        target=asked.target,
        dtype=asked.dtype,
        output=folder / OUTPUT,
        dataset=[[folder / name for name in case] for case in asked.dataset] if asked.dataset else None,
        config=asked.config,
        hybrid=asked.hybrid,
        input_shapes=asked.input_shapes,
        inputs=folder / INPUTS if has_inputs else None,
        outputs=folder / OUTPUTS if has_inputs else None,
        analysis=folder / ANALYSIS if asked.is_analysed else None,
        log=folder / LOG,
    )


def _limits(asked: _Words) -> Limits:
    return Limits(asked.duration_s, asked.memory_bytes)


@dataclass(frozen=True)
class ShippedJobs:
    """Runs jobs as `run_job` does, on what `executor_for` a version of the toolkit gives.

    `place` is said in errors, `beside` names the files that an ONNX keeps weights in.
    """

    executor_for: ExecutorFor
    place: str
    beside: Callable[[Path], Sequence[str]] = lambda _: ()

    def __call__(
        self,
        environment: ToolkitEnvironment,
        job: ConversionJob,
        limits: Limits | None = None,
        stop: Event | None = None,
    ) -> Answer:
        """Return the answer of a job once its files are back; raises ConversionError, ToolkitError."""
        words, files = _packed(environment.version, job, limits or Limits())
        files |= {name: (job.onnx.parent / name).read_bytes() for name in self.beside(job.onnx)}
        said, back = self._result(job, environment.version, words, files, stop or Event())
        if job.log is not None and LOG in back:
            job.log.write_bytes(back[LOG])
        told = json.loads(said)
        if "refused" in told:
            raise self._refusal(_Refused(**told["refused"]), job)
        for name, target in ((OUTPUT, job.output), (OUTPUTS, job.outputs), (ANALYSIS, job.analysis)):
            if target is not None and name in back:
                target.write_bytes(back[name])
        return read_document(Answer, said.encode(), "the converter's answer")

    def _result(
        self, job: ConversionJob, version: str, words: str, files: Mapping[str, bytes], stop: Event
    ) -> tuple[str, dict[str, bytes]]:
        try:
            future = self.executor_for(version).submit(run_shipped, words, dict(files))
            while True:
                try:
                    return future.result(LOOK_S)
                except NotYetError:
                    if future.done():
                        raise
                if stop.is_set():
                    future.cancel()
                    raise ConversionError(f"{job.onnx.name}: stopped", stage="stopped")
        except BenchError:
            raise
        except (
            Exception,
            CancelledError,
        ) as error:  # whatever a cluster has: a worker lost, no rkbench there
            text = f"{job.onnx.name}: {self.place} did not convert it: {type(error).__name__}: {error}"
            raise ConversionError(text, hint=_NO_WORKER, stage="worker") from error

    def _refusal(self, told: _Refused, job: ConversionJob) -> BenchError:
        if told.is_of_toolkit:
            return ToolkitError(f"a worker of {self.place}: {told.message}", hint=f"there: {told.hint}")
        return ConversionError(told.message, hint=told.hint, stage=told.stage, log=job.log)


def _packed(version: str, job: ConversionJob, limits: Limits) -> tuple[str, dict[str, bytes]]:
    """Return a job as words and bytes."""
    files = {job.onnx.name: job.onnx.read_bytes()}
    if job.inputs is not None:
        files[INPUTS] = job.inputs.read_bytes()
    dataset = None
    if job.dataset is not None:
        dataset = tuple(tuple(path.name for path in case) for case in job.dataset)
        files |= {path.name: path.read_bytes() for case in job.dataset for path in case}
    words = _Words(
        version,
        job.onnx.name,
        job.target,
        job.dtype,
        job.config,
        job.hybrid,
        {name: tuple(shape) for name, shape in job.input_shapes.items()},
        dataset,
        job.analysis is not None,
        limits.duration_s,
        limits.memory_bytes,
    )
    return json.dumps(asdict(words)), files


def elsewhere(version: str) -> ToolkitEnvironment:
    """Return the environment of a version that some other computer has."""
    return ToolkitEnvironment(Path("python"), version, has_torch=False)
