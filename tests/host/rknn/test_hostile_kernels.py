"""Kernels whose shapes no converter writes: the file is read, and no cause counts beyond what is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rkbench.inspection.inspect_file import Request, inspect_file
from rkbench.views.inspect.console import render_console
from rkbench.views.inspect.json import render_json
from rknn_writer import FileSpec, small_spec, write_model

LARGE = 2**31 - 1
SHAPES = (
    (),
    (0,),
    (8,),
    (8, 8),
    (8, 8, 1),
    (0, 0, 0, 0),
    (1, 0, 1, 1),
    (512, 0, 3, 3),
    (LARGE, LARGE, LARGE, LARGE),
    (1, LARGE, 1, 1),
    (64, 64, 0, 3),
    (8, 8, 1, 1, 1, 1, 1),
)


def with_kernel(shape: tuple[int, ...], native: tuple[int, ...], version: int) -> FileSpec:
    """Return the small model whose weights and compiler constants have these shapes."""
    spec = small_spec(version)
    (graph,) = spec.graphs
    tensors = tuple(
        replace(tensor, shape=shape, native_shape=native)
        if tensor.kind in ("weight", "compiler_constant")
        else tensor
        for tensor in graph.tensors
    )
    return replace(spec, graphs=(replace(graph, tensors=tensors),))


@pytest.mark.parametrize("version", [1, 2, 4, 6])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_kernel_of_any_shape_is_shown(shape: tuple[int, ...], version: int, tmp_path: Path) -> None:
    path = tmp_path / "m.rknn"
    for native in ((), shape, (1, 0, 8, 1)):
        path.write_bytes(write_model(with_kernel(shape, native, version)))
        document = inspect_file(Request(path))
        assert sum(cause.bytes for cause in document.causes) <= path.stat().st_size
        assert "conv" in render_console(document).lower()
        assert render_json(document).startswith("{")
