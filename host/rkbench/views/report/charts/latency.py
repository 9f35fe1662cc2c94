"""How the calls of each variant lie: all of them in order of length, and how many are of which length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rkbench.results.collect import Collected
from rkbench.results.told import latencies_of
from rkbench.views.report.charts.spec import (
    Chart,
    Scale,
    Spec,
    drawn,
    quantity,
    seconds_scale,
    series,
)
from rkbench.views.report.names import Named, mark_of_any

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Steps of a curve: more are no finer on paper, and make a page heavy.
_STEPS = 240
_BINS = 60
#: Where the axis of the lengths ends: what is longer stands in the table, as the maximum.
_SHOWN = 0.999
_HEIGHT = 260


def latency_charts(runs: Sequence[Named]) -> list[Chart]:
    """Return both drawings of the runs that have calls; none without any."""
    calls = {item.name: _seconds(item.collected) for item in runs}
    calls = {name: values for name, values in calls.items() if len(values)}
    if not calls:
        return []
    mark = mark_of_any(runs)
    scale = seconds_scale(max(float(values.max()) for values in calls.values()))
    told = series(list(calls), [item.name for item in runs])
    return [_shares(calls, scale, mark, told), _histogram(calls, scale, mark, told)]


def _seconds(collected: Collected) -> NDArray[Any]:
    import numpy as np

    blocks = latencies_of(collected.run, collected.latencies).timed_arrays()
    return np.concatenate(blocks) / 1e9 if blocks else np.zeros(0)


def _shares(calls: dict[str, NDArray[Any]], scale: Scale, mark: str, told: Spec) -> Chart:
    """Return the empirical distribution: which share of the calls took at most so long."""
    import numpy as np

    shares = np.concatenate([np.linspace(0, 0.98, _STEPS), np.linspace(0.98, _SHOWN, _STEPS // 4)[1:]])
    rows = [
        {"series": name, "latency": round(scale.of(float(value)), 6), "share": round(float(share), 5)}
        for name, values in calls.items()
        for share, value in zip(shares, np.quantile(values, shares), strict=True)
    ]
    spec: Spec = {
        "height": _HEIGHT,
        "data": {"values": rows},
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
        "encoding": {
            "x": quantity("latency", f"{mark}latency of a call ({scale.unit})", scale={"zero": False}),
            "y": quantity("share", "share of the calls that took at most so long", axis={"format": ".0%"}),
            **told,
        },
    }
    note = (
        "A steep line is a steady latency; a step is a second level; what leans to the right at the top is"
        f" the tail. The longest {(1 - _SHOWN) * 1000:.0f} call in 1,000 is left out."
    )
    return drawn("ecdf", "Latency: share of the calls", note, spec)


def _histogram(calls: dict[str, NDArray[Any]], scale: Scale, mark: str, told: Spec) -> Chart:
    """Return which share of the calls took how long, in bins that all variants share."""
    import numpy as np

    low = min(float(values.min()) for values in calls.values())
    high = max(float(np.quantile(values, _SHOWN)) for values in calls.values())
    edges = np.linspace(low, high if high > low else low * 1.01 + 1e-9, _BINS + 1)
    rows = []
    for name, values in calls.items():
        counts, _ = np.histogram(values, edges)
        rows += [
            {
                "series": name,
                "from": round(scale.of(float(edges[place])), 6),
                "to": round(scale.of(float(edges[place + 1])), 6),
                "share": round(float(count) / len(values), 5),
            }
            for place, count in enumerate(counts)
            if count
        ]
    spec: Spec = {
        "height": 44 if len(calls) > 2 else 90,
        "data": {"values": rows},
        "mark": "bar",
        "encoding": {
            "row": {"field": "series", "type": "nominal", "title": None, "sort": list(calls), "spacing": 14,
                    "header": {"labelAnchor": "start", "labelOrient": "top", "labelPadding": 2}},
            "x": quantity("from", f"{mark}latency of a call ({scale.unit})", scale={"zero": False},
                          bin={"binned": True}, axis={"labelOverlap": True, "labelSeparation": 6}),
            "x2": {"field": "to"},
            "y": quantity("share", "share", axis={"format": ".0%", "tickCount": 3}),
            "color": {**told["color"], "legend": None},
        },
    }  # fmt: skip
    left_out = f"the longest {(1 - _SHOWN) * 1000:.0f} call in 1,000 is left out"
    note = f"Bins of equal width, each variant by itself; {left_out}."
    return drawn("histogram", "Latency: how often", note, spec)
