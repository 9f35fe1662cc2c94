"""Fit the latency models of `bench predict` to Rockchip's published figures.

    python tools/fit_latency.py                      fit from the committed costs, write the coefficients
    python tools/fit_latency.py --decode FOLDER      first decode FOLDER/MODEL_SOC_int8.rknn into those costs

The published figures are `host/rkbench/results/reference/model_zoo_2.3.2.tsv`. The .rknn files are those of
tools/npu_nets/zoo.py, converted with rknn-toolkit2 2.5.0, and ppocrv4_det_SOC_int8.rknn: PaddleOCR's public
detector at 480 x 480. They are not committed: 330 MB.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from rkbench.npu.costs import Floats, task_costs
from rkbench.npu.latency_fit import leave_one_out
from rkbench.npu.latency_model import MODELS, task_terms
from rkbench.npu.layout import lay_out
from rkbench.npu.reference_costs import COLUMNS, MACHINES, TABLE, ReferenceCosts, reference_costs
from rkbench.npu.tasks import decode_tasks
from rkbench.results.plausibility import SOURCE, figures
from rkbench.rknn import open_model
from scipy.optimize import brentq, nnls
from scipy.special import stdtrit

CHECKED = ("ppocrv4_det",)
BAND_RATIO = 0.15
#: RK3568 files hold several programs for each output, and which of them a runtime submits depends on how it
#: is asked. librknnrt ran none or a few of them under emulation; what Rockchip's benchmark ran is not known.
SKIPPED = {"rk3588": [], "rk3568": ["OutputOperator"]}
PROVISIONAL = {
    "rk3588": None,
    "rk3568": "OutputOperator tasks are left out of its fit; with them the worst error is 51 %",
}


def main() -> int:
    """Decode where asked, fit, write; print how well each model is foretold by the others."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--decode", type=Path, help="folder with MODEL_SOC_int8.rknn")
    folder = parser.parse_args().decode
    if folder:
        write_costs(folder)
    models = [fit(soc) for soc in MACHINES]
    MODELS.write_text(json.dumps({"models": models}, indent=2) + "\n", encoding="utf-8")
    return 0


def write_costs(folder: Path) -> None:
    """Decode the files of `folder` and write their costs."""
    rows = [decoded(path, soc) for soc in MACHINES for path in sorted(folder.glob(f"*_{soc}_int8.rknn"))]
    lines = ["# " + "\t".join(COLUMNS)]
    for row in rows:
        values = [getattr(row, name) for name in COLUMNS[:-2]]
        lines.append("\t".join([*map(str, values), f"{row.roofline_s:.9f}", " ".join(row.types)]))
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    reference_costs.cache_clear()


def decoded(path: Path, soc: str) -> ReferenceCosts:
    """Return what one file costs on one core."""
    name = path.name.removesuffix(f"_{soc}_int8.rknn")
    with open_model(path) as model:
        tasks = decode_tasks(lay_out(model))
        kept = np.flatnonzero([model.nodes[node].type not in SKIPPED[soc] for node in tasks.node])
        costs = task_costs(tasks)
        sums = costs.sums(kept)
        roofline_s = float(task_terms(costs, MACHINES[soc])[kept, 0].sum())
        types = tuple(sorted({node.type for node in model.nodes}))
        role = "check" if name in CHECKED else "fit"
        return ReferenceCosts(
            soc,
            name,
            role,
            model.file.toolkit_version,
            sums.tasks,
            sums.macs,
            sums.mac_cycles,
            sums.ddr_bytes,
            sums.table_cycles,
            roofline_s,
            types,
        )


def fit(soc: str) -> dict[str, object]:
    """Fit one SoC and return its row of the coefficients."""
    rows = [row for row in reference_costs() if row.soc == soc and row.role == "fit"]
    terms = np.array([row.terms() for row in rows])
    published_s = np.array([published(row.model, soc) for row in rows])
    found = leave_one_out(terms, published_s)
    print(f"{soc}: leave-one-out median {found.median_error:.1%}, max {found.max_error:.1%}", file=sys.stderr)
    for row, told_s, left_s in zip(rows, published_s, found.left_out_s, strict=True):
        error = left_s / told_s - 1
        print(f"  {row.model:18} {told_s * 1e3:7.2f} ms, predicted {left_s * 1e3:7.2f} ({error:+.1%})")
    machine = MACHINES[soc]
    return {
        "soc": soc,
        "machine": {"clock_hz": machine.clock_hz, "ddr_bytes_per_s": machine.ddr_bytes_per_s},
        "coefficients": [float(f"{value:.6g}") for value in found.coefficients],
        "band_ratio": BAND_RATIO,
        "source": f"fitted to {len(rows)} models of {SOURCE}",
        "fitted_types": sorted({kind for row in rows for kind in row.types}),
        "provisional": PROVISIONAL[soc],
        "skipped_types": SKIPPED[soc],
        "fastest_s": float(f"{published_s.min():.6g}"),
        "call_s": round(largest_constant(terms, published_s), 6),
    }


def largest_constant(terms: Floats, published_s: Floats) -> float:
    """Return the upper end of the 95 % interval of a constant for each call, in seconds.

    By the profile of the squares (Bates and Watts 1988, chapter 6): it holds what leaves them within
    1 + t^2 / (n - 5) of the best, which the published figures have with none.
    """
    count = len(published_s)
    quantile = float(stdtrit(count - 5, 0.975))
    most = squares(terms, published_s, 0.0) * (1 + quantile**2 / (count - 5))
    return float(brentq(lambda call_s: squares(terms, published_s, call_s) - most, 0.0, published_s.min()))


def squares(terms: Floats, published_s: Floats, call_s: float) -> float:
    """Return the sum of squares of relative errors with a constant for each call."""
    _, distance = nnls(terms / published_s[:, None], 1 - call_s / published_s)
    return float(distance) ** 2


def published(model: str, soc: str) -> float:
    """Return Rockchip's figure as seconds a frame."""
    figure = next(item for item in figures() if item.model == model and item.dtype == "INT8")
    rate = figure.rate_per_s(soc)
    assert rate is not None
    return 1 / rate


if __name__ == "__main__":
    sys.exit(main())
