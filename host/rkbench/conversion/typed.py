"""What was typed becomes what is asked to convert; what came of it, delivered to the user's folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rkbench.conversion.build import Built, ConversionRequest, deliver
from rkbench.conversion.calibration import calibration_of
from rkbench.conversion.checks import FULL, check_requests
from rkbench.conversion.plan import (
    AskedConversions,
    FailedConversion,
    LeftOut,
    Listener,
    convert_all,
    drafts_of,
    requests_of,
)
from rkbench.conversion.words import ConvertWords
from rkbench.conversion.workers import workers_at
from rkbench.errors import BenchError, NoGoldenError, NoModelError, UsageError
from rkbench.onnx.input_shapes import parse_input_shapes
from rkbench.rknn.targets import check_target
from rkbench.toolkit.environment import given_environment
from rkbench.toolkit.jobs import Limits
from rkbench.variants.pictures import FILL, preparation

DEFAULT_RECIPES = ("fp16",)


@dataclass(frozen=True)
class Delivered:
    """A conversion and where its .rknn now stands."""

    built: Built
    path: Path


@dataclass(frozen=True)
class ConvertOutcome:
    """What came of all recipes, in the order in which they were asked for."""

    asked: AskedConversions
    delivered: tuple[Delivered, ...]
    failed: tuple[FailedConversion, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def exit_code(self) -> int:
        """Return 1 where a conversion failed or none was left to do."""
        return 1 if self.failed or not self.delivered else 0


def asked_of(
    model: Path | None, target: str | None, words: ConvertWords, golden: Path | None = None
) -> AskedConversions:
    """Return what the words ask to convert; raises UsageError."""
    if model is None or target is None:
        hint = "bench convert MODEL.onnx --target rk3588; recipes: bench convert --list"
        raise UsageError("an ONNX and --target are needed", hint=hint)
    if not model.is_file():
        raise NoModelError(f"{model}: no such file", hint="give the ONNX")
    if golden is not None and not golden.is_file():
        raise NoGoldenError(f"{golden}: no such file", hint=f"bench golden {model} makes one")
    check_target(target, "fp16")
    asked = AskedConversions(
        onnx=model,
        target=target,
        recipes=tuple(words.recipe or DEFAULT_RECIPES),
        golden=golden,
        input_shapes=parse_input_shapes(words.input_shape or ()),
        python=given_environment(words.toolkit_python) if words.toolkit_python else None,
        limits=Limits(words.time_limit, int(words.memory_limit * 1e9)),
        workers=words.workers,
    )
    calibration = calibration_of(
        words.calibration,
        preparation(words.mean, words.std, words.fit, words.bgr, FILL),
        random=words.random_calibration,
        needed=any(draft.is_quantized for draft in drafts_of(asked)),
    )
    return replace(asked, calibration=calibration)


def with_layers(asked: AskedConversions, *, by_layer: bool) -> AskedConversions:
    """Return what is asked, with the vendor's error of each layer; raises UsageError without a golden."""
    if by_layer and asked.golden is None:
        hint = f"--golden FILE.npz; bench golden {asked.onnx} makes one"
        raise UsageError("--by-layer looks at a golden's first case, and there is none", hint=hint)
    return replace(asked, by_layer=by_layer)


def converted(
    asked: AskedConversions, folder: Path, listener: Listener, jobs: int | None = None
) -> ConvertOutcome:
    """Convert what is asked and put the results into `folder`.

    Raises BenchErrors for what stops all of it before anything runs.
    """
    requests, left = requests_of(asked)
    return deliver_all(asked, requests, left, folder, listener, jobs or os.cpu_count() or 1)


def deliver_all(
    asked: AskedConversions,
    requests: Sequence[ConversionRequest],
    left: tuple[LeftOut, ...],
    folder: Path,
    listener: Listener,
    jobs: int,
) -> ConvertOutcome:
    """Convert `requests`, up to `jobs` at once, and put the results into `folder`.

    Raises what `check_requests` raises, and BenchError where the results cannot be written.
    """
    check_requests(requests, folder)
    with workers_at(asked.workers) as workers:
        done = convert_all(requests, listener, workers.slots or jobs, workers.run)
    built = [each for each in done if isinstance(each, Built)]
    stem = asked.onnx.stem
    delivered = tuple(Delivered(each, _delivered(each, folder, stem)) for each in built)
    failed = tuple(each for each in done if isinstance(each, FailedConversion))
    return ConvertOutcome(asked, delivered, failed, left)


def _delivered(built: Built, folder: Path, stem: str) -> Path:
    try:
        return deliver(built, folder, stem)
    except OSError as error:
        mend = "make room" if error.errno in FULL else f"look at {folder}"
        raise BenchError(
            f"{folder}: {error.strerror}",
            hint=f"what was converted is kept: {built.rknn}; {mend} and run the same command again",
        ) from error
