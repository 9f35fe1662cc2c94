"""Make the demo's files again: `python tools/demo_models/build.py` (about 4 minutes, mostly training).

Three environments, made when missing: the project's own (this one), `.venv-demo-train` with torch, and
that of rknn-toolkit2 (`bench toolkit install`). Equal runs on equal CPUs give equal files but for the 1-2 kB
of uninitialised bytes that the toolkit leaves in every .rknn; `--onnx FILE` skips the training.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
from rkbench.onnx.convolution import convolution_of
from rkbench.onnx.rewrites import regroup
from rkbench.rknn import open_model
from rkbench.toolkit.environment import ToolkitEnvironment
from rkbench.toolkit.install import install
from rkbench.toolkit.jobs import ConversionJob, run_job
from rkbench.toolkit.versions import DEFAULT
from rkbench.variants.golden import make_golden, prepare

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DATA = ROOT / "host/rkbench/demo/data"
TARGET = "rk3588"
GOLDEN_CASES = 64
CALIBRATION_IMAGES = 64
CHANNELS_PER_GROUP = 16
TRAINING = ("torch==2.13.0", "numpy==2.4.6", "scikit-learn==1.9.1", "onnx==1.23.2", "onnxruntime==1.32.0")


@dataclass(frozen=True)
class Variant:
    """One file of the demo: its name, the ONNX it is made from, its dtype."""

    name: str
    source: str
    dtype: str


VARIANTS = (
    Variant("digits.fp16", "digits.onnx", "fp16"),
    Variant("digits.int8", "digits.onnx", "int8"),
    Variant("digits.regrouped.fp16", "digits.regrouped.onnx", "fp16"),
    Variant("digits.regrouped.int8", "digits.regrouped.onnx", "int8"),
)


def main() -> None:
    """Build everything in a temporary folder, then replace the package data."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--onnx", type=Path, help="the trained digits.onnx; the training is skipped")
    options = parser.parse_args()
    toolkit = install(DEFAULT, lambda _: None)
    trainer = training_python()
    with tempfile.TemporaryDirectory(prefix="rkbench-demo-") as name:
        folder = Path(name)
        facts = train(folder, trainer, options.onnx)
        facts["labels"] = write_images(folder, trainer)
        write_regrouped(folder)
        make_golden(
            folder / "digits.onnx",
            folder / "held_out.npz",
            folder / "onnx.npz",
            GOLDEN_CASES,
            task="classify",
        )
        facts["variants"] = [convert(folder, variant, toolkit) for variant in VARIANTS]
        write_golden(folder)
        publish(folder, facts)


def train(folder: Path, trainer: str, ready: Path | None) -> dict[str, Any]:
    """Put digits.onnx in `folder`; return what is known of its training."""
    if ready is not None:
        shutil.copy(ready, folder / "digits.onnx")
        return dict(json.loads(ready.with_suffix(".json").read_text()))
    answer = json.loads(last_line([trainer, str(HERE / "train.py"), str(folder / "digits.onnx")]))
    return dict(answer)


def write_images(folder: Path, trainer: str) -> list[int]:
    """Write the golden's images and the calibration's; return the labels of the golden's."""
    return list(json.loads(last_line([trainer, str(HERE / "images.py"), str(folder)])))


