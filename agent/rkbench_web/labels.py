"""Labels of metrics that hold text of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterable


@dataclass(frozen=True)
class EscapedLabels:
    """A registry of prometheus_client to be encoded, whose label values have gone through `escape`."""

    registry: Any
    escape: Callable[[str], str]

    def collect(self) -> Iterable[Any]:
        """Yield the metrics of the registry."""
        for metric in self.registry.collect():
            metric.samples = [
                sample._replace(labels={name: self.escape(value) for name, value in sample.labels.items()})
                for sample in metric.samples
            ]
            yield metric
