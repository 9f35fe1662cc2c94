"""`bench push`: variants to a board, and back with their numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rkbench.cli import completion, options
from rkbench.cli.voice import voice_of

Cores = Annotated[
    str,
    typer.Option(
        help="auto, 0, 1, 2, 0-1, all, or sweep: one run each.", autocompletion=completion.core_masks
    ),
]
Pin = Annotated[bool, typer.Option("--pin", help="Hold NPU, CPU and DDR clocks still (--pin 600MHz: NPU).")]
CoolBelow = Annotated[float | None, typer.Option(help="Wait until the board is below so many °C.")]
Profile = Annotated[bool, typer.Option("--profile", help="Time of each layer, from a run of its own.")]
Scenario = Annotated[
    str,
    typer.Option(
        help="single_stream; offline: several at once; server: random arrivals; soak: hours.",
        autocompletion=completion.scenarios,
    ),
]
Placement = Annotated[
    str | None,
    typer.Option(help="Cores of the contexts, as auto,spread,all.", autocompletion=completion.placements),
]
Interleave = Annotated[
    bool,
    typer.Option("--interleave/--no-interleave", help="Measure variants in turns, or one after the other."),
]
Loads = Annotated[
    int | None, typer.Option(help="Load all variants so many times; default: 7, more for many.")
]
Precision = Annotated[
    float | None, typer.Option(help="Go on until differences are known to so many % to either side ...")
]
NoiseFloor = Annotated[
    bool, typer.Option("--noise-floor", help="Run one model beside itself: how far do equal files lie apart?")
]
MaxDuration = Annotated[
    float, typer.Option("--max-duration", help="... or a variant was timed so many seconds; 0: no limit.")
]

Require = Annotated[
    list[str] | None,
    typer.Option(help="What every run must keep, as 'cosine[scores] >= 0.999'; else exit 3."),
]
Minimize = Annotated[
    str | None,
    typer.Option(
        help="Rank variants that keep it by what is to be small, as p99.",
        autocompletion=completion.minimized,
    ),
]
Labels = Annotated[
    Path | None, typer.Option(help="What is true of the golden's cases: .txt, .npz, or COCO's .json.")
]
Metric = Annotated[str | None, typer.Option(help="Score all outputs by FILE.py:function(outputs, labels).")]


def push(
    context: typer.Context,
    models: Annotated[list[Path], typer.Argument(help="The .rknn files; the first is the baseline.")],
    board: options.BoardName,
    golden: Annotated[Path | None, typer.Option(help="Inputs and expected outputs, .npz.")] = None,
    onnx: Annotated[Path | None, typer.Option(help="Compute the golden from this ONNX.")] = None,
    inputs: Annotated[Path | None, typer.Option(help="Inputs for --onnx: .npz or a folder.")] = None,
    runtime: options.Runtime = None,
    cores: Cores = "auto",
    pin: Pin = False,
    npu_clock: Annotated[str | None, typer.Option(help="Pin the NPU at this clock, as 600MHz.")] = None,
    cool_below: CoolBelow = None,
    cool_limit: Annotated[float, typer.Option(help="... for so many seconds at most.")] = 300.0,
    load_cycles: Annotated[int, typer.Option(help="Load and release so many times, to see leaks.")] = 0,
    profile: Profile = False,
    iterations: Annotated[int, typer.Option(help="At least so many timed iterations ...")] = 100,
    duration: Annotated[str, typer.Option(help="... and so many seconds of them, or 10min, 2h.")] = "2",
    loads: Loads = None,
    quads: Annotated[int | None, typer.Option(help="Rounds A B B A of each load; default: 2.")] = None,
    effect: Annotated[float, typer.Option(help="What differs by less, in %, is no difference.")] = 2.0,
    precision: Precision = None,
    max_duration: MaxDuration = 0.0,
    noise_floor: NoiseFloor = False,
    quick: Annotated[bool, typer.Option("--quick", help="One load alone, of 12 quads.")] = False,
    warmup: Annotated[int, typer.Option(help="Iterations that are not timed.")] = 5,
    scenario: Scenario = "single_stream",
    contexts: Annotated[str | None, typer.Option(help="offline, server: how many at once, as 1,2,3.")] = None,
    placement: Placement = None,
    rate: Annotated[float | None, typer.Option(help="server: random arrivals a second.")] = None,
    find_rate: Annotated[bool, typer.Option("--find-rate", help="server: find the goodput.")] = False,
    slo: Annotated[str | None, typer.Option(help="server: what to keep, as 'p99 <= 30ms'.")] = None,
    seed: Annotated[int | None, typer.Option(help="server: another pattern of arrivals.")] = None,
    interfere_with: Annotated[Path | None, typer.Option(help="A second model at the same time.")] = None,
    require: Require = None,
    minimize: Minimize = None,
    labels: Labels = None,
    metric: Metric = None,
    baseline: options.Baseline = None,
    interleave: Interleave = True,
    json_file: options.JsonFile = None,
    csv_file: Annotated[str | None, typer.Option("--csv", help="Write CSV to FILE, or - .")] = None,
    force: Annotated[bool, typer.Option(help="Send what the board cannot load, all the same.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for a board in use.")] = 0.0,
    store: options.Store = None,
    inventory: options.Inventory = None,
) -> int:
    """Push variants to a board, run them there, and compare."""
    return _push(context, dict(locals()))


def _push(context: typer.Context, given: dict[str, Any]) -> int:
    """Push as the parameters of `push` say; returns the exit code."""
    from rkbench.campaign.push import Expected, push_to
    from rkbench.campaign.settings import PushOptions, settings_of
    from rkbench.runs.gating import exit_code, parse_minimize, parse_requirements
    from rkbench.views.output import check_outputs
    from rkbench.views.push.show import show_push

    settings, files = settings_of(given), {name: given[name] for name in ("json_file", "csv_file")}
    gates = parse_requirements(given.pop("require") or (), labelled=given["labels"] is not None)
    asked = PushOptions(
        tuple(given["models"]),
        settings,
        given["golden"],
        given["baseline"],
        given["force"],
        given["wait"],
        other=given["interfere_with"],
        gates=gates,
        requirements=gates,
        noise_floor=given["noise_floor"],
        labels=given["labels"],
        metric=given["metric"],
        minimize=parse_minimize(given["minimize"]),
        quick=given["quick"],
    )
    check_outputs({"--json": files["json_file"], "--csv": files["csv_file"]})
    expected, places = Expected(given["onnx"], given["inputs"]), {k: given[k] for k in ("store", "inventory")}
    with voice_of(context).push_progress() as progress:
        outcome = push_to(given["board"], asked, expected, progress, **places)
    show_push(outcome.runs, outcome.comparison, **files)
    if outcome.interrupted:
        raise KeyboardInterrupt
    if outcome.store_error is not None:
        raise outcome.store_error
    return exit_code(outcome.runs)
