"""`bench inspect`: every byte of a .rknn explained, or an .onnx predicted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rkbench.cli import completion, options
from rkbench.cli.grouped import grouped
from rkbench.errors import UsageError

if TYPE_CHECKING:
    from rkbench.inspection.document import Inspection


@dataclass(frozen=True)
class ForWhat:
    """What an ONNX is predicted for."""

    target: Annotated[
        str | None,
        typer.Option(
            help="SoC to predict for; default: the file's, or rk3588.", autocompletion=completion.targets
        ),
    ] = None
    dtype: Annotated[
        str | None,
        typer.Option(help="fp16 or int8; default: the file's, or fp16.", autocompletion=completion.dtypes),
    ] = None
    input_shape: Annotated[
        list[str] | None,
        typer.Option(help="Sizes that the ONNX leaves open, NAME=1x3x320x320; can be repeated."),
    ] = None


@dataclass(frozen=True)
class GraphOptions:
    """The layers as a graph, and whose time overlays it."""

    graph: Annotated[
        Path | None, typer.Option(help="Write the layers as a graph for Model Explorer: FILE.json.")
    ] = None
    run: Annotated[
        str | None,
        typer.Option(
            help="With --graph: the stored run, pushed with --profile, that times them.",
            autocompletion=completion.stored,
        ),
    ] = None
    store: options.Store = None


@dataclass(frozen=True)
class ToldParts:
    """How much the terminal is told."""

    myths: Annotated[bool, typer.Option("--myths", help="Judge the popular suspects in this file.")] = False
    layers: Annotated[str, typer.Option(help="How many layers to list, or all.")] = "10"
    causes: Annotated[
        str, typer.Option(help="notable: causes of a hundredth of the file, the rest in one line; or all.")
    ] = "notable"


@grouped
def inspect(
    model: Annotated[Path, typer.Argument(help="A .rknn, or an .onnx to predict before conversion.")],
    asked: ForWhat,
    drawn: GraphOptions,
    told: ToldParts,
    onnx: Annotated[Path | None, typer.Option(help="The ONNX that the .rknn was converted from.")] = None,
    diff: Annotated[Path | None, typer.Option(help="Another .rknn to compare with.")] = None,
    json: options.JsonFile = None,
    html: Annotated[str | None, typer.Option(help="Write one self-contained page to FILE.")] = None,
    tasks: Annotated[
        str | None, typer.Option(help="Tell the NPU tasks of layers with this in their name; alone: of all.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="The ONNX: compute the .rknn here, tell the error of each layer.")
    ] = None,
) -> None:
    """Say where every byte of a .rknn is, why, and what cures it."""
    if against is not None:
        others = (onnx, asked.target, asked.dtype, diff, html, tasks, drawn.graph)
        _inspect_against(model, against, json, alone=not any(others))
        return
    from rkbench.inspection.inspect_file import Request, inspect_file
    from rkbench.views.inspect.show import show_inspection

    written = bool(json or html or drawn.graph)
    request = Request(
        model,
        onnx,
        asked.target and asked.target.lower(),
        asked.dtype,
        diff,
        digest=written,
        npu=written,
        tasks=tasks,
        input_shapes=tuple(asked.input_shape or ()),
    )
    inspection = inspect_file(request)
    if drawn.graph is not None:
        _write_graph(inspection, drawn.graph, drawn.run, drawn.store)
    elif drawn.run is not None:
        raise UsageError("--run times the layers of a graph", hint="name its file: --graph graph.json")
    show_inspection(
        inspection,
        json_to=json,
        html_to=html,
        layers=told.layers,
        causes=told.causes,
        myths=told.myths,
        read=request.files,
    )


def _write_graph(inspection: Inspection, target: Path, name: str | None, store: str | None) -> None:
    from rkbench.campaign.stored import load_run
    from rkbench.inspection.document import FileInspection
    from rkbench.views.inspect.graph import write_graph
    from rkbench.views.output import check_output

    if not isinstance(inspection, FileInspection):
        raise UsageError("--graph is of a converted file", hint="convert the ONNX first: bench convert")
    check_output(str(target))
    measured = None if name is None else load_run(store, name, inspection.file.sha256)
    for path in write_graph(inspection, target, measured):
        typer.echo(f"wrote {path}", err=True)


def _inspect_against(model: Path, onnx: Path, json: str | None, *, alone: bool) -> None:
    from rkbench.inspection.against import compare_with_onnx
    from rkbench.rknn import open_model
    from rkbench.views.inspect.against import show_against
    from rkbench.views.output import check_not_read

    if not alone:
        raise UsageError("--against stands alone, with --json at most", hint="inspect the file without it")
    check_not_read({"--json": json}, {"the model": model, "the ONNX": onnx})
    with open_model(model) as opened:
        show_against(compare_with_onnx(opened, onnx), json)
