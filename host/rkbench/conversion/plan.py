"""What is to be converted: recipes as they are typed become requests, or are left out with the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock

from rkbench.conversion.build import Built, ConversionRequest, build, known_conversion
from rkbench.conversion.calibration import CalibrationInputs
from rkbench.conversion.checks import not_written
from rkbench.conversion.draft import Draft
from rkbench.conversion.graphs import holds_integers
from rkbench.conversion.recipes import draft_of, objections
from rkbench.conversion.workers import RunJob
from rkbench.errors import BenchError, UsageError
from rkbench.toolkit.environment import ToolkitEnvironment, find_environment
from rkbench.toolkit.jobs import Limits, run_job
from rkbench.toolkit.shipped import elsewhere
from rkbench.toolkit.versions import DEFAULT

HOLDS_INTEGERS = (
    "the ONNX holds its integers already (QDQ), and the toolkit refuses to quantize it again; "
    "a float recipe such as fp16 leaves INT8 what is INT8"
)


@dataclass(frozen=True)
class LeftOut:
    """A recipe that is not converted, and why."""

    draft: Draft
    reason: str


@dataclass(frozen=True)
class FailedConversion:
    """A recipe whose conversion failed."""

    draft: Draft
    error: BenchError


@dataclass(frozen=True)
class AskedConversions:
    """What a user asks to convert. `python` is an environment of his own, for every recipe."""

    onnx: Path
    target: str
    recipes: tuple[str, ...]
    calibration: CalibrationInputs | None = None
    golden: Path | None = None
    input_shapes: Mapping[str, tuple[int, ...]] | None = None
    python: ToolkitEnvironment | None = None
    limits: Limits | None = None
    workers: str | None = None
    """The scheduler of a cluster that converts; None: this computer does."""
    by_layer: bool = False


Conversion = Built | FailedConversion
Listener = Callable[[Draft, Conversion | None], None]
"""Told of each draft that begins (None) and ends, one by one; what was converted before only ends."""


def drafts_of(asked: AskedConversions) -> tuple[Draft, ...]:
    """Return the drafts of the recipes, each once; raises UsageError."""
    toolkit = asked.python.version if asked.python else DEFAULT
    drafts = (draft_of(typed, asked.target, toolkit) for typed in asked.recipes)
    return tuple({draft.name: draft for draft in drafts}.values())


def requests_of(asked: AskedConversions) -> tuple[tuple[ConversionRequest, ...], tuple[LeftOut, ...]]:
    """Return what will be converted, and what will not with the reason.

    Raises UsageError for a recipe that is none, ToolkitError where a toolkit that a recipe needs is missing.
    """
    requests, left = [], []
    for draft in drafts_of(asked):
        reasons = objections(draft)
        if reasons:
            left.append(LeftOut(draft, "; ".join(reasons)))
            continue
        environment = asked.python or _environment(asked, draft)
        if environment.version != draft.toolkit:
            reason = f"--toolkit-python has {environment.version}, not {draft.toolkit}"
            left.append(LeftOut(draft, reason))
            continue
        if draft.is_quantized and asked.calibration is None:
            raise UsageError(f"recipe {draft.name} needs calibration", hint="--calibration DIR or FILE.npz")
        requests.append(_request(asked, draft, environment))
    if any(each.draft.is_quantized for each in requests) and holds_integers(asked.onnx):
        left += [LeftOut(each.draft, HOLDS_INTEGERS) for each in requests if each.draft.is_quantized]
        requests = [each for each in requests if not each.draft.is_quantized]
    return tuple(requests), tuple(left)


def _request(asked: AskedConversions, draft: Draft, environment: ToolkitEnvironment) -> ConversionRequest:
    return ConversionRequest(
        asked.onnx,
        draft,
        environment,
        asked.calibration,
        asked.golden,
        asked.input_shapes,
        asked.limits or Limits(),
        asked.by_layer,
    )


def _environment(asked: AskedConversions, draft: Draft) -> ToolkitEnvironment:
    return elsewhere(draft.toolkit) if asked.workers else find_environment(draft.toolkit)


def convert_all(
    requests: Sequence[ConversionRequest], listener: Listener, jobs: int = 1, run: RunJob = run_job
) -> tuple[Conversion, ...]:
    """Convert up to `jobs` at once; what fails is returned beside what is built, in the order of `requests`.

    Ctrl-C ends those that run and raises; what was finished stays in the cache.
    """
    done: dict[int, Conversion] = {}
    stop, speaking = Event(), Lock()

    def tell(draft: Draft, what: Conversion | None) -> None:
        with speaking:
            listener(draft, what)

    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        running: dict[Future[Conversion], int] = {}
        try:
            for place, request in enumerate(requests):
                running[pool.submit(_convert, request, tell, stop, run)] = place
            while running:
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    place = running.pop(future)
                    done[place] = future.result()
                    tell(requests[place].draft, done[place])
        except BaseException:
            stop.set()
            for future in running:
                future.cancel()
            raise
    return tuple(done[place] for place in range(len(requests)))


def _convert(request: ConversionRequest, listener: Listener, stop: Event, run: RunJob) -> Conversion:
    try:
        if (known := known_conversion(request)) is not None:
            return known
        listener(request.draft, None)
        return build(request, stop, run)
    except BenchError as error:
        return FailedConversion(request.draft, error)
    except OSError as error:
        return FailedConversion(request.draft, not_written(request, error))
