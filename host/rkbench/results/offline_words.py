"""Whether one variant does more than another offline, as a sentence of the verdict: where intervals tell.

d = ln(rate / rate of the baseline), each at its saturation; half of its interval is the root of the sum of
squares of both rates' relative halves (independent runs, batch means), at 1 - 0.05 / K for K candidates. Each
variant was loaded once, and levels differ from load to load, so the sentence says that it is of these loads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rkbench.results.model import RunResult
from rkbench.results.offline import PARTS, OfflineRate
from rkbench.stats.paired import CONFIDENCE, joint_confidence
from rkbench.units import MARK


def offline_sentences(base: RunResult, candidates: Sequence[RunResult]) -> str:
    """Return what each candidate does more or less than `base`, each sentence begun with a blank.

    Nothing is said of one whose interval neither excludes 0 nor lies within the smallest effect of interest.
    """
    told = (_sentence(base, run, joint_confidence(len(candidates))) for run in candidates)
    return "".join(f" {sentence}" for sentence in told if sentence)


def _sentence(base: RunResult, run: RunResult, confidence: float) -> str:
    ours, theirs = _saturated(base), _saturated(run)
    if ours is None or theirs is None:
        return ""
    halves = [_relative_half(step, confidence) for step in (ours, theirs)]
    if None in halves:
        return ""
    middle = math.log(theirs.rate_per_s / ours.rate_per_s)
    half = math.hypot(*(value or 0.0 for value in halves))
    effect = run.plan.effect_percent
    names, mark = (run.variant.name, base.variant.name), MARK if run.simulated else ""
    if -effect <= math.expm1(middle - half) * 100 and math.expm1(middle + half) * 100 <= effect:
        return f"Offline {names[0]} and {names[1]} do as much, within {effect:g} %, in these loads."
    if middle - half <= 0 <= middle + half:
        return ""
    sign = 1 if middle > 0 else -1
    share, *bounds = (sign * math.expm1(value) * 100 for value in (middle, middle - half, middle + half))
    low, high = sorted(bounds)
    word = "more" if middle > 0 else "less"
    return (
        f"Offline {names[0]} does {mark}{share:.1f} % {word} than {names[1]} ({low:.1f} to {high:.1f})"
        " in these loads."
    )


def _saturated(run: RunResult) -> OfflineRate | None:
    """Return the step that stands for an offline run."""
    if run.offline is None:
        return None
    point = run.offline.saturation
    steps = (s for s in run.offline.steps if (s.placement, s.contexts) == (point.placement, point.contexts))
    return next(steps, None)


def _relative_half(step: OfflineRate, confidence: float) -> float | None:
    """Return half of the interval of a rate, as a part of it, at a confidence (0..1): it is known at 95 %."""
    from scipy.special import stdtrit  # not at the top: it costs what only a comparison needs to pay

    if step.low_per_s is None or step.high_per_s is None or step.low_per_s <= 0:
        return None
    asked, known = (float(stdtrit(PARTS - 1, (1 + level) / 2)) for level in (confidence, CONFIDENCE))
    return (step.high_per_s - step.low_per_s) / 2 / step.rate_per_s * asked / known
