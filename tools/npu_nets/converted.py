"""Nets of `zoo.py` converted once, int8, and kept: for tests and benchmarks that want a large .rknn."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import onnx
from zoo import CONVERT, NETS, PYTHON, ROOT

CACHE = ROOT / ".venv-toolkit/zoo"
"""Conversions take up to half a minute each; one that is there for an equal ONNX is taken."""


def converted(name: str, target: str) -> tuple[Path, Path] | None:
    """Return ONNX and int8 .rknn of a net, made or found; None without the toolkit's environment."""
    if not PYTHON.exists():
        return None
    CACHE.mkdir(exist_ok=True)
    source = CACHE / f"{name}.onnx"
    onnx.save(NETS[name](), source)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    made = CACHE / f"{name}_{target}_{digest}.rknn"
    if not made.exists():
        job = {"onnx": str(source), "target": target, "dtype": "int8", "samples": 2, "output": str(made)}
        command = [str(PYTHON), str(CONVERT)]
        subprocess.run(command, input=json.dumps(job), text=True, check=True, capture_output=True)
    return source, made
