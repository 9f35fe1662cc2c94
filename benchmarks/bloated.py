"""The 63 MB file of the story: bloat3M_groupconv_cpg4.onnx, converted for rk3588 fp16."""

from __future__ import annotations

from pathlib import Path

from rkbench.toolkit.environment import find_environment, installed_versions
from rkbench.toolkit.jobs import ConversionJob, run_job

ROOT = Path(__file__).parents[1]
ONNX = ROOT / "tests" / "data" / "models" / "bloat3M_groupconv_cpg4.onnx"


def bloated_model(folder: Path) -> Path | None:
    """Convert it into `folder` and return the file; None where no toolkit is installed."""
    if not installed_versions():
        return None
    path = folder / "bloat3M.rknn"
    if not path.exists():
        run_job(find_environment(installed_versions()[0]), ConversionJob(ONNX, "rk3588", output=path))
    return path
