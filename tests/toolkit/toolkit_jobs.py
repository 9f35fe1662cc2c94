"""One conversion in the toolkit's own environment."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CONVERTER = ROOT / "tools/toolkit/convert.py"

Convert = Callable[..., dict[str, Any]]


def run_job(python: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Run one conversion; return its answer, or skip where the environment is missing."""
    if not python.exists():
        pytest.skip(
            f"{python.parents[1].name} is missing: tools/toolkit/setup.py [--toolkit VERSION] makes it"
        )
    command = [str(python), str(CONVERTER)]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr[-2000:]
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
