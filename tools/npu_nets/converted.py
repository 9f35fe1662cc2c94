"""Nets of `zoo.py` converted once, int8, and kept: for tests and benchmarks that want a large .rknn."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
from rkbench.files import cache_folder
from rkbench.toolkit.environment import find_environment, installed_versions
from rkbench.toolkit.jobs import ConversionJob, run_job
from rkbench.toolkit.versions import DEFAULT
from zoo import NETS

CACHE = cache_folder("zoo")
"""Conversions take up to half a minute each; one that is there for an equal ONNX is taken."""


def converted(name: str, target: str) -> tuple[Path, Path] | None:
    """Return ONNX and int8 .rknn of a net, made or found; None where no toolkit is installed."""
    if DEFAULT not in installed_versions():
        return None
    CACHE.mkdir(parents=True, exist_ok=True)
    source = CACHE / f"{name}.onnx"
    onnx.save(NETS[name](), source)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    made = CACHE / f"{name}_{target}_{digest}.rknn"
    if not made.exists():
        run_job(find_environment(), ConversionJob(source, target, "int8", output=made, samples=2))
    return source, made
