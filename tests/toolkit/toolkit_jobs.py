"""One conversion in the toolkit's own environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from rkbench.errors import ConversionError
from rkbench.toolkit.environment import find_environment, installed_versions
from rkbench.toolkit.jobs import ConversionJob, run_job
from rkbench.toolkit.versions import DEFAULT

ROOT = Path(__file__).parents[2]

Convert = Callable[..., dict[str, Any]]


def converted(words: dict[str, Any], version: str = DEFAULT) -> dict[str, Any]:
    """Run one conversion; return its answer, or skip where the toolkit is missing."""
    if version not in installed_versions():
        pytest.skip(f"no rknn-toolkit2 {version}: bench toolkit install {version}")
    try:
        return {"ok": True, **asdict(run_job(find_environment(version), ConversionJob(**words)))}
    except ConversionError as error:
        return {"ok": False, "stage": error.stage, "error": error.message}
