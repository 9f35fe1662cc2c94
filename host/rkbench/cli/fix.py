"""`bench fix`: rewrite an ONNX so that its .rknn does not bloat."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli import completion, options
from rkbench.errors import UsageError

Target = Annotated[
    str | None,
    typer.Option(
        help="The SoC that it will be converted for, such as rk3588.", autocompletion=completion.targets
    ),
]
InputShape = Annotated[
    list[str] | None, typer.Option("--input-shape", help="Of an open input, as images=1x3x320x320.")
]


def fix(
    model: Annotated[Path | None, typer.Argument(help="The ONNX.")] = None,
    target: Target = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The ONNX to write.")] = None,
    dtype: Annotated[
        str,
        typer.Option(help="fp16 or int8, as it will be converted.", autocompletion=completion.dtypes),
    ] = "fp16",
    only: Annotated[list[str] | None, typer.Option(help="Only this rewrite; can be repeated.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="Not this rewrite; can be repeated.")] = None,
    shows_list: Annotated[bool, typer.Option("--list", help="Explain every rewrite.")] = False,
    inputs: Annotated[Path | None, typer.Option(help="Verify on this .npz too, not just on random.")] = None,
    input_shape: InputShape = None,
    toolkit: Annotated[str | None, typer.Option(help="rknn-toolkit2 version; default: newest.")] = None,
    json_file: options.JsonFile = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output file.")] = False,
) -> None:
    """Rewrite an ONNX so that its .rknn does not bloat.

    The result is verified against the original with onnxruntime, and not written if it differs.
    """
    from rkbench.onnx import fix as fix_file
    from rkbench.onnx import parse_input_shapes
    from rkbench.onnx.rewrites import ALL, chosen
    from rkbench.views.fix import show_fix, show_rewrites

    if shows_list:
        show_rewrites(ALL)
        return
    if model is None or target is None or output is None:
        asked = {"an ONNX": model, "--target": target, "-o": output}
        words = ", ".join(what for what, given in asked.items() if given is None)
        raise UsageError(f"still needed: {words}", hint="bench fix MODEL.onnx --target rk3588 -o FIXED.onnx")
    if output.exists() and not output.is_file() and not output.is_dir():  # it would be replaced: /dev/null
        raise UsageError(f"{output} is no regular file", hint="name a file with -o")
    show_fix(
        fix_file(
            model,
            target.lower(),
            dtype,
            output,
            inputs=inputs,
            force=force,
            toolkit_version=toolkit,
            input_shapes=parse_input_shapes(input_shape or ()),
            rewrites=chosen(only or (), without or ()),
        ),
        json_file,
    )
