"""A light reading of an ONNX: graph, shapes, element counts. External weights are not read."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import onnx_ir as ir
from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # protobuf has no stubs
from onnx_ir.passes.common import ShapeInferencePass

from rkbench.errors import ModelError, NoModelError
from rkbench.language.said import Said, say
from rkbench.onnx.declarations import Declared, declarations
from rkbench.onnx.folding import Numbers, complete_shapes
from rkbench.onnx.input_shapes import (
    InputShapes,
    fix_input_shapes,
    forget_negative_sizes,
    shapes_that_fill,
)
from rkbench.onnx.mending import mend
from rkbench.onnx.soundness import check_sound
from rkbench.rknn.identify import refuse_as_onnx

FLOATS = frozenset({ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.DOUBLE})
QUANTIZERS = frozenset({"QuantizeLinear", "DequantizeLinear", "QLinearConv", "ConvInteger", "QLinearMatMul"})
LARGEST_PROTOBUF_BYTES = 2**31 - 1


@dataclass(frozen=True)
class OnnxFile:
    """An ONNX that was read, with inferred shapes."""

    path: Path
    size_bytes: int
    """Of the .onnx itself."""
    external_bytes: int
    """Of the weights that it keeps in other files, by its own account; 0 if it keeps none there."""
    missing_files: tuple[str, ...]
    """External files that are not there or too short: prediction works without them, `bench fix` does not."""
    model: ir.Model
    elements: dict[str, int]
    """Elements of the stored weights by dtype, such as {"FLOAT": 830000, "INT64": 12}."""
    notes: tuple[Said, ...]
    """What was assumed, one sentence each."""
    declared: dict[str, Declared]
    """Type and shape of every value as the file declares them: nothing inferred, no symbol fixed but by the
    shapes that were given."""

    has_symbolic_sizes: bool = False
    """Whether an input has a dimension behind the first that is no number."""
    numbers: Numbers = field(default_factory=dict)
    """Short values that follow from constants and sizes; none where the file leaves a size open."""
    mended: frozenset[str] = frozenset()
    """What reading has put right, and the converter does not (`rkbench.onnx.foreseen`)."""

    @property
    def graph(self) -> ir.Graph:
        """The main graph."""
        return self.model.graph

    @property
    def opset(self) -> int:
        """Version of ONNX's own operators that it uses."""
        return self.model.opset_imports.get("", 1)

    @property
    def float_elements(self) -> int:
        """Elements of all stored float weights: the number to compare a .rknn with, not the file's bytes."""
        return sum(count for dtype, count in self.elements.items() if ir.DataType[dtype] in FLOATS)

    @property
    def is_quantized(self) -> bool:
        """Whether the graph itself quantizes (QDQ or QLinear nodes)."""
        return any(node.op_type in QUANTIZERS for node in self.graph)


_UNREADABLE = (DecodeError, ValueError, TypeError, KeyError, RuntimeError, OverflowError)


def filled_in(path: Path, offered: InputShapes) -> dict[str, tuple[int, ...]]:
    """Return those of `offered` that fill in inputs whose sizes an ONNX leaves open.

    None of a file that cannot be read: `open_onnx` says what is wrong with it.
    """
    try:
        refuse_as_onnx(path)
        graph = _load(path).graph
    except (ModelError, *_UNREADABLE):
        return {}
    forget_negative_sizes(graph)
    return shapes_that_fill(graph, offered)


def open_onnx(path: str | PathLike[str], input_shapes: InputShapes | None = None) -> OnnxFile:
    """Read an ONNX and infer its shapes; an open input size that is not given counts as 1: a note says so.

    Raises ModelError if the file is no ONNX, or cannot be read; UsageError for shapes that do not fit it.
    """
    path = Path(path)
    refuse_as_onnx(path)
    notes: list[Said] = []
    try:
        with _logged() as complaints:
            model = _load(path)
            mended = mend(model)
            opset = model.opset_imports.get("", 1)
            declared = declarations(model.graph)
            forget_negative_sizes(model.graph)
            given = dict(input_shapes or {})
            open_shapes = _open_shapes(model.graph, given)
            notes = fix_input_shapes(model.graph, given)
            declared |= {name: (declared[name][0], shape) for name, shape in given.items()}
            check_sound(str(path), model.graph, opset)
            _infer_shapes(model)
            numbers = complete_shapes(model)
            check_sound(str(path), model.graph, opset)
    except ModelError as error:
        if not notes:
            raise
        how = "give the sizes that the file leaves open: --input-shape NAME=SIZES, such as images=1x3x320x320"
        raise ModelError(f"{error.message} ({'; '.join(notes)})", hint=how, field=error.field) from error
    except _UNREADABLE as error:
        hint = "check the file, export it again"
        raise ModelError(f"{path} is no readable ONNX: {_reason(error)}", hint=hint) from error
    notes += [say("the graph is not sound: {text}", text=text) for text in dict.fromkeys(complaints)]
    external, missing = _external_files(path, model.graph)
    if missing:
        lost = ", ".join(missing)
        notes.append(say("external weights are missing: {lost}; counted by their declared shapes", lost=lost))
    size = path.stat().st_size
    return OnnxFile(
        path,
        size,
        external,
        tuple(missing),
        model,
        _elements(model.graph),
        tuple(notes),
        declared,
        any(shape is None or _is_open(shape[1:]) for shape in open_shapes),
        {} if open_shapes else numbers,
        mended,
    )


