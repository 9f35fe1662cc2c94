"""onnxruntime, which sends nothing from here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rkbench.errors import ModelError

Arrays = dict[str, np.ndarray]


class CannotRunError(ModelError):
    """onnxruntime does not run a network; `network` is its file."""

    def __init__(self, network: Path, error: Exception) -> None:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        super().__init__(
            f"onnxruntime cannot run {network}: {reason}",
            hint="a change that cannot be verified is not written; check the model with onnx.checker",
        )
        self.network = network


def load_onnxruntime() -> Any:
    """Return the module onnxruntime; raises ImportError where it is not installed.

    Its newer builds tell Microsoft of each session, and keep an id of the computer in the cache. They do not
    from here, unless the user has set ORT_DISABLE_TELEMETRY=0.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def begin(network: Path, model: bytes | None = None) -> Any:
    """Return a session of a file, or of a model that was made of it; raises CannotRunError."""
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    asked = str(network) if model is None else model
    try:
        return onnxruntime.InferenceSession(asked, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no base but Exception
        raise CannotRunError(network, error) from error


def run(session: Any, feeds: Arrays, network: Path, names: Sequence[str] | None = None) -> list[np.ndarray]:
    """Return the outputs of these names, or all; raises CannotRunError."""
    try:
        outputs: list[np.ndarray] = session.run(names, feeds)
    except Exception as error:  # as above
        raise CannotRunError(network, error) from error
    return outputs
