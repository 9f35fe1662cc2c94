"""What a push is scored by: labels, a user's own function, or both; which metrics that makes of outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rkbench_agent.wire.plan import TensorSpec

from rkbench.errors import BenchError, GoldenError
from rkbench.results.extras import TaskMetric
from rkbench.scoring.classes import class_scores, mean_iou, topk_accuracy
from rkbench.scoring.labels import Labels, read_labels
from rkbench.scoring.own import Metric, call_metric, read_metric
from rkbench.variants.golden_file import PICTURES, read_metadata
from rkbench.variants.npz import Array

Outputs = Mapping[str, Array]


@dataclass(frozen=True)
class Scorer:
    """Labels and a function, read and checked; `pictures` is what the golden says of its inputs."""

    labels: Labels | None
    labels_name: str
    own: Metric | None
    own_name: str
    pictures: Mapping[str, Any]

    def check(self, outputs: Sequence[TensorSpec], cases: int) -> None:
        """Raise GoldenError where a model's outputs are none that the labels could be held against.

        `cases`: how many the golden has for this model, with or without an axis of its own.
        """
        if self.labels is None or self.labels.kind == "detect":
            return
        if len(self.labels.values) != cases:
            raise GoldenError(
                f"labels {self.labels_name}: {len(self.labels.values)} for the {cases} cases of the golden",
                hint="give a label for each case",
            )
        if self.labels.kind == "segment":
            return
        classes = _class_count(outputs)
        if self.labels.values.max() >= classes:
            raise GoldenError(
                f"labels {self.labels_name}: class {self.labels.values.max()}, the model has {classes} (0 to"
                f" {classes - 1})",
                hint="models with a class for the background have one more: shift the labels",
            )

    def score(self, outputs: Outputs) -> tuple[TaskMetric, ...]:
        """Return all metrics of one run; what cannot be computed has no value, and says why."""
        found: list[TaskMetric] = []
        cases = len(next(iter(outputs.values())))
        if self.labels is not None:
            found += self._told(self.labels_name, cases, self._of_labels, outputs)
        if self.own is not None:
            found += self._told(self.own_name, cases, self._of_own, outputs)
        return tuple(found)

    def unscored(self, detail: str, advice: str) -> tuple[TaskMetric, ...]:
        """Return that nothing was scored, and why."""
        asked = ((self.labels_name, self.labels), (self.own_name, self.own))
        return tuple(
            TaskMetric("", None, source, 0, detail, advice) for source, what in asked if what is not None
        )

    def _told(
        self,
        source: str,
        cases: int,
        compute: Callable[[Outputs], Mapping[str, float | None]],
        outputs: Outputs,
    ) -> list[TaskMetric]:
        try:
            values = compute(outputs)
        except BenchError as error:
            return [TaskMetric("", None, source, cases, error.message, error.hint or "")]
        return [TaskMetric(name, value, source, cases) for name, value in values.items()]

    def _of_own(self, outputs: Outputs) -> Mapping[str, float | None]:
        assert self.own is not None
        # It may change what it gets, and these are the labels of the next variant too.
        labels = deepcopy(self.labels.values) if self.labels is not None else None
        return {"metric": call_metric(self.own_name, self.own, outputs, labels)}

    def _of_labels(self, outputs: Outputs) -> Mapping[str, float | None]:
        assert self.labels is not None
        values = self.labels.values
        if self.labels.kind == "classify":
            scores = _first(outputs, class_scores)
            return {f"top{k}": topk_accuracy(scores, values, k) for k in (1, 5)}
        if self.labels.kind == "segment":
            return {"mean_iou": _first(outputs, lambda _, output: mean_iou(output, values))}
        from rkbench.scoring.detection import mean_average_precision

        both = _first(outputs, lambda _, output: mean_average_precision(output, self.pictures, values))
        return dict(zip(("map", "map50"), both, strict=True))


def make_scorer(golden: Path, labels: Path | None, metric: str | None) -> Scorer:
    """Return what scores the outputs of a golden; raises UsageError or GoldenError for what does not fit."""
    known = read_metadata(golden)
    told = known.get(PICTURES)
    pictures: Mapping[str, Any] = told if isinstance(told, dict) else {}
    names = [str(item[0]) for item in pictures.get("files", ())]
    cases = known.get("cases")
    read = read_labels(labels, _cases(golden, cases), names) if labels else None
    if read is not None:
        _check_task(read, known.get("task"), labels)
    if read is not None and read.kind == "detect":
        _check_detection(pictures, read)
    own = read_metric(metric) if metric else None
    return Scorer(read, labels.name if labels else "", own, Path(metric).name if metric else "", pictures)


def _cases(golden: Path, told: object) -> int:
    """Return how many cases a golden has, whether or not it says so."""
    if isinstance(told, int):
        return told
    from rkbench.variants.npz import NpzReader

    with NpzReader(golden) as source:
        return next(header.shape[0] for name, header in source.headers.items() if header.shape)


def _check_task(labels: Labels, task: object, path: Path | None) -> None:
    if task is not None and task != labels.kind:
        raise GoldenError(
            f"labels {path} are of the task {labels.kind}, the golden says {task}",
            hint=f"bench golden MODEL.onnx --task {labels.kind}",
        )


def _check_detection(pictures: Mapping[str, Any], labels: Labels) -> None:
    """See before anything is sent that boxes can be scored."""
    from rkbench.scoring.detection import need_pycocotools, picture_ids

    need_pycocotools()
    if not pictures:
        raise GoldenError(
            "boxes are of pictures, and the golden names none",
            hint="make it of them: bench golden MODEL.onnx --inputs DIR --task detect",
        )
    picture_ids(pictures, labels.values)


def _first(outputs: Outputs, compute: Callable[[str, Array], Any]) -> Any:
    """Return what the first output yields that has the form; raises the first one's GoldenError."""
    refused: GoldenError | None = None
    for name, output in outputs.items():
        try:
            return compute(name, output)
        except GoldenError as error:
            refused = refused or error
    raise refused or GoldenError("the model has no outputs")


def _class_count(outputs: Sequence[TensorSpec]) -> int:
    for tensor in outputs:
        longer = [length for length in tensor.shape if length != 1]
        if len(longer) == 1:
            return longer[0]
    shapes = ", ".join(f"{tensor.name} {tensor.shape}" for tensor in outputs)
    raise GoldenError(
        f"no output holds scores of classes, which have one axis: {shapes}",
        hint="--metric FILE.py:function scores whatever a model yields",
    )
