"""What a .rknn says of itself, made by hand."""

from __future__ import annotations

from pathlib import Path

from rkbench.rknn.contents import FileInfo


def make_file_info(
    name: str = "m.rknn",
    container_version: int = 6,
    target: str = "rk3588",
    npu_generation: str = "RKNPU v2",
    toolkit_version: str = "2.3.2",
    *,
    mini: bool = False,
) -> FileInfo:
    """Return the FileInfo of a file that is not there."""
    return FileInfo(
        Path(name),
        1000,
        container_version,
        mini,
        target,
        toolkit_version,
        compiler_version="",
        framework="ONNX",
        framework_layout=2,
        npu_generation=npu_generation,
        custom_string="",
        inference_type="static_shape",
        description="",
    )
