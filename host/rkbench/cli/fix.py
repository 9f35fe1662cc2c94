"""`bench fix`: rewrite an ONNX so that its .rknn does not bloat."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli import completion, options


def fix(
    model: Annotated[Path, typer.Argument(help="The ONNX.")],
    target: Annotated[
        str,
        typer.Option(
            help="The SoC that it will be converted for, such as rk3588.", autocompletion=completion.targets
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The ONNX to write.")],
    dtype: Annotated[
        str,
        typer.Option(help="fp16 or int8, as it will be converted.", autocompletion=completion.dtypes),
    ] = "fp16",
    inputs: Annotated[Path | None, typer.Option(help="Verify on this .npz too, not just on random.")] = None,
    toolkit: Annotated[str | None, typer.Option(help="rknn-toolkit2 version; default: newest.")] = None,
    json_file: options.JsonFile = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output file.")] = False,
) -> None:
    """Rewrite an ONNX so that its .rknn does not bloat.

    The result is verified against the original with onnxruntime, and not written if it differs.
    """
    from rkbench.onnx import fix_file
    from rkbench.views.fix import show_fix

    report = fix_file(model, target, dtype, output, inputs=inputs, force=force, toolkit_version=toolkit)
    show_fix(report, json_file)
