"""Metrics of classes: top-k against true classes, and intersection over union of masks."""

from __future__ import annotations

import numpy as np

from rkbench.errors import GoldenError
from rkbench.variants.npz import Array

#: The class of masks that counts nowhere: borders, as in PASCAL VOC and Cityscapes.
IGNORED = 255
#: The class of a pixel that has none.
_NONE = -1
#: Larger numbers are no classes.
_MOST_CLASSES = 1 << 16


def topk_accuracy(scores: Array, labels: Array, k: int) -> float | None:
    """Return the share of cases whose true class is among the k highest scores, 0 to 1.

    `scores` is (cases, classes), `labels` the true class of each. None where there are not more than k
    classes. A class that ties for the last place counts by the share of the places left, as chance would
    have it: steps of int8 make ties. NaN is no score.
    """
    if scores.shape[1] <= k:
        return None
    scores = np.where(np.isnan(scores), -np.inf, scores)
    own = scores[np.arange(len(labels)), labels][:, np.newaxis]
    higher, equal = (scores > own).sum(axis=1), (scores == own).sum(axis=1)
    return float(np.clip((k - higher) / equal, 0.0, 1.0).mean())


def class_scores(name: str, output: Array) -> Array:
    """Return (cases, classes) of an output (cases, *shape); raises GoldenError where it is no such thing."""
    longer = [length for length in output.shape[1:] if length != 1]
    if len(longer) != 1:
        raise GoldenError(
            f"output {name!r} {list(output.shape[1:])}: no scores of classes, which have one axis",
            hint="--metric FILE.py:function scores whatever a model yields",
        )
    scores: Array = output.reshape(len(output), longer[0])
    return scores


def mean_iou(output: Array, masks: Array) -> float | None:
    """Return the mean over classes of intersection / union, summed over all cases and pixels.

    `output` is (cases, 1, classes, height, width) scores or (cases, [1,] height, width) classes; `masks` is
    (cases, height, width), where 255 counts nowhere. Classes that are in neither are left out; None where
    none is left. A pixel of NaN is of no class. Raises GoldenError where shapes do not belong together, or
    where what should be classes is none.
    """
    found: dict[int, tuple[int, int]] = {}
    for number, mask in enumerate(masks):
        classes = _classes_of(output[number], mask)
        counted = mask != IGNORED
        for each in np.setdiff1d(np.union1d(classes[counted], mask[counted]), [_NONE]).tolist():
            ours, theirs = (classes == each) & counted, (mask == each) & counted
            both, either = found.get(each, (0, 0))
            found[each] = (both + int((ours & theirs).sum()), either + int((ours | theirs).sum()))
    return float(np.mean([both / either for both, either in found.values()])) if found else None


def _whole(values: Array) -> Array:
    """Return classes that an output holds as such; raises GoldenError for what is none."""
    finite = np.isfinite(values)
    classes: Array = np.rint(np.where(finite, values, _NONE)).astype(np.int64)
    if finite.any() and not 0 <= classes[finite].min() <= classes[finite].max() < _MOST_CLASSES:
        low, high = values[finite].min(), values[finite].max()
        raise GoldenError(
            f"an output of {low:g} to {high:g} holds no classes, and no axis of scores",
            hint="--metric FILE.py:function scores whatever a model yields, as the logits of one class",
        )
    return classes


def _classes_of(output: Array, mask: Array) -> Array:
    squeezed = np.squeeze(output)
    if squeezed.ndim == 3 and squeezed.shape[1:] == mask.shape:
        scores = np.where(np.isnan(squeezed), -np.inf, squeezed)
        return np.where(np.isnan(squeezed).all(axis=0), _NONE, scores.argmax(axis=0))
    if squeezed.shape == mask.shape:
        return _whole(squeezed)
    raise GoldenError(
        f"an output of {list(output.shape)} is no segmentation into masks of {list(mask.shape)}",
        hint="masks are classes in the output's own height and width, (cases, height, width)",
    )
