"""`bench push`: variants to a board, and back with their numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli.app import app


@app.command()
def push(
    models: Annotated[list[Path], typer.Argument(help="The .rknn files; the first is the baseline.")],
    board: Annotated[str, typer.Option(help="NAME, SoC, user@host[:port] or virtual[:rk3588|rk3568].")],
    golden: Annotated[Path | None, typer.Option(help="Inputs and expected outputs, .npz.")] = None,
    onnx: Annotated[Path | None, typer.Option(help="Compute the golden from this ONNX.")] = None,
    inputs: Annotated[Path | None, typer.Option(help="Inputs for --onnx: .npz or a folder.")] = None,
    runtime: Annotated[
        str | None, typer.Option(help="lite, capi, capi-zero-copy or virtual; default: the board's.")
    ] = None,
    cores: Annotated[str, typer.Option(help="auto, 0, 1, 2, 0-1, all, or sweep: one run each.")] = "auto",
    pin: Annotated[
        bool, typer.Option("--pin", help="Hold NPU, CPU and DDR clocks still (--pin 600MHz: NPU).")
    ] = False,
    npu_clock: Annotated[str | None, typer.Option(help="Pin the NPU at this clock, as 600MHz.")] = None,
    cool_below: Annotated[
        float | None, typer.Option(help="Wait until the board is below so many °C.")
    ] = None,
    cool_limit: Annotated[float, typer.Option(help="... for so many seconds at most.")] = 300.0,
    load_cycles: Annotated[int, typer.Option(help="Load and release so many times, to see leaks.")] = 0,
    profile: Annotated[
        bool, typer.Option("--profile", help="Time of each layer, from a run of its own.")
    ] = False,
    iterations: Annotated[int, typer.Option(help="At least so many timed iterations ...")] = 100,
    duration: Annotated[float, typer.Option(help="... and so many seconds of them.")] = 3.0,
    warmup: Annotated[int, typer.Option(help="Iterations that are not timed.")] = 5,
    scenario: Annotated[
        str, typer.Option(help="The only one so far: one inference after the other.")
    ] = "single_stream",
    baseline: Annotated[str | None, typer.Option(help="The variant to compare with.")] = None,
    interleave: Annotated[
        bool,
        typer.Option(
            "--interleave/--no-interleave", help="Measure variants in turns, or one after the other."
        ),
    ] = True,
    json_file: Annotated[str | None, typer.Option("--json", help="Write JSON to FILE, or - .")] = None,
    csv_file: Annotated[str | None, typer.Option("--csv", help="Write CSV to FILE, or - .")] = None,
    force: Annotated[bool, typer.Option(help="Send what the board cannot load, all the same.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for a board in use.")] = 0.0,
    store: Annotated[
        Path | None, typer.Option(help="The result store (default: $RKBENCH_STORE, else your data folder).")
    ] = None,
    inventory: Annotated[
        Path | None, typer.Option(help="The bench.toml to use; how it is found: README.md.")
    ] = None,
) -> int:
    """Push variants to a board, run them there, and compare."""
    given = dict(locals())
    from rkbench.campaign.settings import PushOptions, settings_of
    from rkbench.cli.pushing import Expected, push_and_show

    options = PushOptions(tuple(models), settings_of(given), golden, baseline, force, wait)
    return push_and_show(
        options,
        board,
        expected=Expected(onnx, inputs),
        json_file=json_file,
        csv_file=csv_file,
        store=store,
        inventory=inventory,
    )
