"""What is true of each case: its class, its mask, or the boxes on its picture."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rkbench.errors import GoldenError, NoGoldenError, UnfitGoldenError
from rkbench.files import read_small
from rkbench.variants.golden_file import LABELS
from rkbench.variants.npz import Array, NpzReader

Kind = Literal["classify", "segment", "detect"]
#: Annotations of COCO's 5,000 pictures have 20 MB.
LARGEST_TEXT_BYTES = 500_000_000
_CLASS = re.compile(r"[0-9]{1,9}")
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
            raise UnfitGoldenError(f"labels {path}: it has no member {LABELS!r}", hint=_FORMS)
        values = source.whole(LABELS)
    if values.dtype.kind not in "iub" or values.ndim not in (1, 3) or len(values) != cases:
        shape = f"{list(values.shape)} {values.dtype}"
        raise UnfitGoldenError(f"labels {path}: {shape} for {cases} cases", hint=_FORMS)
    classes = values.astype(np.int64)  # a whole number that it does not hold comes out below 0
    if classes.size and classes.min() < 0:
        raise UnfitGoldenError(
            f"labels {path}: class {classes.min()}", hint="count from 0; 255 in masks: no class"
        )
    return Labels("classify" if classes.ndim == 1 else "segment", classes)


def _annotations(path: Path, text: str) -> Mapping[str, Any]:
    """Return annotations in which every box is of an image and a category that are there."""
    try:
        found = json.loads(text)
        images = {image["id"]: str(image["file_name"]) for image in found["images"]}
        categories = [category["id"] for category in found["categories"]]
        boxes = [_box(number, each) for number, each in enumerate(found["annotations"], 1)]
        lost = [box for box in boxes if box["image_id"] not in images or box["category_id"] not in categories]
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise UnfitGoldenError(f"labels {path}: no annotations of COCO: {error!r}", hint=_FORMS) from error
    if not (images and categories):
        raise UnfitGoldenError(f"labels {path}: no images, or no categories", hint=_FORMS)
    if len(set(categories)) < len(categories) or not all(type(each) is int for each in categories):
        raise UnfitGoldenError(f"labels {path}: categories need numbers of their own as ids", hint=_FORMS)
    if lost:
        told = f"annotation {lost[0]['id']} is of image {lost[0]['image_id']!r} and category"
        raise UnfitGoldenError(
            f"labels {path}: {told} {lost[0]['category_id']!r}, which are not both in the file",
            hint="a box of neither would be left out without a word: mend the file, or take the box out",
        )
    return {"info": {}, **found, "annotations": boxes}


def _box(number: int, each: Mapping[str, Any]) -> dict[str, Any]:
    """Return an annotation with all that pycocotools asks for, as numbers; raises what `float` raises."""
    left, top, wide, high = map(float, each["bbox"])
    area = wide * high if each.get("area") is None else float(each["area"])
    if not math.isfinite(left + top + wide + high + area) or wide < 0 or high < 0:
        raise ValueError(f"annotation {number} has the box {each['bbox']}")
    known = {"bbox": [left, top, wide, high], "area": area, "iscrowd": int(each.get("iscrowd") or 0)}
    return {**each, **known, "id": number}


def _classes(path: Path, text: str, cases: int, names: Sequence[str]) -> Array:
    rows = [line.replace(",", " ").split() for line in text.splitlines() if line.strip()]
    wrong = next((row for row in rows if not (_CLASS.fullmatch(row[-1]) and len(row) <= 2)), None)
    if wrong is not None or not rows:
        told = f"no class in the line {' '.join(wrong)!r}" if wrong else "nothing in it"
        raise UnfitGoldenError(f"labels {path}: {told}", hint=_FORMS)
    other = next((row for row in rows if len(row) != len(rows[0])), None)
    if other is not None:
        told = f"a line {' '.join(rows[0])!r}, and another {' '.join(other)!r}"
        raise UnfitGoldenError(f"labels {path}: lines of both forms: {told}", hint=_FORMS)
    if len(rows[0]) == 2:
        return _by_name(path, rows, names)
    if len(rows) != cases:
        raise UnfitGoldenError(f"labels {path}: {len(rows)} lines for {cases} cases", hint=_FORMS)
    return np.array([int(row[0]) for row in rows])


def _by_name(path: Path, rows: Sequence[Sequence[str]], names: Sequence[str]) -> Array:
    known: dict[str, int] = {}
    for row in rows:
        name, each = row[0].rpartition("/")[2], int(row[1])
        if known.setdefault(name, each) != each:
            raise UnfitGoldenError(
                f"labels {path}: {name!r} has the classes {known[name]} and {each}",
                hint="pictures are found by their names without folders: give the labels of one folder",
            )
    if not names:
        raise UnfitGoldenError(
            f"labels {path}: they are of pictures, and the golden names none",
            hint="make it of them: bench golden MODEL.onnx --inputs DIR",
        )
    missing = [name for name in names if name not in known]
    if missing:
        raise UnfitGoldenError(
            f"labels {path}: no line for {missing[0]!r} ({len(missing)} of {len(names)} pictures)",
            hint=_FORMS,
        )
    return np.array([known[name] for name in names])
