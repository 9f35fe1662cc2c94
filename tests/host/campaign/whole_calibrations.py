"""Calibrate virtual boards as a user does, seed by seed: how far unseen models' predictions are off.

    make calibrations

Each board has coefficients of its own, and 1 % of noise on each load, and its jitter. Every calibration is a
whole push of the shipped models. The table goes to docs/calibrations.md; a small twin is in every test run.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import numpy as np
from rkbench.campaign.kept_calibrations import read_calibration
from rkbench.npu.latency_model import latency_models
from test_calibration import NOISE, calibrate_virtual, unseen_terms

DOCUMENT = Path(__file__).parents[3] / "docs/calibrations.md"
SEEDS = 20
SLOWER = (1.3, 1.1, 0.9, 1.4)
"""Its true coefficients over those of its SoC."""
HEAD = """# Whole calibrations

Made by `make calibrations`: virtual boards whose coefficients are 1.3, 1.1, 0.9 and 1.4 times those of their
SoC, with 1 % of noise on each load and their usual jitter, calibrated by `bench boards calibrate`. Then the
latencies of five models that are not among the eight measured (mobilenetv2, resnet50, yolov5s, yolov8n,
PP-OCRv4 det) are predicted with what was found, and held against those of the true coefficients.

| SoC | seed | residual of the fit | largest of the five errors |
|---|---|---|---|
"""


def calibrate(soc: str, seed: int) -> tuple[str, float]:
    """Return the residual as it was told, and the largest error over the unseen models, as a share."""
    true = np.array(latency_models()[soc].coefficients) * SLOWER
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_DATA_HOME"] = folder
        told = calibrate_virtual(
            Path(folder), soc, latency={"coefficients": true.tolist()}, scatter={"load": NOISE}, seed=seed
        )
        kept = read_calibration("made", simulated=True)
        if kept is None:
            raise SystemExit(told.stdout + told.stderr)
    unseen = unseen_terms(soc)
    found = re.search(r"residual ([\d.]+%)", told.stdout)
    errors = np.abs(unseen @ np.array(kept.coefficients) / (unseen @ true) - 1)
    return found.group(1) if found else "", float(errors.max())


def main() -> None:
    """Calibrate all, and write the table as it grows."""
    lines, worst = [], []
    for soc in ("rk3588", "rk3568"):
        for seed in range(SEEDS):
            residual, error = calibrate(soc, seed)
            worst.append(error)
            lines.append(f"| {soc} | {seed} | {residual} | {error:.2%} |")
            print(lines[-1], flush=True)
    within = sum(error < 0.03 for error in worst)
    total = (
        f"\n{within} of {len(worst)} within 3 %; median {np.median(worst):.2%}, largest {max(worst):.2%}.\n"
    )
    DOCUMENT.write_text(HEAD + "\n".join(lines) + "\n" + total, encoding="utf-8")
    print(total)


if __name__ == "__main__":
    main()
