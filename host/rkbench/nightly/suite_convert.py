"""How an ONNX of a suite is converted: the words of `bench convert`, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from rkbench.conversion.words import ConvertWords
from rkbench.errors import UsageError

_DEFAULTS = ConvertWords()
#: What a suite does not say of a conversion, or by another word.
_NOT_SAID = ("recipe", "toolkit_python", "workers", "jobs")
#: What belongs to an ONNX and means nothing beside `files`.
_OF_AN_ONNX = tuple(item.name for item in fields(ConvertWords) if item.name not in _NOT_SAID)


def converting_of(table: Mapping[str, Any], folder: Path) -> ConvertWords:
    """Return how the ONNX of a `[[models]]`, whose values are typed, is converted; seen from `folder`.

    Raises UsageError for files and an ONNX at once, for words that need one, and for what no recipe is.
    """
    recipes, calibration = table["recipes"], table["calibration"]
    given = {name: table[name] for name in _OF_AN_ONNX}
    said = [name for name, value in given.items() if value != getattr(_DEFAULTS, name)]
    if table["onnx"] is None:
        if recipes or said:
            word = "recipes" if recipes else said[0]
            raise UsageError(f"{word} is of an ONNX, and none is named", hint='onnx = "net.onnx"')
        return _DEFAULTS
    if table["files"]:
        raise UsageError("files and an onnx at once", hint="make two [[models]] of them")
    if not recipes:
        raise UsageError(
            "an onnx needs recipes", hint="recipes = ['fp16', 'int8,toolkit=2.3.2']; bench convert --list"
        )
    if calibration is not None:
        given["calibration"] = folder / calibration
    words = replace(_DEFAULTS, recipe=recipes, **given)
    _check(words)
    return words


def _check(words: ConvertWords) -> None:
    """Raise UsageError for a recipe that is none, and for one of integers without calibration."""
    from rkbench.conversion.recipes import draft_of  # only where an ONNX is named
    from rkbench.rknn.targets import TARGETS
    from rkbench.toolkit.versions import DEFAULT

    drafts = [draft_of(typed, next(iter(TARGETS)), DEFAULT) for typed in words.recipe or ()]
    if any(word.partition("=")[0] == "target" for draft in drafts for word in draft.words):
        raise UsageError("a recipe of a suite has no target", hint="its boards say for which SoC")
    integers = [draft.name for draft in drafts if draft.is_quantized]
    if integers and not words.is_calibrated:
        raise UsageError(
            f"recipe {integers[0]} needs calibration",
            hint="calibration = 'DIR or FILE.npz', or random_calibration = true (sizes and latencies alone)",
        )
    if not (0 < words.time_limit < 1e9 and 0 < words.memory_limit < 1e6):
        raise UsageError("time_limit is in seconds, memory_limit in GB, both more than 0")
