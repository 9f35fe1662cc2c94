"""Every branch of the inspect views, rendered from shipped samples and from documents made by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache, partial
from html import unescape
from pathlib import Path
from typing import Any

from inspect_samples import MODELS, sample_inspection
from rkbench.inspection.answers import (
    ChangeAnswer,
    FourAnswers,
    LayerElsewhere,
    PoolingAnswer,
    PoolingConvolution,
    PrecisionAnswer,
    SizeAnswer,
)
from rkbench.inspection.diff_document import CauseChange, ContentDiff, FileDiff, LayerChange, NodeChange
from rkbench.inspection.document import FileInspection, Inspection
from rkbench.inspection.inspect_file import Request, inspect_file
from rkbench.inspection.onnx_comparison import add_onnx
from rkbench.onnx import Prediction
from rkbench.views.inspect.console import render_console
from rkbench.views.inspect.html import render_html

PREDICTED = (
    ("bloat3M_groupconv_cpg4", "rk3588", "fp16"),
    ("bloat3M_groupconv_cpg4", "rk3568", "fp16"),
    ("bloat3M_groupconv_cpg4", "rv1103", "int8"),
    ("chshuffle6", "rk3588", "int8"),
    ("const_ofshape_concat", "rk3588", "fp16"),
    ("dw_dilated", "rk3588", "fp16"),
    ("dwm_c512_m2", "rk3588", "fp16"),
    ("g1_c512_cpg4", "rk3568", "fp16"),
)
BESIDE = (
    ("chshuffle6_rk3588_fp", "chshuffle6"),
    ("const_ofshape_concat_rk3588_fp", "const_ofshape_concat"),
    ("dw_dilated_rk3588_fp", "dw_dilated"),
    ("g1_c512_cpg4_rk3568_fp", "g1_c512_cpg4"),
    ("g1_c512_cpg4_rk3568_fp", "bloat3M_groupconv_cpg4"),
)
COMPARED = (
    ("mb_gap7_rk3588_i8", "hybrid_some_rk3588"),
    ("grouped_c64_g16_rk3588_fp", "grouped_c64_g16_rk3568_i8"),
    ("mb_gap7_rk3588_i8", "mb_gap7_rk3588_i8"),
)
Render = Callable[[int], str]


def inspect_snapshots() -> dict[str, Render]:
    """Return what is rendered, by the name of its file: text at any width."""
    found = {
        f"inspect/file_{name}": _file(name) for name in sorted(path.stem for path in MODELS.glob("*.rknn"))
    }
    for name, target, dtype in PREDICTED:
        request = Request(MODELS / f"{name}.onnx", target=target, dtype=dtype)
        found[f"inspect/predicted_{name}_{target}_{dtype}"] = _shown(
            lambda request=request: inspected(request)
        )
    for name, onnx in BESIDE:
        request = Request(MODELS / f"{name}.rknn", onnx=MODELS / f"{onnx}.onnx", digest=False)
        found[f"inspect/onnx_{name}_{onnx}"] = _shown(partial(only_onnx, request))
    for name, other in COMPARED:
        request = Request(MODELS / f"{name}.rknn", other=MODELS / f"{other}.rknn", digest=False)
        found[f"inspect/diff_{name}_{other}"] = _shown(partial(only_diff, request))
    made = {"unstated": unstated, "crowded": crowded, "artefact": artefact, "many_changes": many_changes}
    found |= {f"inspect/made_{name}": _shown(make) for name, make in made.items()}
    pages = {"file": full_page, "crowded": crowded, "unstated": unstated, "predicted": predicted_page}
    return found | {f"inspect/page_{name}": _page(make) for name, make in pages.items()}


def inspected_samples() -> list[Inspection]:
    """Return every inspection that is made of a sample, alone, beside its ONNX, against another."""
    found: list[Inspection] = [sample_inspection(path.stem) for path in sorted(MODELS.glob("*.rknn"))]
    found += [
        inspected(Request(MODELS / f"{name}.onnx", target=target, dtype=dtype))
        for name, target, dtype in PREDICTED
    ]
    return [*found, full_page()]


def inspected(request: Request) -> Inspection:
    """Return an inspection, its paths without the folder that this checkout lies in."""
    return _relative(_inspected(request))


_inspected = cache(inspect_file)


def _relative(value: Any) -> Any:
    """Return the value with the samples' folder cut off every text in it."""
    if isinstance(value, str):
        return value.replace(f"{MODELS}/", "")
    if isinstance(value, tuple):
        return tuple(map(_relative, value))
    if hasattr(value, "__dataclass_fields__"):
        return replace(
            value, **{name: _relative(getattr(value, name)) for name in value.__dataclass_fields__}
        )
    return value


def _shown(make: Callable[[], Inspection]) -> Render:
    return lambda width: render_console(make(), width, layers=3, myths=True)


def _file(name: str) -> Render:
    return lambda width: render_console(sample_inspection(name), width, layers=3, myths=True)


def _page(make: Callable[[], Inspection]) -> Render:
    """Render what a reader without scripts sees of the page, a line for each element."""

    def text(_: int) -> str:
        body = render_html(make()).split("<main>")[1].split("</main>")[0]
        lines = re.split(r"</?(?:h\d|p|div|li|ul|summary|details|tr|footer|pre|span|td|th)\b[^>]*>", body)
        shown = (unescape(re.sub(r"<[^>]+>", "", line)).strip() for line in lines)
        return "\n".join(line for line in shown if line) + "\n"

    return text


def only_onnx(request: Request) -> Inspection:
    """Return the answer and the ONNX: the rest is another snapshot's."""
    inspection = inspected(request)
    return replace(_bare(inspection), onnx=inspection.onnx)


def only_diff(request: Request) -> Inspection:
    """Return the answer and the comparison."""
    inspection = inspected(request)
    return replace(_bare(inspection), diff=inspection.diff)


def _bare(inspection: Inspection) -> Inspection:
    empty = dict.fromkeys(("inputs", "outputs", "layers", "causes", "myths"), ())
    names = [each.name for each in fields(Inspection) if each.name not in empty]
    said = {name: getattr(inspection, name) for name in ("schema", "sentence", "verdict")}
    return Inspection(**{**dict.fromkeys(names), **empty, **said})


def unstated() -> FileInspection:
    """Return a file that says next to nothing of itself, and nothing of its memory."""
    known = sample_inspection("gru_h16_rk3588_fp")
    file = replace(known.file, target=None, toolkit_version=None, mini=True, container_version=1)
    memory = replace(known.memory, weight_bytes=None, total_bytes=None, share_of_2_gb_board=None)
    layers = tuple(replace(layer, dtype=None, graph=1) for layer in known.layers)
    tensors = tuple(replace(tensor, dtype=None) for tensor in known.inputs)
    return replace(known, file=file, memory=memory, layers=layers, inputs=tensors)


def crowded() -> FileInspection:
    """Return a file with more of everything than is listed, that hardly fits a board."""
    known = sample_inspection("mb_gap7_rk3588_i8")
    pooling = tuple(
        PoolingConvolution(f"Pool_{i}_2conv0", f"Pool_{i}", (7, 7), 512, 29_184) for i in range(14)
    )
    floats = tuple(LayerElsewhere(f"Conv_{i}", "Conv", 5_632, "it follows a float layer") for i in range(7))
    cpu = tuple(LayerElsewhere(f"Erf_{i}", "Erf", 0, "the NPU has no such operator") for i in range(7))
    answers = FourAnswers(
        PoolingAnswer("14 convolutions, from averages in 14 layers: kernels up to 7x7.", pooling),
        PrecisionAnswer("7 layers stayed float; 7 layers on the CPU.", floats, cpu),
        SizeAnswer(known.sentence, (known.sentence,)),
        ChangeAnswer("Nothing is known that cures it.", ()),
    )
    memory = replace(known.memory, total_bytes=900_000_000, share_of_2_gb_board=0.45)
    return replace(known, memory=memory, answers=answers)


def artefact() -> Inspection:
    """Return a healthy file that is large beside an ONNX of half precision, which is small on a board."""
    prediction = Prediction(
        "rk3588", "fp16", None, 200_000, {"FLOAT16": 90_000, "FLOAT": 10_000}, (), 210_000, 0, 10_000,
        210_000, 110_000, 10_000, 10_000, ("90000 weights are stored in 16 bits.",),
        file_bytes_low=210_000, file_bytes_high=230_000,
    )  # fmt: skip
    inspection = add_onnx(sample_inspection("mb_gap7_rk3588_i8"), Path("halved.onnx"), prediction)
    return replace(_bare(inspection), onnx=inspection.onnx)


def many_changes() -> Inspection:
    """Return a comparison with more changes than are listed."""
    layers = (
        *(LayerChange(f"Conv:{i}", 1_000 * i, 500, "FLOAT16", "INT8") for i in range(1, 22)),
        LayerChange("Conv:gone", 70_000, None, "FLOAT16", None),
        LayerChange("Conv:new", None, 90_000, None, "INT8"),
    )
    diff = FileDiff(
        other="b.rknn",
        other_bytes=1_000_000,
        sentence="b.rknn is 500 kB smaller; 21 constants hold other bytes, 23 layers differ.",
        size_difference_bytes=-500_000,
        same_weights=False,
        sections={"weights": -400_000, "structure": -100_000, "tasks": 40},
        file={"target": ("rk3588", ""), "toolkit_version": ("2.3.2", "2.5.0")},
        layers=layers,
        contents=tuple(ContentDiff(f"w{i}", "weight", 64, 64) for i in range(21)),
        causes=(CauseChange("padding", "padding of channels", 40_000, None),),
        nodes=tuple(_node(layer) for layer in reversed(layers)),
    )
    return replace(_bare(sample_inspection("mb_gap7_rk3588_i8")), diff=diff)


def _node(layer: LayerChange) -> NodeChange:
    """Return a layer as a node that became four of it, or of which a file has none."""
    return NodeChange(
        layer.name.removeprefix("Conv:"),
        layer.before_bytes,
        layer.after_bytes,
        4 if layer.before_bytes is not None else 0,
        1 if layer.after_bytes is not None else 0,
        layer.before_dtype,
        layer.after_dtype,
        "NPU" if layer.before_bytes is not None else None,
        "CPU and NPU" if layer.after_bytes is not None else None,
    )


def full_page() -> Inspection:
    """Return a file with its ONNX beside it and another against it."""
    request = Request(
        MODELS / "g1_c512_cpg4_rk3568_fp.rknn",
        onnx=MODELS / "g1_c512_cpg4.onnx",
        other=MODELS / "grouped_c64_g16_rk3568_i8.rknn",
    )
    return inspected(request)


def predicted_page() -> Inspection:
    """Return an ONNX alone."""
    return inspected(Request(MODELS / "dwm_c512_m2.onnx", target="rk3588", dtype="fp16"))
