"""An environment with a stand-in for rknn-toolkit2, as `bench toolkit install` would leave it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from rkbench.toolkit.environment import Record, ToolkitEnvironment, pins_digest, write_record

DATA = Path(__file__).parents[1] / "data"
SAMPLE = DATA / "models/mb_gap7_rk3588_i8.rknn"
DEMO = DATA.parents[1] / "host/rkbench/demo/data"
#: For what the tests start.
VARIABLES = {"RKBENCH_FAKE_TOOLKIT_SAMPLE": str(SAMPLE), "RKBENCH_FAKE_TOOLKIT_DIGITS": str(DEMO)}


def make_environment(folder: Path, version: str = "2.5.0", *, whole: bool = True) -> ToolkitEnvironment:
    """Make an environment in `folder`; it has numpy and onnx of the tests' own."""
    os.environ.update(VARIABLES)
    command = [sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(folder)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONNOUSERSITE": "1"})
    (packages,) = folder.glob("lib/python3*/site-packages")
    shutil.copytree(DATA / "fake_toolkit", packages, dirs_exist_ok=True)
    (metadata,) = packages.glob("rknn_toolkit2-*/METADATA")
    metadata.write_text(metadata.read_text().replace("2.5.0", version))
    (packages / "tests.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    if whole:
        write_record(folder, Record(version, "3.11.0", has_torch=False, pins=pins_digest(), size_bytes=1))
    return ToolkitEnvironment(folder / "bin/python", version, has_torch=False, folder=folder)
