"""A user's own metric: FILE.py:function, which gets the outputs and the labels and returns a number."""

from __future__ import annotations

import math
import runpy
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from rkbench.errors import GoldenError, UsageError
from rkbench.variants.npz import Array

Metric = Callable[[Mapping[str, Array], Any], Any]
_FORM = "def score(outputs, labels): ... returns a number; outputs[NAME] is (cases, *shape)"


def read_metric(text: str) -> Metric:
    """Return the function that FILE.py:function names; raises UsageError."""
    file, separator, name = text.rpartition(":")
    if not (separator and file and name.isidentifier()):
        raise UsageError(f"--metric {text!r}: write FILE.py:function", hint=_FORM)
    if not Path(file).is_file():
        raise UsageError(f"--metric: {file}: no such file", hint=_FORM)
    try:
        with redirect_stdout(sys.stderr):  # standard output may be the JSON that was asked for
            defined = runpy.run_path(file, run_name="rkbench_metric")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the user's own code may raise anything, and call sys.exit()
        raise UsageError(f"--metric: {file} cannot be read: {_where(error)}", hint="mend it") from error
    function = defined.get(name)
    if not callable(function):
        raise UsageError(f"--metric: {file} defines no function {name!r}", hint=_FORM)
    found: Metric = function
    return found


def call_metric(text: str, function: Metric, outputs: Mapping[str, Array], labels: Any) -> float:
    """Return what the function says; raises GoldenError, with its last line, where that is no number."""
    try:
        with redirect_stdout(sys.stderr):
            value = function(outputs, labels)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the user's own code may raise anything, and call sys.exit()
        raise GoldenError(f"{text} failed: {_where(error)}", hint=_FORM) from error
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise GoldenError(f"{text} returned {type(value).__name__}, not a number", hint=_FORM) from error
    if not math.isfinite(number):
        raise GoldenError(f"{text} returned {number}", hint=_FORM)
    return number


def _where(error: BaseException) -> str:
    """Return an exception, and the line of code that it comes from."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"
