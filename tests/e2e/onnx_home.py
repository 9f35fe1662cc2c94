"""A home with an ONNX, its golden, and a stand-in for the vendor's converter in its cache."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from bench_command import Done, run_bench

sys.path.insert(0, str(Path(__file__).parents[1] / "host"))

from made_toolkit import DEMO, make_environment  # the path must be set first
from rkbench.toolkit.environment import folder_of


class OnnxHome:
    """Runs `bench` there; `calls` has a line for each conversion that the stand-in began."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._calls = folder / "calls"
        folder.mkdir(exist_ok=True)
        shutil.copyfile(DEMO / "digits.onnx", folder / "digits.onnx")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
            toolkit = folder_of("2.5.0")
        toolkit.parent.mkdir(parents=True)
        make_environment(toolkit)

    @property
    def environment(self) -> dict[str, str]:
        """What `bench` is given."""
        return {
            **os.environ,
            "HOME": str(self.folder),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "RKBENCH_STORE": str(self.folder / "store.sqlite"),
            "RKBENCH_FAKE_TOOLKIT_CALLS": str(self._calls),
        }

    @property
    def calls(self) -> list[str]:
        """The conversions that were begun, in their order."""
        return self._calls.read_text().splitlines() if self._calls.exists() else []

    def run(self, *arguments: object) -> Done:
        """Run `bench` in this home."""
        return run_bench(*arguments, environment=self.environment, folder=self.folder)
