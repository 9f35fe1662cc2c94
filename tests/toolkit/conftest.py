"""Conversions with the real rknn-toolkit2, in its own environment: `make test-toolkit` sets it up."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from toolkit_jobs import Convert, converted

# onnx_networks: the small networks of the tests without toolkit
sys.path.insert(0, str(Path(__file__).parents[1] / "host"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here: `make test` leaves it out."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.toolkit)


@pytest.fixture
def convert(tmp_path: Path) -> Convert:
    """Return a function (onnx, target, dtype, **job) -> answer; the file is `answer["output"]`."""

    def call(onnx: Path, target: str, dtype: str, **job: Any) -> dict[str, Any]:
        output = tmp_path / f"{onnx.stem}_{target}_{dtype}.rknn"
        asked = {"onnx": onnx, "target": target, "dtype": dtype, "output": output, "samples": 2}
        return {**converted({**asked, **job}), "output": output}

    return call
