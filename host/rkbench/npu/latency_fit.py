"""Fit the four coefficients to measured latencies, and judge the fit by leaving each model out. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from rkbench.npu.costs import Floats


@dataclass(frozen=True)
class LatencyFit:
    """What a fit gave, and how well it foretells a model that it has not seen."""

    coefficients: tuple[float, float, float, float]
    left_out_s: tuple[float, ...]
    """The latency of each model, predicted from the others."""
    errors: tuple[float, ...]
    """Those against what was measured, as ratios: 0.1 is 10 % too long."""

    @property
    def median_error(self) -> float:
        """The median of the errors, without sign."""
        return float(np.median(np.abs(self.errors)))

    @property
    def max_error(self) -> float:
        """The largest of the errors, without sign."""
        return float(np.max(np.abs(self.errors)))


def fit_latency(terms: Floats, measured_s: Floats) -> tuple[float, float, float, float]:
    """Return the coefficients that minimize the relative squared error, none of them negative.

    `terms` is (models, 4): the sums of `task_terms`. Lawson and Hanson's non-negative least squares.
    """
    solution, _ = nnls(terms / measured_s[:, None], np.ones(len(measured_s)))
    roofline, memory, tables, tasks = (float(value) for value in solution)
    return roofline, memory, tables, tasks


def leave_one_out(terms: Floats, measured_s: Floats) -> LatencyFit:
    """Fit on all models, and predict each of them from a fit on the others."""
    predicted = [
        float(terms[i] @ np.array(fit_latency(np.delete(terms, i, 0), np.delete(measured_s, i))))
        for i in range(len(measured_s))
    ]
    errors = tuple(p / float(m) - 1 for p, m in zip(predicted, measured_s, strict=True))
    return LatencyFit(fit_latency(terms, measured_s), tuple(predicted), errors)
