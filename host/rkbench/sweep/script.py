"""The winner's recipe as a script of rknn-toolkit2 calls, with all that it reads beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

from rkbench.conversion.build import ConversionRequest, changed_onnx, file_word, job_of
from rkbench.conversion.graphs import save
from rkbench.conversion.wanted import wanted_inputs
from rkbench.files import write_whole
from rkbench.left_behind import working_folder
from rkbench.onnx.model import open_onnx
from rkbench.toolkit.apart.converter.words import config_of
from rkbench.toolkit.jobs import ConversionJob
from rkbench.variants.golden_fit import Wanted

SCRIPT = "convert.py"
#: How a script of this form says which conversion it is.
_OF = "Conversion {key}, script 1."
_HEAD = '''"""{recipe} of {onnx} for {target}, by rknn-toolkit2 {toolkit} alone; written by bench sweep.

Reads {reads}, which lie{s} beside it, and writes {output}.
{of}{told}
"""

import os
from pathlib import Path

from rknn.api import RKNN

os.chdir(Path(__file__).resolve().parent)


def check(code):
    if code not in (0, None):
        raise SystemExit(f"rknn-toolkit2 returned {{code}}")


'''
_HYBRID = """check(rknn.hybrid_quantization_step1(dataset="dataset.txt"))
(model,), (data,), (table,) = Path().glob("*.model"), Path().glob("*.data"), Path().glob("*.quantization.cfg")
layers = "".join(f"\\n    {{name}}: {{dtype}}" for name, dtype in {layers}.items())
text = table.read_text().replace("custom_quantize_layers: {{}}", f"custom_quantize_layers:{{layers}}", 1)
table.write_text(text)
rknn = RKNN()
check(rknn.hybrid_quantization_step2(str(model), str(data), str(table)))
"""


def write_script(request: ConversionRequest, key: str, folder: Path) -> Path:
    """Write the script of a conversion, its ONNX and its calibration into `folder`; return the script.

    The ONNX is as the recipe's changes leave it. What stands there whole is left as it is: `key` is the
    conversion's, of all that decides it. Raises OSError, and what reading the inputs raises.
    """
    script = folder / SCRIPT
    if _stands(script, key):
        return script
    folder.mkdir(parents=True, exist_ok=True)
    with working_folder(folder, ".script-") as temporary:
        source, onnx = changed_onnx(request, temporary)
        job = job_of(request, onnx, temporary)
        wanted = wanted_inputs(onnx, request.input_shapes or {})
        _put_onnx(onnx, folder / "model.onnx")
        _put_calibration(job, folder)
    write_whole(script, script_of(request, job, wanted, key, source.changes))  # the last: all is there
    return script


def _stands(script: Path, key: str) -> bool:
    """Return whether a script of this conversion was written before, and what it reads is there."""
    try:
        text = script.read_text(encoding="utf-8")
        reads = ["model.onnx"]
        if "dataset.txt" in text:
            reads += ["dataset.txt", *script.with_name("dataset.txt").read_text(encoding="utf-8").split()]
    except (OSError, ValueError):
        return False
    return _OF.format(key=key) in text and all((script.parent / name).exists() for name in reads)


def _put_onnx(onnx: Path, target: Path) -> None:
    """Copy an ONNX, its weights in other files too."""
    if (network := open_onnx(onnx)).external_bytes:
        save(network, target)
    else:
        shutil.copyfile(onnx, target)


def _put_calibration(job: ConversionJob, folder: Path) -> None:
    """Copy the cases, and write the list of them that the toolkit reads."""
    rows = []
    for case in job.dataset or ():
        (folder / "calibration").mkdir(exist_ok=True)
        names = [f"calibration/{path.name}" for path in case]
        for path, name in zip(case, names, strict=True):
            path.replace(folder / name)
        rows.append(" ".join(names))
    if rows:
        (folder / "dataset.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")


def script_of(
    request: ConversionRequest,
    job: ConversionJob,
    wanted: list[Wanted],
    key: str,
    changes: tuple[str, ...] = (),
) -> str:
    """Return the script's text; it reads `model.onnx` and `dataset.txt` beside it."""
    draft = request.draft
    output = f"{request.onnx.stem}.{draft.target}.{file_word(draft.name)}.rknn"
    reads = "model.onnx and dataset.txt" if draft.is_quantized else "model.onnx"
    made = "".join(f"\n{change}" for change in changes)
    head = _HEAD.format(
        recipe=draft.name,
        onnx=request.onnx.name,
        target=draft.target,
        toolkit=draft.toolkit,
        reads=reads,
        s="" if draft.is_quantized else "s",
        output=output,
        of=_OF.format(key=key),
        told=f"\n\nmodel.onnx differs from {request.onnx.name}:{made}" if made else "",
    )
    config = "".join(f", {name}={value!r}" for name, value in config_of(vars(job)).items())
    names, shapes = [each.name for each in wanted], [list(each.shape) for each in wanted]
    return (
        f"{head}rknn = RKNN()\n"
        f"check(rknn.config(target_platform={draft.target!r}{config}))\n"
        f'check(rknn.load_onnx(model="model.onnx", inputs={names!r}, input_size_list={shapes!r}))\n'
        f"{_build(job)}"
        f"check(rknn.export_rknn({output!r}))\n"
        "rknn.release()\n"
    )


def _build(job: ConversionJob) -> str:
    if job.dataset is None:
        return "check(rknn.build(do_quantization=False))\n"
    if isinstance(job.hybrid, str) or not job.hybrid:
        automatic = ", auto_hybrid=True" if job.hybrid else ""
        return f'check(rknn.build(do_quantization=True, dataset="dataset.txt"{automatic}))\n'
    return _HYBRID.format(layers=dict(job.hybrid))
