"""What the words of a job mean to the toolkit; imports nothing, so that the host can read it too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def config_of(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords of `rknn.config` but for the target."""
    dtype = {"quantized_dtype": "w16a16i_dfp"} if job.get("dtype") == "int16" else {}
    return {**dtype, **job.get("config", {})}
