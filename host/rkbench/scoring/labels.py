"""What is true of each case: its class, its mask, or the boxes on its picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rkbench.errors import GoldenError, NoGoldenError
from rkbench.files import read_small
from rkbench.variants.golden_file import LABELS
from rkbench.variants.npz import Array, NpzReader

Kind = Literal["classify", "segment", "detect"]
#: Annotations of COCO's 5,000 pictures have 20 MB.
LARGEST_TEXT_BYTES = 500_000_000
_FORMS = (
    "a line NAME CLASS for each picture (or CLASS for each case), annotations of COCO (.json), or an .npz"
    " with a member `labels`: classes (cases), or masks (cases, height, width)"
)


@dataclass(frozen=True)
class Labels:
    """True classes (cases), masks (cases, height, width), or annotations of COCO, as `kind` says."""

    kind: Kind
    values: Any


def read_labels(path: Path, cases: int, names: Sequence[str]) -> Labels:
    """Return the labels in a file for so many cases, of pictures with these names ("" or none: of others).

    Raises GoldenError where they do not fit.
    """
    if path.suffix == ".npz":
        return _of_array(path, cases)
    text = _text(path)
    if path.suffix == ".json":
        return Labels("detect", _annotations(path, text))
    return Labels("classify", _classes(path, text, cases, names))


def _text(path: Path) -> str:
    try:
        return read_small(path, LARGEST_TEXT_BYTES).decode("utf-8")
    except FileNotFoundError as error:
        raise NoGoldenError(f"labels {path}: no such file", hint=_FORMS) from error
    except (OSError, UnicodeDecodeError) as error:
        raise GoldenError(f"labels {path}: {error}", hint=_FORMS) from error


def _of_array(path: Path, cases: int) -> Labels:
    with NpzReader(path) as source:
        if LABELS not in source.headers:
            raise GoldenError(f"labels {path}: it has no member {LABELS!r}", hint=_FORMS)
        values = source.whole(LABELS)
    if values.dtype.kind not in "iub" or values.ndim not in (1, 3) or len(values) != cases:
        shape = f"{list(values.shape)} {values.dtype}"
        raise GoldenError(f"labels {path}: {shape} for {cases} cases", hint=_FORMS)
    if values.size and values.min() < 0:
        raise GoldenError(f"labels {path}: class {values.min()}", hint="count from 0; 255 in masks: no class")
    return Labels("classify" if values.ndim == 1 else "segment", values.astype(np.int64))


def _annotations(path: Path, text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
        images = [(image["file_name"], image["id"]) for image in found["images"]]
        categories = [category["id"] for category in found["categories"]]
        boxes = [(each["image_id"], each["category_id"], *each["bbox"]) for each in found["annotations"]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise GoldenError(f"labels {path}: no annotations of COCO: {error!r}", hint=_FORMS) from error
    if not (images and categories) or any(len(box) != 6 for box in boxes):
        raise GoldenError(f"labels {path}: no images, no categories or boxes of odd sizes", hint=_FORMS)
    whole: dict[str, Any] = {"info": {}, **found}
    whole["annotations"] = [
        {"iscrowd": 0, "area": each["bbox"][2] * each["bbox"][3], **each, "id": number}
        for number, each in enumerate(found["annotations"], 1)
    ]
    return whole


def _classes(path: Path, text: str, cases: int, names: Sequence[str]) -> Array:
    rows = [line.replace(",", " ").split() for line in text.splitlines() if line.strip()]
    wrong = next((row for row in rows if not (row[-1].isdecimal() and len(row) <= 2)), None)
    if wrong is not None or not rows:
        told = f"no class in the line {' '.join(wrong)!r}" if wrong else "nothing in it"
        raise GoldenError(f"labels {path}: {told}", hint=_FORMS)
    if len(rows[0]) == 2:
        return _by_name(path, {row[0].rpartition("/")[2]: int(row[-1]) for row in rows}, names)
    if len(rows) != cases:
        raise GoldenError(f"labels {path}: {len(rows)} lines for {cases} cases", hint=_FORMS)
    return np.array([int(row[0]) for row in rows])


def _by_name(path: Path, known: Mapping[str, int], names: Sequence[str]) -> Array:
    if not names:
        raise GoldenError(
            f"labels {path}: they are of pictures, and the golden names none",
            hint="make it of them: bench golden MODEL.onnx --inputs DIR",
        )
    missing = [name for name in names if name not in known]
    if missing:
        raise GoldenError(
            f"labels {path}: no line for {missing[0]!r} ({len(missing)} of {len(names)} pictures)",
            hint=_FORMS,
        )
    return np.array([known[name] for name in names])
