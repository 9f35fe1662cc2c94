"""`bench run`: outputs of a .rknn on this computer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli import options


def run(
    model: Annotated[Path, typer.Argument(help="A .rknn for rk3588, or for rk3566 and rk3568.")],
    inputs: Annotated[Path, typer.Option(help="An .npz: cases of each input, NCHW or NHWC; or a golden.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write all values to this .npz.")] = None,
    layers: Annotated[bool, typer.Option("--layers", help="Every intermediate too, layer by layer.")] = False,
    graph: options.Graph = 0,
    json_file: options.JsonFile = None,
) -> None:
    """Compute the outputs of a .rknn without a board.

    rkbench's own model of the NPU executes the file's commands; what it does not model is refused by name.
    """
    from rkbench.errors import UsageError
    from rkbench.rknn import open_model
    from rkbench.variants.computation import compute
    from rkbench.views.computation import show_computation
    from rkbench.views.output import STDOUT, check_not_read, check_outputs

    if out == Path(STDOUT):
        raise UsageError("--out -: an .npz cannot go to stdout", hint="name a file; --json - goes there")
    targets = {"--out": str(out) if out else None, "--json": json_file}
    check_not_read(targets, {"the model": model, "the inputs": inputs})
    check_outputs(targets)
    with open_model(model) as opened:
        show_computation(compute(opened, inputs, out, layers=layers, graph=graph), json_file)
