"""Mean average precision of a detector: boxes of its output, back on the picture, judged by pycocotools.

Read as YOLO heads yield them: channels x, y, width, height of the centre in pixels of the input, then the
scores of classes from 0 to 1 (YOLOv8 and later), or an objectness before them that multiplies them (YOLOv5).
As its authors evaluate: scores above 0.001, per class non-maximum suppression at an IoU of 0.7, at most 300
boxes a picture.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rkbench.errors import GoldenError
from rkbench.variants.npz import Array
from rkbench.variants.pictures import letterbox_size

LEAST_SCORE, SUPPRESSED_IOU, MOST_BOXES = 0.001, 0.7, 300
_OTHERWISE = "--metric FILE.py:function scores whatever a model yields"


def mean_average_precision(
    output: Array, pictures: Mapping[str, Any], truth: Mapping[str, Any]
) -> tuple[float | None, float | None]:
    """Return COCO's AP over IoU 0.50 to 0.95, and AP at 0.50, 0 to 1; None where no box was labelled.

    `output` is (cases, 1, channels, boxes) or with the last two turned; `pictures` what a golden says of its
    inputs; `truth` annotations of COCO. Raises GoldenError.
    """
    coco, evaluation = _pycocotools()
    categories = sorted(category["id"] for category in truth["categories"])
    images = picture_ids(pictures, truth)
    found = []
    for number, (image, size) in enumerate(images):
        boxes, scores, classes = detections(output[number], len(categories))
        for box, score, each in zip(on_picture(boxes, pictures, size), scores, classes, strict=True):
            found.append([image, *box, score, categories[each]])
    return _evaluated(coco, evaluation, truth, [image for image, _ in images], found)


def picture_ids(pictures: Mapping[str, Any], truth: Mapping[str, Any]) -> list[tuple[int, tuple[int, int]]]:
    """Return the id in `truth` and the size of each picture of the golden, by its file's name."""
    known: dict[str, Any] = {}
    twice = set()
    for image in truth["images"]:
        name = str(image["file_name"]).rpartition("/")[2]
        if known.setdefault(name, image["id"]) != image["id"]:
            twice.add(name)
    missing = [name for name, *_ in pictures["files"] if name not in known]
    if missing:
        raise GoldenError(
            f"the labels lack the picture {missing[0]!r} ({len(missing)} of {len(pictures['files'])} in all)",
            hint="give the annotations of these pictures, by their file_name",
        )
    if double := next((name for name, *_ in pictures["files"] if name in twice), ""):
        raise GoldenError(
            f"the labels have two pictures {double!r}",
            hint="pictures are found by their names without folders: give the annotations of one folder",
        )
    return [(known[name], (wide, high)) for name, wide, high in pictures["files"]]


def detections(output: Array, class_count: int) -> tuple[Array, Array, Array]:
    """Return the boxes (left, top, width, height), scores and classes of one case.

    A box with a value that is not finite is none.
    """
    rows = _rows(output, class_count)
    rows = np.where(np.isfinite(rows).all(axis=1, keepdims=True), rows, 0.0)
    boxes, scores = rows[:, :4], rows[:, -class_count:]
    if scores.min() < -0.01 or scores.max() > 1.01:
        raise GoldenError("the scores of the output are not between 0 and 1", hint=_OTHERWISE)
    if rows.shape[1] == 5 + class_count:
        scores = scores * rows[:, 4:5]
    places, classes = (scores > LEAST_SCORE).nonzero()
    picked = boxes[places]
    corners = np.concatenate([picked[:, :2] - picked[:, 2:] / 2, picked[:, 2:]], axis=1)
    kept = _suppressed(corners, scores[places, classes], classes)
    return corners[kept], scores[places, classes][kept], classes[kept]


def _rows(output: Array, class_count: int) -> Array:
    """Return a row of channels for each box."""
    squeezed = np.squeeze(output).astype(np.float64)
    widths = (4 + class_count, 5 + class_count)
    for turned in (squeezed, squeezed.T):
        if turned.ndim == 2 and turned.shape[1] in widths:
            return turned
    raise GoldenError(
        f"an output of {list(output.shape)} is no YOLO head for {class_count} classes, of {widths[0]} or"
        f" {widths[1]} channels",
        hint=_OTHERWISE,
    )


def _suppressed(boxes: Array, scores: Array, classes: Array) -> list[int]:
    """Return which boxes are left, the best first: greedy, each class by itself."""
    left = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while left.size and len(kept) < MOST_BOXES:
        best, rest = left[0], left[1:]
        kept.append(int(best))
        overlaps = (_iou(boxes[best], boxes[rest]) > SUPPRESSED_IOU) & (classes[rest] == classes[best])
        left = rest[~overlaps]
    return kept


def _iou(box: Array, others: Array) -> Array:
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    whole = box[2:].prod() + others[:, 2:].prod(axis=1) - shared
    return np.asarray(shared / np.maximum(whole, 1e-12))


def on_picture(boxes: Array, pictures: Mapping[str, Any], size: tuple[int, int]) -> Array:
    """Return boxes of the model's input as boxes of the picture that it was made of, cut at its borders."""
    input_size, own = np.array(pictures["size"], float), np.array(size, float)
    scale, shift = input_size / own, np.zeros(2)
    if pictures["fit"] == "letterbox":
        inner = np.array(letterbox_size(size, tuple(pictures["size"])))
        scale, shift = inner / own, (np.array(pictures["size"]) - inner) // 2
    elif pictures["fit"] == "crop":
        scale = np.full(2, scale.max())
        shift = (input_size - own * scale) / 2
    low, high = (boxes[:, :2] - shift) / scale, (boxes[:, :2] + boxes[:, 2:] - shift) / scale
    low, high = np.clip(low, 0, own), np.clip(high, 0, own)
    return np.concatenate([low, high - low], axis=1)


def _evaluated(
    coco: Any, evaluation: Any, truth: Mapping[str, Any], images: Sequence[int], found: Sequence[Any]
) -> tuple[float | None, float | None]:
    if not _has_boxes(truth, images):  # pycocotools says -1 of it
        return None, None
    if not found:
        return 0.0, 0.0
    with contextlib.redirect_stdout(io.StringIO()):  # it reports its progress there
        known = coco()
        known.dataset = dict(truth)
        known.createIndex()
        judged = evaluation(known, known.loadRes(_results(found)), "bbox")
        judged.params.imgIds = list(images)
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    return float(judged.stats[0]), float(judged.stats[1])


def _has_boxes(truth: Mapping[str, Any], images: Sequence[int]) -> bool:
    """Return whether any of the pictures has a box that counts: those of crowds do not."""
    return any(
        each["image_id"] in images and not each.get("iscrowd", 0) for each in truth.get("annotations", ())
    )


def _results(found: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {"image_id": image, "bbox": list(map(float, box)), "score": float(score), "category_id": category}
        for image, *box, score, category in found
    ]


def need_pycocotools() -> None:
    """Raise GoldenError where pycocotools is not installed."""
    _pycocotools()


def _pycocotools() -> tuple[Any, Any]:
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise GoldenError(
            "pycocotools is not installed, which computes mAP", hint="pip install 'rkbench[coco]'"
        ) from error
    return COCO, COCOeval
