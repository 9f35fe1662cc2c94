"""`bench golden`: reference inputs and outputs from an ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli.app import app


@app.command()
def golden(
    onnx: Annotated[Path, typer.Argument(help="the ONNX that the variants were converted from")],
    inputs: Annotated[
        Path | None, typer.Option(help=".npz, or folder of .npy/.npz; else seeded random")
    ] = None,
    cases: Annotated[
        int | None, typer.Option(min=1, help="how many cases; default all, or 16 random")
    ] = None,
    seed: Annotated[int, typer.Option(help="of random inputs")] = 0,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="default: MODEL.golden.npz beside it")
    ] = None,
) -> None:
    """Compute expected outputs with onnxruntime, for `bench push --golden`."""
    from rkbench.variants.golden_onnx import beside, describe, make_golden

    path = make_golden(onnx, inputs, out or beside(onnx), cases, seed)
    typer.echo(describe(path))
