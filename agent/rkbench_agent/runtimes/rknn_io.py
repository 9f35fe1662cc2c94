"""How inputs and outputs reach a context: copied by the runtime, or in memory shared with the NPU."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Callable, List, Optional, Sequence, Tuple

from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.runtimes import rknn_abi as abi
from rkbench_agent.runtimes.rknn_context import RknnContext, check
from rkbench_agent.wire.words import BAD_INPUT, OUT_OF_MEMORY

if TYPE_CHECKING:
    from rkbench_agent.runtimes.base import Array

Stages = Tuple[Optional[int], Optional[int], Optional[int]]
DONE = True


class CopiedIo:
    """rknn_inputs_set, rknn_run, rknn_outputs_get; outputs as float32 into buffers that are reused."""

    def __init__(
        self,
        library: Any,
        context: RknnContext,
        inputs: Sequence[abi.TensorAttr],
        outputs: Sequence[abi.TensorAttr],
    ) -> None:
        self._library, self._context = library, context
        self._attributes, self._output_attributes = inputs, outputs
        self._inputs = (abi.InputStruct * len(inputs))()
        self._outputs = (abi.OutputStruct * len(outputs))()
        self._buffers = [ctypes.create_string_buffer(4 * attr.n_elems) for attr in outputs]
        for index, (output, buffer) in enumerate(zip(self._outputs, self._buffers)):
            output.want_float = output.is_prealloc = 1
            output.index, output.size = index, len(buffer)
            output.buf = ctypes.addressof(buffer)
        self._kept: List[Array] = []
        self.stages_ns: Stages = (None, None, None)

    def feed(self, inputs: Sequence[Array]) -> None:
        """Set what every inference from now on hands to the runtime; raises RuntimeFailureError."""
        _check_count(inputs, self._attributes)
        self._kept = [_contiguous(array) for array in inputs]  # the addresses are used until the next feed
        for index, array in enumerate(self._kept):
            item = self._inputs[index]
            item.index, item.size, item.pass_through = index, array.nbytes, 0
            item.buf = array.ctypes.data
            item.type, item.fmt = _type_number(array), abi.NHWC if array.ndim == 4 else abi.UNDEFINED

    def infer(self, clock_ns: Callable[[], int]) -> object:
        """Run once; `stages_ns` tells the time of the three calls."""
        library, handle = self._library, self._context.handle
        start_ns = clock_ns()
        code = library.rknn_inputs_set(handle, len(self._inputs), self._inputs)
        set_ns = clock_ns()
        if code:
            check("rknn_inputs_set", code)
        code = library.rknn_run(handle, None)
        run_ns = clock_ns()
        if code:
            check("rknn_run", code)
        code = library.rknn_outputs_get(handle, len(self._outputs), self._outputs, None)
        end_ns = clock_ns()
        if code:
            check("rknn_outputs_get", code)
        library.rknn_outputs_release(handle, len(self._outputs), self._outputs)
        self.stages_ns = (set_ns - start_ns, run_ns - set_ns, end_ns - run_ns)
        return DONE

    def outputs(self) -> List[Array]:
        """Return copies of the outputs of the last inference."""
        import numpy as np

        pairs = zip(self._output_attributes, self._buffers)
        return [np.frombuffer(bytes(buffer), np.float32).reshape(_shape(attr)) for attr, buffer in pairs]

    def close(self) -> None:
        """Nothing is held."""


class SharedIo:
    """Zero copy: tensors in memory of the NPU, bound once; an inference is rknn_run alone."""

    def __init__(
        self,
        library: Any,
        context: RknnContext,
        inputs: Sequence[abi.TensorAttr],
        outputs: Sequence[abi.TensorAttr],
    ) -> None:
        if not hasattr(library, "rknn_create_mem"):
            raise RuntimeFailureError("this librknnrt has no rknn_create_mem", advice="use --runtime capi")
        self._library, self._context = library, context
        self._attributes, self._output_attributes = inputs, outputs
        self._memories: List[Any] = []
        self._bound: Optional[List[Tuple[int, Any]]] = None
        self._output_memories = [self._bind_output(attr) for attr in outputs]
        self.stages_ns: Stages = (None, None, None)

    def feed(self, inputs: Sequence[Array]) -> None:
        """Write the inputs into the shared memory; raises RuntimeFailureError."""
        _check_count(inputs, self._attributes)
        arrays = [_contiguous(array) for array in inputs]
        types = [_type_number(array) for array in arrays]
        if self._bound is None:
            self._bound = [
                (number, self._bind_input(attr, number)) for attr, number in zip(self._attributes, types)
            ]
        for array, attr, number, (bound_type, memory) in zip(arrays, self._attributes, types, self._bound):
            if number != bound_type:
                text = (
                    f"{abi.text_of(attr.name)} was bound as {abi.TYPES[bound_type]}, now it is {array.dtype}"
                )
                raise RuntimeFailureError(text, reason=BAD_INPUT)
            _write_rows(memory.contents, array, attr)

    def infer(self, clock_ns: Callable[[], int]) -> object:
        """Run once; only the stage `run` exists."""
        start_ns = clock_ns()
        code = self._library.rknn_run(self._context.handle, None)
        end_ns = clock_ns()
        if code:
            check("rknn_run", code)
        self.stages_ns = (None, end_ns - start_ns, None)
        return DONE

    def outputs(self) -> List[Array]:
        """Return copies of the outputs of the last inference."""
        import numpy as np

        copies: List[Array] = []
        for attr, memory in zip(self._output_attributes, self._output_memories):
            data = ctypes.string_at(memory.contents.virt_addr + memory.contents.offset, 4 * attr.n_elems)
            copies.append(np.frombuffer(data, np.float32).reshape(_shape(attr)))
        return copies

    def close(self) -> None:
        """Give the shared memory back, before the context goes."""
        for memory in self._memories:
            check("rknn_destroy_mem", self._library.rknn_destroy_mem(self._context.handle, memory))
        self._memories = []

    def _bind_input(self, attr: abi.TensorAttr, type_number: int) -> Any:
        """Bind an input that is fed as `type_number`; the runtime converts."""
        bound = abi.TensorAttr.from_buffer_copy(attr)
        element_bytes = attr.size // max(attr.n_elems, 1) or 1
        padded = (attr.size_with_stride or attr.size) // element_bytes
        bound.type, bound.pass_through = type_number, 0
        bound.fmt = abi.NHWC if attr.n_dims == 4 else attr.fmt
        return self._bind(bound, padded * _ELEMENT_BYTES[abi.TYPES[type_number]])

    def _bind_output(self, attr: abi.TensorAttr) -> Any:
        """Bind an output as float32; the runtime dequantises."""
        bound = abi.TensorAttr.from_buffer_copy(attr)
        bound.type = abi.FLOAT32
        return self._bind(bound, 4 * attr.n_elems)

    def _bind(self, attr: abi.TensorAttr, size_bytes: int) -> Any:
        memory = self._library.rknn_create_mem(self._context.handle, size_bytes)
        if not memory:
            raise RuntimeFailureError(f"rknn_create_mem gave no {size_bytes} bytes", reason=OUT_OF_MEMORY)
        self._memories.append(memory)
        code = self._library.rknn_set_io_mem(self._context.handle, memory, ctypes.byref(attr))
        check(f"rknn_set_io_mem of {abi.text_of(attr.name)}", code)
        return memory


_ELEMENT_BYTES = {
    "float32": 4,
    "float16": 2,
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "uint16": 2,
    "int32": 4,
    "uint32": 4,
    "int64": 8,
    "bool": 1,
}


def _check_count(inputs: Sequence[Array], attributes: Sequence[abi.TensorAttr]) -> None:
    if len(inputs) != len(attributes):
        text = f"the model has {len(attributes)} inputs, {len(inputs)} were given"
        raise RuntimeFailureError(text, reason=BAD_INPUT)


def _type_number(array: Array) -> int:
    name = str(array.dtype)
    if name not in _ELEMENT_BYTES:
        raise RuntimeFailureError(f"an input of type {name} cannot be fed", reason=BAD_INPUT)
    return abi.TYPE_NUMBERS[name]


def _contiguous(array: Array) -> Array:
    import numpy as np

    return np.ascontiguousarray(array)


def _write_rows(memory: abi.TensorMem, array: Array, attr: abi.TensorAttr) -> None:
    """Copy an input; where the runtime pads the rows, row by row."""
    target = memory.virt_addr + memory.offset
    width = attr.dims[2] if attr.n_dims == 4 else 0
    if not width or attr.w_stride in (0, width):
        ctypes.memmove(target, array.ctypes.data, min(array.nbytes, memory.size))
        return
    row_bytes = array.nbytes // (array.shape[0] * array.shape[1])
    padded_bytes = row_bytes // width * attr.w_stride
    for row in range(array.shape[0] * array.shape[1]):
        ctypes.memmove(target + row * padded_bytes, array.ctypes.data + row * row_bytes, row_bytes)


def _shape(attr: abi.TensorAttr) -> Tuple[int, ...]:
    return tuple(attr.dims[: attr.n_dims])
