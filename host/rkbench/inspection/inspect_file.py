"""`bench inspect` from its arguments to its document: read, diagnose, compare."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rkbench.errors import UsageError
from rkbench.inspection.document import FileInspection, Inspection
from rkbench.inspection.inspect_model import inspect_model
from rkbench.rknn import RknnModel, open_model
from rkbench.rknn.targets import check_target

if TYPE_CHECKING:
    from rkbench.inspection.diff_document import FileDiff
    from rkbench.inspection.npu_document import InspectedNpu

DEFAULT_TARGET = "rk3588"
DEFAULT_DTYPE = "fp16"


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
    npu: bool = False
    """Whether the NPU's tasks are decoded: what they cost, and how long they take."""
    tasks: str | None = None
    """Layers whose tasks are told in words: part of a name, or `all`; decodes them too."""
    input_shapes: tuple[str, ...] = ()
    """Of the ONNX, where it leaves sizes open: `NAME=SIZES`."""

    @property
    def files(self) -> dict[str, Path | None]:
        """What is read, by what it is."""
        return {"the model": self.model, "the ONNX": self.onnx, "the other model": self.other}


def inspect_file(request: Request) -> Inspection:
    """Return the inspection of a file; raises ModelError or UsageError for what it cannot be made of."""
    if request.model.suffix.lower() == ".onnx":
        return _predict(request)
    check_target(request.target or DEFAULT_TARGET, request.dtype or DEFAULT_DTYPE)
    with open_model(request.model) as model:
        inspection = inspect_model(model, digest=request.digest)
        diff = _compare(model, inspection, request.other) if request.other else None
        npu = _npu(model, request) if request.npu or request.tasks else None
    if request.onnx:
        inspection = _with_onnx(inspection, request.onnx, request)
    return replace(inspection, diff=diff, npu=npu)


def _predict(request: Request) -> Inspection:
    if request.other or request.onnx or request.tasks:
        raise UsageError(
            "--diff, --onnx and --tasks need a .rknn", hint="convert the ONNX first, then inspect the .rknn"
        )
    from rkbench.inspection.onnx_comparison import inspect_prediction  # imports onnx, an extra
    from rkbench.onnx import parse_input_shapes, predict_size

    target, dtype = request.target or DEFAULT_TARGET, request.dtype or DEFAULT_DTYPE
    shapes = parse_input_shapes(request.input_shapes)
    prediction = predict_size(request.model, target, dtype, input_shapes=shapes)
    return inspect_prediction(request.model, prediction, shapes)


def _npu(model: RknnModel, request: Request) -> InspectedNpu:
    from rkbench.inspection.npu_work import inspect_npu  # imports numpy

    return inspect_npu(model, request.tasks)


def _compare(before: RknnModel, inspection: FileInspection, other: Path) -> FileDiff:
    from rkbench.inspection.diff import diff_models
    from rkbench.inspection.file_diff import diff_files

    with open_model(other) as after:
        second = inspect_model(after, digest=False)
        return diff_files(other, diff_models(before, after), inspection, second)


def _with_onnx(inspection: FileInspection, path: Path, request: Request) -> FileInspection:
    from rkbench.inspection.onnx_comparison import add_onnx  # imports onnx, an extra
    from rkbench.onnx import filled_in, parse_input_shapes, predict_size

    converted = filled_in(path, {tensor.name: tensor.shape for tensor in inspection.inputs})
    shapes = converted | parse_input_shapes(request.input_shapes)
    target = request.target or inspection.file.target or DEFAULT_TARGET
    # Weights of int16 take as much as halves; of w4a16 nothing was measured.
    dtype = request.dtype or ("int8" if inspection.file.dtype == "int8" else "fp16")
    prediction = predict_size(path, target, dtype, inspection.file.toolkit_version, shapes)
    return add_onnx(inspection, path, prediction, shapes)
