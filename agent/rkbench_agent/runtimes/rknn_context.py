"""One model loaded by librknnrt: a context, and what it tells. Plain ctypes, no numpy."""

from __future__ import annotations

import ctypes
import struct
from dataclasses import dataclass
from typing import Any, List, Optional, Tuple

from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.runtimes import rknn_abi as abi
from rkbench_agent.runtimes.base import NpuMemory
from rkbench_agent.wire.words import OUT_OF_MEMORY, RUNTIME_ERROR

DEFAULT_FLAGS = abi.FLAG_PRIORITY_MEDIUM
#: The inference type of a file with dynamic shapes, as its FlatBuffer holds it: length, text, 0.
DYNAMIC = struct.pack("<I", 13) + b"dynamic_shape\0"


@dataclass(frozen=True)
class TensorInfo:
    """One input or output as the runtime tells it; `shape` in the runtime's own layout.

    `scale` and `zero_point` are None where the tensor is not quantised. `width_stride` is the row's
    length in elements including padding, 0 where there is none.
    """

    index: int
    name: str
    shape: Tuple[int, ...]
    dtype: str
    layout: str
    quantisation: str
    scale: Optional[float]
    zero_point: Optional[int]
    element_count: int
    size_bytes: int
    padded_bytes: int
    width_stride: int


@dataclass(frozen=True)
class Versions:
    """What the runtime says of itself and of the driver."""

    runtime: str
    driver: str


