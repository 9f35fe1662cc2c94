"""Turns results into Prometheus metrics: plain data in, metric families out. Unknown is absent, never 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric, SummaryMetricFamily
from prometheus_client.samples import Exemplar

from rkbench.metrics.histogram import Bucket
from rkbench.results.history import started_unix_s
from rkbench.results.latency_measures import LATENCY_FAMILY
from rkbench.results.measure_types import Family, Measure
from rkbench.results.measures import MEASURES
from rkbench.results.model import VERDICTS, Latency, LatencySummary, RunResult
from rkbench.results.output import Output
from rkbench.store.base import ResultKey

KEY_LABELS = ("model", "variant", "board", "runtime", "core_mask", "scenario", "simulated")


@dataclass(frozen=True)
class Exported:
    """The latest result of a key: its last run, its last success, and that one's latencies in buckets."""

    key: ResultKey
    last: RunResult
    success: RunResult | None = None
    buckets: Sequence[Bucket] = ()

    @property
    def series_count(self) -> int:
        """How many series the result has."""
        alone = ResultFamilies()
        alone.add(self)
        return alone.series_count


class ResultFamilies:
    """Collects the series of results; `metrics` returns the families that have any."""

    def __init__(self) -> None:
        self._families: dict[str, Metric] = {}
        self.series_count = 0

    def metrics(self) -> list[Metric]:
        """Return the families, in the order in which they came up."""
        return list(self._families.values())

    def add(self, result: Exported) -> None:
        """Add all series of one result."""
        before = sum(len(family.samples) for family in self._families.values())
        labels = key_labels(result.key)
        self._add_history(result, labels)
        self._add_judgement(result.last, labels)
        if result.success is not None:
            self._add_measurements(result.success, result.buckets, labels)
        self.series_count += sum(len(family.samples) for family in self._families.values()) - before

    def _add_history(self, result: Exported, labels: Sequence[str]) -> None:
        name = "rkbench_last_run_timestamp_seconds"
        self._gauge(name, "When the newest run started.", labels, started_unix_s(result.last))
        failed = int(result.last.failure is not None or result.last.partial)
        self._gauge("rkbench_last_run_failed", "1 if the newest run failed or ended early.", labels, failed)
        if result.success is not None:
            text = "When the newest successful run started."
            self._gauge(
                "rkbench_last_success_timestamp_seconds", text, labels, started_unix_s(result.success)
            )

    def _add_judgement(self, run: RunResult, labels: Sequence[str]) -> None:
        text = "1 for the verdict on the newest run: VALID, UNPINNED, SUSPECT, STOPPED, FAILED."
        for verdict in VERDICTS:
            value = int(run.verdict == verdict)
            self._gauge("rkbench_result_verdict", text, labels, value, {"verdict": verdict})
        name = "rkbench_result_caveats"
        self._gauge(name, "Number of caveats of the newest run.", labels, len(run.caveats))
        for code in sorted({caveat.code for caveat in run.caveats}):
            text = "1 for every kind of caveat that the newest run has."
            self._gauge("rkbench_result_caveat", text, labels, 1, {"code": code})

    def _add_measurements(self, run: RunResult, buckets: Sequence[Bucket], labels: Sequence[str]) -> None:
        self._add_info(run, labels)
        for measure in MEASURES:
            if measure.family is not None:
                self._add_measure(measure, measure.family, run, labels)
        if run.latency is not None:
            self._add_latency(run.latency, labels)
            self._add_distribution(run, run.latency, buckets, labels)
            self._add_bounds(run.latency, labels)

    def _add_measure(self, measure: Measure, family: Family, run: RunResult, labels: Sequence[str]) -> None:
        """Add a measure's series: of each output, as a quantile of the latencies, or as it is."""
        if measure.per_output is not None:
            for output, label in zip(run.outputs, _output_labels(run.outputs), strict=True):
                value, more = measure.per_output(output), {**dict(family.labels), "output": label}
                self._gauge(family.name, family.help, labels, value, more)
        elif family.is_quantile:
            self._quantile(family, labels, measure.value(run))
        else:
            self._gauge(family.name, family.help, labels, measure.value(run), dict(family.labels))

    def _add_info(self, run: RunResult, labels: Sequence[str]) -> None:
        board, variant = run.board, run.variant
        values = {
            "run": run.id,
            "sha256": variant.sha256,
            "toolkit_version": variant.toolkit_version,
            "soc": board.soc,
            "driver_version": board.driver_version,
            "runtime_version": board.runtime_version,
            "kernel": board.kernel,
            "agent_version": board.agent_version,
        }
        family = self._families.setdefault(
            "rkbench_result",
            InfoMetricFamily(
                "rkbench_result", "Run, file and versions behind the numbers.", labels=KEY_LABELS
            ),
        )
        assert isinstance(family, InfoMetricFamily)
        family.add_metric(labels, {name: value for name, value in values.items() if value})

    def _add_latency(self, latency: LatencySummary, labels: Sequence[str]) -> None:
        summary, pairs = self._summary(LATENCY_FAMILY), dict(zip(KEY_LABELS, labels, strict=True))
        summary.add_sample(f"{LATENCY_FAMILY.name}_count", pairs, latency.count)
        summary.add_sample(f"{LATENCY_FAMILY.name}_sum", pairs, latency.mean_s * latency.count)

    def _add_distribution(
        self, run: RunResult, latency: LatencySummary, buckets: Sequence[Bucket], labels: Sequence[str]
    ) -> None:
        """Add the buckets; what stands for a bucket says by an exemplar of which run it is."""
        if not buckets:
            return
        name = "rkbench_latency_distribution_seconds"
        text = "Latencies of the newest successful run, in buckets a tenth wide where it has any."
        family = self._families.setdefault(name, GaugeHistogramMetricFamily(name, text, labels=KEY_LABELS))
        pairs, at_unix_s = dict(zip(KEY_LABELS, labels, strict=True)), started_unix_s(run)
        for bucket in buckets:
            exemplar = None
            if bucket.example_s is not None:
                exemplar = Exemplar({"run": run.id}, bucket.example_s, at_unix_s)
            family.add_sample(
                f"{name}_bucket", {**pairs, "le": bucket.bound}, bucket.count, exemplar=exemplar
            )
        family.add_sample(f"{name}_gcount", pairs, buckets[-1].count)
        family.add_sample(f"{name}_gsum", pairs, latency.mean_s * latency.count)

    def _add_bounds(self, latency: Latency, labels: Sequence[str]) -> None:
        """Add between what each percentile lies; the label `quantile` is for summaries alone."""
        text = "Between what a percentile of the latencies lies, with 95 %."
        for found in latency.bounds:
            for bound, value in (("low", found.low_s), ("high", found.high_s)):
                more = {"percentile": f"{found.percent:g}", "bound": bound}
                self._gauge("rkbench_latency_bound_seconds", text, labels, value, more)

    def _summary(self, family: Family) -> Metric:
        found = SummaryMetricFamily(family.name, family.help, labels=KEY_LABELS)
        return self._families.setdefault(family.name, found)

    def _quantile(self, family: Family, labels: Sequence[str], value: float | None) -> None:
        if value is not None:
            pairs = dict(zip(KEY_LABELS, labels, strict=True))
            self._summary(family).add_sample(family.name, {**pairs, **dict(family.labels)}, value)

    def _gauge(
        self,
        name: str,
        text: str,
        labels: Sequence[str],
        value: float | None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        if value is None:
            return
        family = self._families.get(name)
        if family is None:
            names = (*KEY_LABELS, *(more or ()))
            family = self._families[name] = GaugeMetricFamily(name, text, labels=names)
        assert isinstance(family, GaugeMetricFamily)
        family.add_metric((*labels, *(more or {}).values()), value)


def key_labels(key: ResultKey) -> tuple[str, ...]:
    """Return the values of KEY_LABELS: the model is the variant's name up to its first dot."""
    simulated = str(key.simulated).lower()
    model = key.variant.partition(".")[0]
    return (model, key.variant, key.board, key.runtime, key.core_mask, key.scenario, simulated)


def _output_labels(outputs: Sequence[Output]) -> list[str]:
    """Return the outputs' names; with the number where a model gives none, or one twice."""
    names = [output.name for output in outputs]
    return [
        name if name and names.count(name) == 1 else f"{name}#{index}" for index, name in enumerate(names)
    ]
