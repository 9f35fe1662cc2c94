"""The binary interface of librknnrt.so in ctypes: structs, numbers, and the calls that we make.

Written from measurements; sizes and offsets are checked against a C compiler's on x86_64 and aarch64
(tests/emulated/doubles/rknn_abi.h), and against the vendor's librknnrt 1.5.2.
"""

from __future__ import annotations

import ctypes
from ctypes import (
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_float,
    c_int,
    c_int8,
    c_int32,
    c_int64,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any, Dict, Tuple

MAX_DIMS = 16

# rknn_query
QUERY_IN_OUT_NUM = 0
QUERY_INPUT_ATTR = 1
QUERY_OUTPUT_ATTR = 2
QUERY_PERF_DETAIL = 3
QUERY_PERF_RUN = 4
QUERY_SDK_VERSION = 5
QUERY_MEM_SIZE = 6
QUERY_CUSTOM_STRING = 7

# rknn_init
FLAG_PRIORITY_MEDIUM = 0x1
FLAG_COLLECT_PERF = 0x8

#: Return codes by number; what is not here is told by its number.
ERRORS: Dict[int, str] = {
    -1: "RKNN_ERR_FAIL",
    -2: "RKNN_ERR_TIMEOUT",
    -3: "RKNN_ERR_DEVICE_UNAVAILABLE",
    -4: "RKNN_ERR_MALLOC_FAIL",
    -5: "RKNN_ERR_PARAM_INVALID",
    -6: "RKNN_ERR_MODEL_INVALID",
    -7: "RKNN_ERR_CTX_INVALID",
    -8: "RKNN_ERR_INPUT_INVALID",
    -9: "RKNN_ERR_OUTPUT_INVALID",
    -10: "RKNN_ERR_DEVICE_UNMATCH",
    -11: "RKNN_ERR_INCOMPATILE_PRE_COMPILE_MODEL",
    -12: "RKNN_ERR_INCOMPATILE_OPTIMIZATION_LEVEL_VERSION",
    -13: "RKNN_ERR_TARGET_PLATFORM_UNMATCH",
    -14: "RKNN_ERR_KEY_INVALID",
    -15: "RKNN_ERR_DECRYPT_FAILED",
    -16: "RKNN_ERR_SOC_BIND_FAILED",
}
#: Tensor types by number, as numpy spells them.
TYPES: Dict[int, str] = {
    0: "float32",
    1: "float16",
    2: "int8",
    3: "uint8",
    4: "int16",
    5: "uint16",
    6: "int32",
    7: "uint32",
    8: "int64",
    9: "bool",
    10: "int4",
    11: "bfloat16",
}
TYPE_NUMBERS: Dict[str, int] = {name: number for number, name in TYPES.items()}
FLOAT32 = 0
#: Layouts by number.
LAYOUTS: Dict[int, str] = {0: "NCHW", 1: "NHWC", 2: "NC1HWC2", 3: "UNDEFINED"}
NHWC = 1
UNDEFINED = 3
#: How a tensor is quantised, by number.
QUANTISATIONS: Dict[int, str] = {0: "none", 1: "dynamic_fixed_point", 2: "affine_asymmetric"}


class InOutNum(Structure):
    """Answer of QUERY_IN_OUT_NUM."""

    _fields_ = [("n_input", c_uint32), ("n_output", c_uint32)]


class TensorAttr(Structure):
    """Answer of the queries for attributes; `index` is the question."""

    _fields_ = [
        ("index", c_uint32),
        ("n_dims", c_uint32),
        ("dims", c_uint32 * MAX_DIMS),
        ("name", c_char * 256),
        ("n_elems", c_uint32),
        ("size", c_uint32),
        ("fmt", c_int32),
        ("type", c_int32),
        ("qnt_type", c_int32),
        ("fl", c_int8),
        ("zp", c_int32),
        ("scale", c_float),
        ("w_stride", c_uint32),
        ("size_with_stride", c_uint32),
        ("pass_through", c_uint8),
        ("h_stride", c_uint32),
    ]


class SdkVersion(Structure):
    """Answer of QUERY_SDK_VERSION."""

    _fields_ = [("api_version", c_char * 256), ("drv_version", c_char * 256)]


class MemSize(Structure):
    """Answer of QUERY_MEM_SIZE, in bytes."""

    _fields_ = [
        ("total_weight_size", c_uint32),
        ("total_internal_size", c_uint32),
        ("total_dma_allocated_size", c_uint64),
        ("total_sram_size", c_uint32),
        ("free_sram_size", c_uint32),
        ("reserved", c_uint32 * 10),
    ]


class PerfRun(Structure):
    """Answer of QUERY_PERF_RUN: microseconds of the last run."""

    _fields_ = [("run_duration", c_int64)]


class PerfDetail(Structure):
    """Answer of QUERY_PERF_DETAIL: a text that belongs to the context."""

    _fields_ = [("perf_data", c_void_p), ("data_len", c_uint64)]


class CustomString(Structure):
    """Answer of QUERY_CUSTOM_STRING."""

    _fields_ = [("string", c_char * 1024)]


class InputStruct(Structure):
    """One input of rknn_inputs_set."""

    _fields_ = [
        ("index", c_uint32),
        ("buf", c_void_p),
        ("size", c_uint32),
        ("pass_through", c_uint8),
        ("type", c_int32),
        ("fmt", c_int32),
    ]


class OutputStruct(Structure):
    """One output of rknn_outputs_get."""

    _fields_ = [
        ("want_float", c_uint8),
        ("is_prealloc", c_uint8),
        ("index", c_uint32),
        ("buf", c_void_p),
        ("size", c_uint32),
    ]


class TensorMem(Structure):
    """Memory that CPU and NPU share."""

    _fields_ = [
        ("virt_addr", c_void_p),
        ("phys_addr", c_uint64),
        ("fd", c_int32),
        ("offset", c_int32),
        ("size", c_uint32),
        ("flags", c_uint32),
        ("priv_data", c_void_p),
    ]


#: The vendor's name of every struct here.
STRUCTS: Dict[str, Any] = {
    "rknn_input_output_num": InOutNum,
    "rknn_tensor_attr": TensorAttr,
    "rknn_sdk_version": SdkVersion,
    "rknn_mem_size": MemSize,
    "rknn_perf_run": PerfRun,
    "rknn_perf_detail": PerfDetail,
    "rknn_custom_string": CustomString,
    "rknn_input": InputStruct,
    "rknn_output": OutputStruct,
    "rknn_tensor_mem": TensorMem,
}
_HANDLE = c_uint64
#: Calls by name: what they return and take. A handle is an u64.
_CALLS: Dict[str, Tuple[Any, Tuple[Any, ...]]] = {
    "rknn_init": (c_int, (POINTER(_HANDLE), c_void_p, c_uint32, c_uint32, c_void_p)),
    "rknn_dup_context": (c_int, (POINTER(_HANDLE), POINTER(_HANDLE))),
    "rknn_destroy": (c_int, (_HANDLE,)),
    "rknn_query": (c_int, (_HANDLE, c_int, c_void_p, c_uint32)),
    "rknn_set_core_mask": (c_int, (_HANDLE, c_int)),
    "rknn_inputs_set": (c_int, (_HANDLE, c_uint32, POINTER(InputStruct))),
    "rknn_run": (c_int, (_HANDLE, c_void_p)),
    "rknn_outputs_get": (c_int, (_HANDLE, c_uint32, POINTER(OutputStruct), c_void_p)),
    "rknn_outputs_release": (c_int, (_HANDLE, c_uint32, POINTER(OutputStruct))),
    "rknn_set_input_shapes": (c_int, (_HANDLE, c_uint32, POINTER(TensorAttr))),
    "rknn_create_mem": (POINTER(TensorMem), (_HANDLE, c_uint32)),
    "rknn_destroy_mem": (c_int, (_HANDLE, POINTER(TensorMem))),
    "rknn_set_io_mem": (c_int, (_HANDLE, POINTER(TensorMem), POINTER(TensorAttr))),
}
#: Calls that older runtimes do not have.
OPTIONAL = (
    "rknn_dup_context",
    "rknn_set_core_mask",
    "rknn_set_input_shapes",
    "rknn_create_mem",
    "rknn_destroy_mem",
    "rknn_set_io_mem",
)


def open_library(path: str) -> Any:
    """Return the library with the types of its calls set; raises OSError or AttributeError."""
    library = ctypes.CDLL(path)
    for name, (result, arguments) in _CALLS.items():
        if name in OPTIONAL and not hasattr(library, name):
            continue
        call = getattr(library, name)
        call.restype = result
        call.argtypes = arguments
    return library


def error_name(code: int) -> str:
    """Return the name of a return code, or its number."""
    return ERRORS.get(code, str(code))


def layout_of(struct: Any) -> Dict[str, int]:
    """Return the offset of every field of a struct, and its size as `sizeof`."""
    offsets = {field[0]: int(getattr(struct, field[0]).offset) for field in struct._fields_}
    return {"sizeof": ctypes.sizeof(struct), **offsets}


def text_of(value: Any) -> str:
    """Return a C string's text."""
    data = value if isinstance(value, bytes) else ctypes.cast(value, c_char_p).value or b""
    return data.decode("utf-8", "replace")
