"""What an ONNX will become as a .rknn, before anything is converted, and the rewrites that cure the bloat.

>>> from rkbench.onnx import fix, predict_size
>>> prediction = predict_size("model.onnx", "rk3588", "fp16")
>>> print(prediction.file_bytes, [refusal.sentence for refusal in prediction.refusals])
>>> report = fix("model.onnx", "rk3588", "fp16", "fixed.onnx")
>>> print(report.after.file_bytes, [change.rewrite for change in report.changes])

Importing this package without the extra `onnx` raises UsageError, which names the pip command.
"""

from __future__ import annotations

from rkbench.errors import UsageError

try:
    import onnx
    import onnx_ir
except ImportError as error:
    raise UsageError(
        f"this needs the package {error.name}, which is not installed",
        hint="pip install 'rkbench[onnx]'",
    ) from error

from rkbench.onnx.fixing import FixReport, fix
from rkbench.onnx.input_shapes import parse_input_shapes
from rkbench.onnx.model import OnnxFile, filled_in, open_onnx
from rkbench.onnx.predict import predict, predict_size
from rkbench.onnx.prediction import PredictedNode, Prediction

__all__ = [
    "FixReport",
    "OnnxFile",
    "PredictedNode",
    "Prediction",
    "filled_in",
    "fix",
    "open_onnx",
    "parse_input_shapes",
    "predict",
    "predict_size",
]

_VERSIONS = (onnx.__version__, onnx_ir.__version__)
