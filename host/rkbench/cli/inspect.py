"""`bench inspect`: every byte of a .rknn explained, or an .onnx predicted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli import completion, options


def inspect(
    model: Annotated[Path, typer.Argument(help="A .rknn, or an .onnx to predict before conversion.")],
    onnx: Annotated[Path | None, typer.Option(help="The ONNX that the .rknn was converted from.")] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="SoC to predict for; default: the file's, or rk3588.", autocompletion=completion.targets
        ),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(help="fp16 or int8; default: the file's, or fp16.", autocompletion=completion.dtypes),
    ] = None,
    input_shape: Annotated[
        list[str] | None,
        typer.Option(help="Sizes that the ONNX leaves open, NAME=1x3x320x320; can be repeated."),
    ] = None,
    diff: Annotated[Path | None, typer.Option(help="Another .rknn to compare with.")] = None,
    json: options.JsonFile = None,
    html: Annotated[str | None, typer.Option(help="Write one self-contained page to FILE.")] = None,
    myths: Annotated[bool, typer.Option("--myths", help="Judge the popular suspects in this file.")] = False,
    layers: Annotated[str, typer.Option(help="How many layers to list, or all.")] = "10",
    tasks: Annotated[
        str | None, typer.Option(help="Tell the NPU tasks of layers with this in their name; alone: of all.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="The ONNX: compute the .rknn here, tell the error of each layer.")
    ] = None,
) -> None:
    """Say where every byte of a .rknn is, why, and what cures it."""
    if against is not None:
        _inspect_against(model, against, json, alone=not (onnx or target or dtype or diff or html or tasks))
        return
    from rkbench.inspection.inspect_file import Request, inspect_file
    from rkbench.views.inspect.show import show_inspection

    written = bool(json or html)
    shapes = tuple(input_shape or ())
    request = Request(
        model,
        onnx,
        target and target.lower(),
        dtype,
        diff,
        digest=written,
        npu=written,
        tasks=tasks,
        input_shapes=shapes,
    )
    show_inspection(inspect_file(request), json_to=json, html_to=html, layers=layers, myths=myths)


def _inspect_against(model: Path, onnx: Path, json: str | None, *, alone: bool) -> None:
    from rkbench.errors import UsageError
    from rkbench.inspection.against import compare_with_onnx
    from rkbench.rknn import open_model
    from rkbench.views.inspect.against import show_against

    if not alone:
        raise UsageError("--against stands alone, with --json at most", hint="inspect the file without it")
    with open_model(model) as opened:
        show_against(compare_with_onnx(opened, onnx), json)
