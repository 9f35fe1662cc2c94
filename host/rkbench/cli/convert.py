"""`bench convert`: one ONNX into the variants worth trying."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli import completion, options
from rkbench.cli.grouped import grouped
from rkbench.cli.voice import voice_of


@grouped
def convert(
    context: typer.Context,
    converting: options.ConvertOptions,
    pictures: options.PictureOptions,
    model: Annotated[Path | None, typer.Argument(help="The ONNX.")] = None,
    target: Annotated[
        str | None,
        typer.Option(help="The SoC, such as rk3588.", autocompletion=completion.targets),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder of the results; default: this one.")
    ] = None,
    golden: Annotated[
        Path | None, typer.Option(help="Keep what the vendor's simulator makes of its inputs, too.")
    ] = None,
    by_layer: Annotated[
        bool, typer.Option("--by-layer", help="The vendor's error of each layer, of the golden's first case.")
    ] = False,
    shows_list: Annotated[bool, typer.Option("--list", help="Explain every recipe.")] = False,
    json_file: options.JsonFile = None,
) -> int:
    """Convert an ONNX, one .rknn for each recipe.

    The vendor's toolkit makes them. Each has a .json beside it that says how it was made; what was converted
    before is not converted again.
    """
    from rkbench.conversion.recipes import ALL
    from rkbench.conversion.typed import asked_of, converted, with_layers
    from rkbench.conversion.words import ConvertWords
    from rkbench.views.convert import show_conversions, show_recipes
    from rkbench.views.output import check_not_read, check_outputs

    if shows_list:
        show_recipes(ALL)
        return 0
    check_not_read({"--json": json_file}, {"the model": model, "the golden": golden})
    check_outputs({"--json": json_file})
    words = ConvertWords(**vars(converting), **vars(pictures))
    asked = with_layers(asked_of(model, target and target.lower(), words, golden), by_layer=by_layer)
    with voice_of(context).convert_progress() as progress:
        outcome = converted(asked, output or Path(), progress, converting.jobs)
    show_conversions(outcome, json_file)
    return outcome.exit_code
