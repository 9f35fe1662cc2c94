"""onnxruntime, which sends nothing from here."""

from __future__ import annotations

import os
from typing import Any


def load_onnxruntime() -> Any:
    """Return the module onnxruntime; raises ImportError where it is not installed.

    Its newer builds tell Microsoft of each session, and keep an id of the computer in the cache. They do not
    from here, unless the user has set ORT_DISABLE_TELEMETRY=0.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime
