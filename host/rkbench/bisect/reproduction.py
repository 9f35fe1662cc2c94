"""The smallest part that fails, written down for others, with its inputs and what to run."""

from __future__ import annotations

import shutil
from pathlib import Path

from rkbench.bisect.asked import BOARD, CONVERSION, QUANTIZATION, UNKNOWN_KIND, BisectOutcome, Kind, Probe
from rkbench.bisect.words import error_text
from rkbench.errors import BenchError

ONNX, RKNN, GOLDEN, README = "model.onnx", "model.rknn", "golden.npz", "README.md"
_TEXT = """# {layer} ({op}) of {network} is wrong on {board} ({target})

{fault}

| file | what it is |
|---|---|
| {onnx} | the smallest part of {network} that fails, {layers} of {all} layers |
| {rknn} | the same by rknn-toolkit2 for {target}, recipe {recipe}; {stem}.json says how |
| {golden} | its inputs (`inputs/`), and what onnxruntime makes of them (`outputs/`); NCHW |

Against onnxruntime, the worst of {cases} cases; the limit is {limit}:

{errors}

To see it again:

    bench push {rknn} --board BOARD --golden {golden} --require "{limit}"

Without rkbench: load {rknn} with rknn-toolkit-lite2 or librknnrt, feed a case of `inputs/` (four dimensions
as NHWC), and compare what comes back with the same case of `outputs/`.
"""
FAULTS: dict[Kind, str] = {
    BOARD: "The board: the vendor's simulator computes it right.",
    QUANTIZATION: "Quantization: the vendor's simulator, which has no NPU, is wrong as well.",
    CONVERSION: "The conversion: the vendor's simulator, which has no NPU, is wrong as well.",
    UNKNOWN_KIND: "Whether it is the board or the conversion is not known: the simulator says nothing of it.",
}


def save_reproduction(outcome: BisectOutcome, folder: Path) -> Path:
    """Write the reproduction of an outcome into `folder`; return it. Raises BenchError where it cannot."""
    found, probe = outcome.found, outcome.reproduction
    assert found is not None
    assert probe is not None
    files = [(probe.onnx, ONNX), (probe.golden, GOLDEN), (probe.rknn, RKNN)]
    if probe.rknn is not None:
        files += [
            (probe.rknn.with_suffix(each), Path(RKNN).stem + each)
            for each in (".json", ".log", ".replay.npz")
        ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source, name in files:
            if source is not None and source.exists():
                shutil.copyfile(source, folder / name)
        (folder / README).write_text(_readme(outcome, probe), encoding="utf-8")
    except OSError as error:
        raise BenchError(f"{folder}: {error.strerror}", hint="choose another folder: --save DIR") from error
    return folder


def _readme(outcome: BisectOutcome, probe: Probe) -> str:
    found = outcome.found
    assert found is not None
    return _TEXT.format(
        layer=found.layer.name,
        op=found.layer.op,
        network=outcome.options.onnx.name,
        board=outcome.board,
        target=outcome.target,
        recipe=outcome.recipe,
        fault=FAULTS[found.kind],
        layers=probe.layers,
        all=outcome.layer_count,
        cases=outcome.options.cases,
        limit=outcome.gate.text,
        errors="\n".join(f"- {line}" for line in (*map(error_text, probe.errors), *_failure(probe))),
        onnx=ONNX,
        rknn=RKNN,
        golden=GOLDEN,
        stem=Path(RKNN).stem,
    )


def _failure(probe: Probe) -> list[str]:
    return [f"the run failed: {probe.failure}"] if probe.failure else []