def _elements(graph: ir.Graph) -> dict[str, int]:
    """Return the elements of all stored constants by dtype."""
    elements: Counter[str] = Counter()
    for value in graph.initializers.values():
        if value.const_value is not None:
            elements[value.const_value.dtype.name] += value.const_value.size
    for node in graph:
        tensor = node.attributes.get("value") if node.op_type == "Constant" else None
        if tensor is not None and tensor.type == ir.AttributeType.TENSOR:
            elements[tensor.as_tensor().dtype.name] += tensor.as_tensor().size
    return dict(elements)


def _reason(error: BaseException) -> str:
    """Return the first line of the error that began it: those after it name functions of the reader."""
    while (
        before := error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    ) is not None:
        error = before
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _open_shapes(graph: ir.Graph, given: InputShapes) -> list[tuple[object, ...] | None]:
    """Return the shapes of the inputs that say not all sizes, and are not given."""
    inputs = [value for value in graph.inputs if not value.is_initializer() and value.name not in given]
    shapes = [None if value.shape is None else tuple(value.shape) for value in inputs]
    return [shape for shape in shapes if shape is None or _is_open(shape)]


def _is_open(sizes: tuple[object, ...]) -> bool:
    return any(not isinstance(size, int) for size in sizes)


def _load(path: Path) -> ir.Model:
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for, a device read for ever
            raise ModelError(f"{path} is no regular file", hint="check the path")
        size = path.stat().st_size
        if size > LARGEST_PROTOBUF_BYTES:
            raise ModelError(
                f"{path}: {size} bytes, and an ONNX holds at most {LARGEST_PROTOBUF_BYTES}",
                hint="save it with external data: onnx.save(model, path, save_as_external_data=True)",
            )
        model = ir.load(path)
    except OSError as error:
        kind = NoModelError if isinstance(error, FileNotFoundError) else ModelError
        raise kind(f"{path}: {error.strerror or error}", hint="check the path") from error
    if len(model.graph) == 0:
        raise ModelError(f"{path} holds no node: not an ONNX, or an empty one", hint="export it again")
    return model


def _infer_shapes(model: ir.Model) -> None:
    """Infer shapes in place. What fails is logged only: weights are predicted all the same.

    Numbers are followed later, and short ones alone (`folding`): ONNX would keep 140 bytes for each element
    of a long vector that is cast, 10^12 of them where a Range says so. The shapes of all networks of the
    corpus are the same.
    """
    initializers = list(model.graph.initializers.values())
    ShapeInferencePass(check_type=False, strict_mode=True, data_prop=False)(model)
    # The inference takes large initializers out and puts them back at the end: restore their order.
    model.graph.initializers.clear()
    for value in initializers:
        model.graph.register_initializer(value)


@contextmanager
def _logged() -> Iterator[list[str]]:
    """Collect what onnx-ir has to complain about: it logs that, and would print it on stderr."""
    logger = logging.getLogger("onnx_ir")
    catcher = _Catcher()
    logger.addHandler(catcher)
    propagate, logger.propagate = logger.propagate, False
    try:
        yield catcher.messages
    finally:
        logger.removeHandler(catcher)
        logger.propagate = propagate


class _Catcher(logging.Handler):
    """Keeps the first line of every warning."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the exception's words where there is one: the rest is advice to programmers."""
        error = record.exc_info[1] if record.exc_info else None
        self.messages.append(str(error or record.getMessage()).splitlines()[0][:200])


def external_tensors(graph: ir.Graph) -> Iterator[ir.ExternalTensor]:
    """Yield the tensors whose numbers are in other files: those of bodies and of Constants too."""
    for each in (graph, *graph.subgraphs()):
        held = [value.const_value for value in each.initializers.values()]
        for node in each:
            of_tensors = (one for one in node.attributes.values() if one.type == ir.AttributeType.TENSOR)
            held += [one.as_tensor() for one in of_tensors if not one.is_ref()]
        yield from (tensor for tensor in held if isinstance(tensor, ir.ExternalTensor))


def _external_files(path: Path, graph: ir.Graph) -> tuple[int, list[str]]:
    """Return the external bytes that the graph speaks of and the names of files without them."""
    total, ends = 0, dict[str, int]()
    for tensor in external_tensors(graph):
        total += tensor.nbytes
        name = str(tensor.location)
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ModelError(
                f"{path} says that its weights are in {name[:80]!r}, outside its folder",
                hint="save it again with its data beside it",
            )
        ends[name] = max(ends.get(name, 0), (tensor.offset or 0) + tensor.nbytes)
    sizes = {name: _size(path.parent / name) for name in ends}
    return total, [name for name, end in ends.items() if sizes[name] < end]


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1
