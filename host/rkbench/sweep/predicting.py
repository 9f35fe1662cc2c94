"""Sizes before anything is converted: each recipe's own changes made to the ONNX, and that predicted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rkbench.conversion.build import ConversionRequest, changed_onnx, known_conversion
from rkbench.conversion.kept import building
from rkbench.errors import BenchError
from rkbench.onnx import predict_size
from rkbench.rknn.targets import DTYPES
from rkbench.sweep.plan import PlannedVariant, PredictedBytes

#: The model of sizes is of files whose commands are there for every number of cores.
_UNPREDICTED = ("single_core_mode", "compress_weight")
_Key = tuple[str, ...]


def predicted(requests: Iterable[ConversionRequest]) -> Iterator[PlannedVariant]:
    """Yield each request with its predicted size, in their order; what cannot be predicted has none.

    What was converted before has the size that it has.
    """
    known: dict[_Key, PredictedBytes | None] = {}
    for request in requests:
        if (built := known_conversion(request)) is not None:
            size = built.record.size_bytes
            yield PlannedVariant(request, PredictedBytes(size, size))
            continue
        key = _key(request)
        if key not in known:
            known[key] = _predicted(request)
        yield PlannedVariant(request, known[key])


def _key(request: ConversionRequest) -> _Key:
    """Return what a prediction depends on."""
    draft = request.draft
    plain = str(_is_plain(request))
    return (draft.target, draft.toolkit, draft.dtype, plain, *(change.word for change in draft.changes))


def _is_plain(request: ConversionRequest) -> bool:
    draft = request.draft
    return draft.dtype in DTYPES and draft.hybrid is None and not {*_UNPREDICTED} & {*draft.config}


def _predicted(request: ConversionRequest) -> PredictedBytes | None:
    if not _is_plain(request):
        return None
    draft = request.draft
    with building() as folder:
        try:
            _, onnx = changed_onnx(request, folder)
            shapes = dict(request.input_shapes or {})
            found = predict_size(onnx, draft.target, draft.dtype, draft.toolkit, shapes)
        except BenchError:  # what stops a conversion is told when it is converted
            return None
    return PredictedBytes(found.file_bytes, found.file_bytes_low)
