"""What a golden file holds: its arrays, what it says of its own making, its cases one by one."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import numpy as np

from rkbench.errors import GoldenError, UsageError, choice_hint
from rkbench.variants.golden_fit import Fit, Member, is_number
from rkbench.variants.npz import Array, NpzReader

METADATA = "metadata"
#: The true class of each case, as a whole number.
LABELS = "labels"
#: In the metadata: which pictures the inputs were, and how they became numbers.
PICTURES = "pictures"
#: What the outputs of a model are; of classes alone an agreement can be told.
TASKS = ("classify", "detect", "segment", "embed")
LARGEST_METADATA_BYTES = 4_000_000


def check_task(task: str | None) -> None:
    """Raise UsageError for a task that is none of TASKS."""
    if task is not None and task not in TASKS:
        raise UsageError(f"no task {task!r}", hint=choice_hint(task, TASKS))


def members_of(source: NpzReader) -> list[Member]:
    """Return the arrays of a golden that hold numbers."""
    return [
        Member(key, header.shape, header.dtype.name)
        for key, header in source.headers.items()
        if key not in (METADATA, LABELS) and is_number(header.dtype)
    ]


def layout_of(source: NpzReader) -> str:
    """Return the layout of 4-D arrays that the golden's metadata names, or ""."""
    return str(metadata_of(source).get("layout", ""))


def cases_of(source: NpzReader, fit: Fit) -> Generator[Array, None, None]:
    """Yield the cases of one member as the model's tensor: shape, order of axes and dtype."""
    for part in source.chunks(fit.member.key, fit.cases):
        case = part.reshape(fit.source_shape)
        if fit.permutation is not None:
            case = case.transpose(fit.permutation)
        if fit.undo is not None:
            case = fit.undo.undone(case, channel_axis=-1 if fit.wanted.nhwc else 1)
        if fit.dequantised and fit.wanted.scale is not None:
            case = (case.astype(np.float64) - fit.wanted.zero_point) * fit.wanted.scale
        yield _as_fed(case, fit, source)


def _as_fed(case: Array, fit: Fit, source: NpzReader) -> Array:
    """Return a case in the dtype of the board's golden; raises GoldenError where that cannot hold it."""
    with np.errstate(over="ignore"):  # told below
        fed = np.ascontiguousarray(case, np.dtype(fit.dtype))
    if case.dtype.kind != "f" or fed.dtype.kind != "f" or fed.dtype.itemsize >= case.dtype.itemsize:
        return fed
    finite = np.isfinite(case)
    largest = float(np.abs(case[finite]).max()) if finite.any() else 0.0
    if (largest and not fed.any()) or not np.isfinite(fed[finite]).all():
        raise GoldenError(
            f"{source.words.name} {source.path}: {fit.member.key}: values of {fit.member.dtype} up to"
            f" {largest:.3g} are no {fit.dtype}, which the board is given",
            hint=f"save the {source.words.name} again with values of a network: float32 holds 1e-38 to 3e38",
        )
    return fed


def sound_cases(source: NpzReader, fit: Fit) -> Generator[Array, None, None]:
    """Yield what `cases_of` yields; raises GoldenError at a case that nothing can be held against.

    An input may be infinite, as masks are, but not NaN. Expected outputs may be neither finite in parts: that
    counts as equal where the output is alike; a case without one number is refused.
    """
    is_input = fit.wanted.kind == "inputs"
    for number, case in enumerate(cases_of(source, fit)):
        if case.dtype.kind == "f":
            wrong = np.isnan(case) if is_input else ~np.isfinite(case)
            if wrong.any() and (is_input or wrong.all()):
                raise _no_numbers(source, fit, number, wrong, "NaN" if is_input else "NaN or infinite")
        yield case


def finite_cases(source: NpzReader, fit: Fit) -> Generator[Array, None, None]:
    """Yield what `sound_cases` yields; of an input that is quantized no value may be infinite either."""
    for number, case in enumerate(sound_cases(source, fit)):
        if case.dtype.kind == "f" and fit.wanted.scale is not None:
            wrong = np.isinf(case)
            if wrong.any():
                raise _no_numbers(
                    source, fit, number, wrong, f"infinite, and the input is {fit.wanted.dtype}"
                )
        yield case


def _no_numbers(source: NpzReader, fit: Fit, case: int, wrong: Array, what: str) -> GoldenError:
    """Return an error that says how many values are wrong, and where the first of them is in the file."""
    if fit.permutation is not None:
        wrong = wrong.transpose(np.argsort(fit.permutation))
    first = [int(place) for place in np.unravel_index(np.argmax(wrong), wrong.shape)]
    return GoldenError(
        f"{source.words.name} {source.path}: {fit.member.key}, case {case}: {int(wrong.sum()):,} of"
        f" {wrong.size:,} values are {what}; the first is at {first}",
        hint=source.words.remedy,
    )


def domain_of(source: NpzReader) -> str:
    """Return whose inputs the golden holds: `onnx`, or "" where it does not say (as the board is fed)."""
    return str(metadata_of(source).get("inputs_domain", ""))


def is_of_classes(source: NpzReader) -> bool:
    """Return whether a golden says that outputs are scores of classes: by its task, or by labels in it."""
    task = metadata_of(source).get("task")
    return task == "classify" if task else LABELS in source.headers


def metadata_of(source: NpzReader) -> dict[str, object]:
    """Return the golden's `metadata` member, a JSON object; {} where there is none."""
    header = source.headers.get(METADATA)
    if (
        header is None
        or header.dtype.kind != "U"
        or header.shape
        or header.size_bytes > LARGEST_METADATA_BYTES
    ):
        return {}
    try:
        value = json.loads(str(source.whole(METADATA)))
    except (ValueError, RecursionError):
        return {}  # somebody else's member of that name
    return value if isinstance(value, dict) else {}


def read_metadata(path: Path) -> dict[str, object]:
    """Return what a golden says of its own making; {} where it says nothing."""
    with NpzReader(path) as source:
        return metadata_of(source)
