"""`bench golden`: reference inputs and outputs from an ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli import options
from rkbench.cli.grouped import grouped
from rkbench.cli.voice import say


@grouped
def golden(
    onnx: Annotated[Path, typer.Argument(help="The ONNX that the variants were converted from.")],
    pictures: options.PictureOptions,
    inputs: Annotated[
        Path | None, typer.Option(help="A .npz, or a folder of pictures, .npy or .npz; default: random.")
    ] = None,
    cases: Annotated[
        int | None, typer.Option(min=1, help="How many; default: all, or 16 random ones.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random inputs.")] = 0,
    task: Annotated[
        str | None,
        typer.Option(help="What it does: classify (then top-1 is told), detect, segment or embed."),
    ] = None,
    fill: Annotated[int, typer.Option(min=0, max=255, help="Gray of letterbox's borders.")] = 114,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Default: MODEL.golden.npz beside the ONNX.")
    ] = None,
) -> None:
    """Compute expected outputs with onnxruntime, for push --golden."""
    from rkbench.variants.golden_file import check_task
    from rkbench.variants.golden_onnx import describe, golden_beside, make_golden, ours
    from rkbench.variants.pictures import preparation

    check_task(task)
    how, place = preparation(**vars(pictures), fill=fill), ours(out or golden_beside(onnx))
    path = make_golden(onnx, inputs, place, cases, seed, task=task, how=how)
    say(describe(path))
