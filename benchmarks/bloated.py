"""The 63 MB file of the story: bloat3M_groupconv_cpg4.onnx, converted for rk3588 fp16."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOOLKIT_PYTHON = ROOT / ".venv-toolkit" / "bin" / "python"
ONNX = ROOT / "tests" / "data" / "models" / "bloat3M_groupconv_cpg4.onnx"


def bloated_model(folder: Path) -> Path | None:
    """Convert it into `folder` and return the file; None where there is no toolkit environment."""
    if not TOOLKIT_PYTHON.exists():
        return None
    path = folder / "bloat3M.rknn"
    if not path.exists():
        job = {"onnx": str(ONNX), "target": "rk3588", "dtype": "fp16", "output": str(path)}
        command = [str(TOOLKIT_PYTHON), str(ROOT / "tools/toolkit/convert.py")]
        subprocess.run(command, check=True, input=json.dumps(job).encode(), capture_output=True)
    return path