class RknnContext:
    """A context of librknnrt. Calls that the runtime refuses raise RuntimeFailureError with its code."""

    def __init__(self, library: Any, handle: int, *, is_dynamic: bool = False) -> None:
        self._library = library
        self.handle = handle
        self._is_dynamic = is_dynamic

    @classmethod
    def load(cls, library: Any, model: bytes, core_mask: int = 0, flags: int = DEFAULT_FLAGS) -> RknnContext:
        """Load a model from its file's bytes, which the runtime needs no longer afterwards.

        A `core_mask` of 0 leaves the choice of cores to the driver.
        """
        handle = ctypes.c_uint64(0)
        check("rknn_init", library.rknn_init(ctypes.byref(handle), model, len(model), flags, None))
        context = cls(library, handle.value, is_dynamic=DYNAMIC in model)
        context.make_ready(core_mask)
        return context

    @property
    def can_duplicate(self) -> bool:
        """Whether this librknnrt has rknn_dup_context (since 1.3)."""
        return hasattr(self._library, "rknn_dup_context")

    def duplicate(self, core_mask: int = 0) -> RknnContext:
        """Return another context of the same model, ready on its cores; the weights are in memory once."""
        if not self.can_duplicate:
            raise RuntimeFailureError("this librknnrt has no rknn_dup_context", advice="use 1.3 or later")
        source, handle = ctypes.c_uint64(self.handle), ctypes.c_uint64(0)
        code = self._library.rknn_dup_context(ctypes.byref(source), ctypes.byref(handle))
        check("rknn_dup_context", code)
        copy = RknnContext(self._library, handle.value, is_dynamic=self._is_dynamic)
        copy.make_ready(core_mask)
        return copy

    def make_ready(self, core_mask: int) -> None:
        """Choose cores (0: the driver does) and shapes of a new context; destroys it where it refuses."""
        try:
            if core_mask:
                self.set_core_mask(core_mask)
            if self._is_dynamic:
                self.choose_shapes()
        except RuntimeFailureError:
            self.destroy()
            raise

    def destroy(self) -> None:
        """Give the NPU's memory back. The context cannot be used any more; a second call does nothing."""
        handle, self.handle = self.handle, 0
        if handle:
            check("rknn_destroy", self._library.rknn_destroy(handle))

    def set_core_mask(self, mask: int) -> None:
        """Choose the NPU cores: bit 0 is core 0; 0 leaves the choice to the driver."""
        if not hasattr(self._library, "rknn_set_core_mask"):
            raise RuntimeFailureError("this librknnrt has no rknn_set_core_mask", advice="use --cores auto")
        check("rknn_set_core_mask", self._library.rknn_set_core_mask(self.handle, mask))

    def choose_shapes(self) -> None:
        """Have a model with dynamic shapes use those of its attributes: librknnrt aborts without."""
        inputs, _ = self.attributes()
        array = (abi.TensorAttr * len(inputs))(*inputs)
        check("rknn_set_input_shapes", self._library.rknn_set_input_shapes(self.handle, len(inputs), array))

    def versions(self) -> Versions:
        """Return the versions of runtime and driver."""
        answer = self._query(abi.QUERY_SDK_VERSION, abi.SdkVersion(), "SDK_VERSION")
        return Versions(abi.text_of(answer.api_version), abi.text_of(answer.drv_version))

    def attributes(self) -> Tuple[List[abi.TensorAttr], List[abi.TensorAttr]]:
        """Return the attributes of inputs and outputs, as the runtime gives them."""
        count = self._query(abi.QUERY_IN_OUT_NUM, abi.InOutNum(), "IN_OUT_NUM")
        return (
            [self._attribute(abi.QUERY_INPUT_ATTR, index) for index in range(count.n_input)],
            [self._attribute(abi.QUERY_OUTPUT_ATTR, index) for index in range(count.n_output)],
        )

    def memory(self) -> NpuMemory:
        """Return the model's NPU memory; None where an older runtime does not tell (it leaves 0)."""
        answer = self._query(abi.QUERY_MEM_SIZE, abi.MemSize(), "MEM_SIZE")
        return NpuMemory(
            answer.total_weight_size or None,
            answer.total_internal_size or None,
            answer.total_dma_allocated_size or None,
            answer.total_sram_size - answer.free_sram_size if answer.total_sram_size else None,
        )

    def device_ns(self) -> Optional[int]:
        """Return how long the last run took on the NPU, or None where the runtime does not tell."""
        answer = abi.PerfRun()
        code = self._library.rknn_query(
            self.handle, abi.QUERY_PERF_RUN, ctypes.byref(answer), ctypes.sizeof(answer)
        )
        return answer.run_duration * 1000 if code == 0 and answer.run_duration > 0 else None

    def profile_text(self) -> str:
        """Return the runtime's table of layers; only of a context loaded with FLAG_COLLECT_PERF."""
        answer = self._query(abi.QUERY_PERF_DETAIL, abi.PerfDetail(), "PERF_DETAIL")
        return abi.text_of(ctypes.string_at(answer.perf_data, answer.data_len)).rstrip("\0")

    def custom_string(self) -> str:
        """Return the text that was put into the model when it was built."""
        answer = self._query(abi.QUERY_CUSTOM_STRING, abi.CustomString(), "CUSTOM_STRING")
        return abi.text_of(answer.string)

    def _attribute(self, command: int, index: int) -> abi.TensorAttr:
        attr: abi.TensorAttr = self._query(command, abi.TensorAttr(index=index), f"attribute {index}")
        return attr

    def _query(self, command: int, answer: Any, what: str) -> Any:
        code = self._library.rknn_query(self.handle, command, ctypes.byref(answer), ctypes.sizeof(answer))
        check(f"rknn_query {what}", code)
        return answer


def check(call: str, code: int) -> None:
    """Raise RuntimeFailureError where a call returned an error."""
    if code != 0:
        reason = OUT_OF_MEMORY if code == -4 else RUNTIME_ERROR
        raise RuntimeFailureError(f"{call} returned {abi.error_name(code)} ({code})", reason=reason)


def describe(attr: abi.TensorAttr) -> TensorInfo:
    """Return a tensor's attributes as plain data.

    A float tensor is not quantised, though librknnrt 1.5.2 calls it affine with scale 1.
    """
    dtype = abi.TYPES.get(attr.type, str(attr.type))
    is_quantised = attr.qnt_type != 0 and "float" not in dtype
    return TensorInfo(
        index=attr.index,
        name=abi.text_of(attr.name),
        shape=tuple(attr.dims[: attr.n_dims]),
        dtype=dtype,
        layout=abi.LAYOUTS.get(attr.fmt, str(attr.fmt)),
        quantisation=abi.QUANTISATIONS.get(attr.qnt_type, str(attr.qnt_type)) if is_quantised else "none",
        scale=attr.scale if is_quantised else None,
        zero_point=attr.zp if is_quantised else None,
        element_count=attr.n_elems,
        size_bytes=attr.size,
        padded_bytes=attr.size_with_stride or attr.size,
        width_stride=attr.w_stride,
    )
