"""`bench inspect` from its arguments to its views: read, diagnose, compare, then show where it was asked."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rkbench.errors import UsageError
from rkbench.inspect.inspection import Inspection, inspect_model
from rkbench.rknn import RknnModel, open_model
from rkbench.views.inspect.document import inspect_document, prediction_document, render_json
from rkbench.views.output import STDOUT, check_output, write_text

if TYPE_CHECKING:
    from rkbench.views.inspect.diff import DiffView
    from rkbench.views.inspect.onnx import OnnxView

DEFAULT_TARGET = "rk3588"
DEFAULT_DTYPE = "fp16"
FALLBACK_WIDTH = 100


@dataclass(frozen=True)
class Request:
    """What to look at: a .rknn (with its ONNX, against another), or an .onnx alone."""

    model: Path
    onnx: Path | None = None
    target: str | None = None
    dtype: str | None = None
    other: Path | None = None
    digest: bool = True
    """Whether the document states the file's SHA-256; a terminal does not show it."""


def inspect_file(request: Request) -> dict[str, Any]:
    """Return the document of a file; raises ModelError or UsageError for what it cannot be made of."""
    if request.model.suffix.lower() == ".onnx":
        return _predict(request)
    with open_model(request.model) as model:
        inspection = inspect_model(model)
        diff = _compare(model, inspection, request.other) if request.other else None
        return inspect_document(inspection, _beside_onnx(request, inspection), diff, digest=request.digest)


def show(
    document: dict[str, Any], *, json_to: str | None, html_to: str | None, layers: str, myths: bool
) -> None:
    """Write the document where it was asked for, and to the terminal unless stdout is taken."""
    from rkbench.views.inspect.console import render_console, wants_colour

    most = _layer_limit(layers)
    for target in (json_to, html_to):
        if target:
            check_output(target)
    if json_to:
        write_text(json_to, render_json(document))
    if html_to:
        from rkbench.views.inspect.html import render_html

        write_text(html_to, render_html(document))
    if STDOUT not in (json_to, html_to):
        width = _terminal_width()
        terminal = sys.stdout.isatty()
        colour = wants_colour(terminal)
        print(render_console(document, width, layers=most, myths=myths, colour=colour, fold=terminal), end="")


def _terminal_width() -> int:
    """Return COLUMNS, else the width of the terminal, else a fallback. (shutil is slow to import.)"""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or FALLBACK_WIDTH
    except (OSError, ValueError):
        return FALLBACK_WIDTH


def _layer_limit(text: str) -> int | None:
    if text == "all":
        return None
    if text.isdecimal():
        return int(text)
    raise UsageError(f"--layers {text}: no number", hint="a number, or all")


def _predict(request: Request) -> dict[str, Any]:
    if request.other or request.onnx:
        raise UsageError(
            "--diff and --onnx need a .rknn", hint="convert the ONNX first, then inspect the .rknn"
        )
    from rkbench.onnx import predict_file
    from rkbench.views.inspect.onnx import predict_view

    prediction = predict_file(request.model, request.target or DEFAULT_TARGET, request.dtype or DEFAULT_DTYPE)
    return prediction_document(predict_view(request.model, prediction))


def _compare(before: RknnModel, inspection: Inspection, other: Path) -> DiffView:
    from rkbench.inspect.diff import diff_models
    from rkbench.views.inspect.diff import compare_files

    with open_model(other) as after:
        diagnosis = inspect_model(after).diagnosis
        diff = diff_models(before, after)
        return compare_files(inspection.diagnosis, diagnosis, diff, other, after.file.size_bytes)


def _beside_onnx(request: Request, inspection: Inspection) -> OnnxView | None:
    if request.onnx is None:
        return None
    from rkbench.onnx import predict_file
    from rkbench.views.inspect.onnx import compare_with_onnx

    target = request.target or inspection.file.target or DEFAULT_TARGET
    dtype = request.dtype or inspection.dtype
    toolkit = inspection.file.toolkit_version or None
    return compare_with_onnx(inspection, request.onnx, predict_file(request.onnx, target, dtype, toolkit))