def write_regrouped(folder: Path) -> None:
    """Write digits.regrouped.onnx: groups merged, block-diagonal and exact, by the rewrite of `bench fix`.

    `bench fix` itself would choose groups of 32 here, the smallest file; 16 is the least that stays
    grouped as int8 on rk3588.
    """
    model = ir.load(folder / "digits.onnx")
    for node in model.graph:
        geometry = convolution_of(node) if node.op_type == "Conv" else None
        if geometry is not None and geometry.groups > 1:
            regroup.apply(node, CHANNELS_PER_GROUP // geometry.channels_per_group, model.graph)
    ir.save(model, folder / "digits.regrouped.onnx")


def convert(folder: Path, variant: Variant, toolkit: ToolkitEnvironment) -> dict[str, Any]:
    """Build one variant and record the simulator's outputs on the golden's inputs."""
    cases = [[path] for path in sorted((folder / "calibration").glob("*.npy"))]
    job = ConversionJob(
        folder / variant.source,
        TARGET,
        variant.dtype,
        output=folder / f"{variant.name}.rknn",
        dataset=cases if variant.dtype == "int8" else None,
        inputs=folder / "fed.npz",
        outputs=folder / f"{variant.name}.replay.npz",
    )
    answer = asdict(run_job(toolkit, job))
    return {"name": variant.name, "dtype": variant.dtype, "source": variant.source, **answer}


def write_golden(folder: Path) -> None:
    """Write golden.npz in the board's form, so that the demo need not convert and cache it."""
    with open_model(folder / f"{VARIANTS[0].name}.rknn") as model:
        shutil.copy(prepare(folder / "onnx.npz", model, folder / "cache").path, folder / "golden.npz")


def publish(folder: Path, facts: dict[str, Any]) -> None:
    """Copy the products into the package and describe them in SOURCE.md and demo.json."""
    DATA.mkdir(parents=True, exist_ok=True)
    names = ["digits.onnx", "digits.regrouped.onnx", "golden.npz"]
    names += [f"{variant.name}{end}" for variant in VARIANTS for end in (".rknn", ".replay.npz")]
    for name in names:
        shutil.copy(folder / name, DATA / name)
    (DATA / "SOURCE.md").write_text(source_text(names, facts))


def source_text(names: list[str], facts: dict[str, Any]) -> str:
    """Return SOURCE.md: how the files were made, by what versions, and their digests."""
    toolkit, accuracy = facts["variants"][0]["toolkit_version"], facts["held_out_accuracy"]
    lines = [(HERE / "SOURCE.head.md").read_text().rstrip(), "", "| made with | |", "|---|---|"]
    lines += [
        f"| training | torch {facts['torch']}, numpy {facts['numpy']}, seed fixed |",
        f"| accuracy on {facts['held_out_images']} held-out digits | {100 * accuracy:.1f} % |",
        f"| expected outputs | onnxruntime {onnxruntime.__version__} |",
        f"| conversion and replays | rknn-toolkit2 {toolkit} for {TARGET}, its simulator |",
        f"| calibration of int8 | {CALIBRATION_IMAGES} training digits |",
        "",
        "| variant | top-1 against the labels (simulator) | cosine against the ONNX |",
        "|---|---|---|",
    ]
    lines += [quality_row(variant, facts["labels"]) for variant in VARIANTS]
    lines += ["", "| file | bytes | SHA-256 |", "|---|---|---|"]
    for name in names:
        content = (DATA / name).read_bytes()
        lines.append(f"| {name} | {len(content)} | {hashlib.sha256(content).hexdigest()} |")
    return "\n".join(lines) + "\n"


def quality_row(variant: Variant, labels: list[int]) -> str:
    """Return how good a variant's recorded outputs are: computed here, from the files as they are."""
    with np.load(DATA / f"{variant.name}.replay.npz") as replay, np.load(DATA / "golden.npz") as golden:
        got = replay["outputs/logits"].reshape(GOLDEN_CASES, -1).astype(np.float64)
        expected = golden["outputs/logits"].reshape(GOLDEN_CASES, -1).astype(np.float64)
    cosine = (got * expected).sum(1) / np.linalg.norm(got, axis=1) / np.linalg.norm(expected, axis=1)
    right = int((got.argmax(1) == np.array(labels)).sum())
    closeness = f"{cosine.mean():.6f} mean, {cosine.min():.6f} lowest"
    return f"| {variant.name} | {right} of {GOLDEN_CASES} | {closeness} |"


def training_python() -> str:
    """Return the Python of the training environment, made when missing (200 MB, about a minute)."""
    python = ROOT / ".venv-demo-train/bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(python.parent.parent)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *TRAINING], check=True)
    return str(python)


def last_line(command: list[str]) -> str:
    """Run a command, its chatter going to stderr, and return the last line of its output."""
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return result.stdout.strip().splitlines()[-1]


if __name__ == "__main__":
    main()
