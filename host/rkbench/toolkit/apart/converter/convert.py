"""The steps of one conversion; `__main__` says what the words of a job and of its answer are."""

from __future__ import annotations

import hashlib
import importlib.util
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from .words import config_of

Job = dict[str, Any]
Inputs = dict[str, tuple[list[int], str]]  # shape and numpy dtype by name
ELEMENT = {
    1: "float32",
    2: "uint8",
    3: "int8",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
}


class StageError(Exception):
    """The toolkit refused; `stage` says where."""

    def __init__(self, stage: str, text: str) -> None:
        super().__init__(text)
        self.stage = stage


class Stages:
    """Names and times the steps, so that a failure says where it happened."""

    def __init__(self) -> None:
        self.duration_s: dict[str, float] = {}

    @contextmanager
    def step(self, stage: str) -> Iterator[None]:
        """Time a step in seconds; what fails inside becomes a StageError of it."""
        start = time.perf_counter()
        try:
            yield
        except StageError:
            raise
        except Exception as error:  # the toolkit raises ValueError, TypeError, RuntimeError, ...
            raise StageError(stage, f"{type(error).__name__}: {error}") from error
        self.duration_s[stage] = round(time.perf_counter() - start, 3)


def convert(job: Job, folder: Path) -> dict[str, Any]:
    """Build the job's model in `folder` (the working directory); return the answer, or raise StageError."""
    stages = Stages()
    import_toolkit()  # what fails here is no refusal of a model: the environment is broken
    with ExitStack() as opened:
        with stages.step("load"):
            inputs = model_inputs(job)
            rknn = open_toolkit(job, opened)
            check("load", rknn.config(target_platform=job["target"], **config_of(job)))
            shapes = [shape for shape, _ in inputs.values()]
            check("load", rknn.load_onnx(model=job["onnx"], inputs=list(inputs), input_size_list=shapes))
        with stages.step("build"):
            rknn = build(rknn, job, inputs, folder, opened)
        with stages.step("export"):
            check("export", rknn.export_rknn("model.rknn"))
        answer: dict[str, Any] = {"ok": True, "size_bytes": (folder / "model.rknn").stat().st_size}
        if "outputs" in job:
            with stages.step("simulate"):
                answer["output_names"] = simulate(rknn, job, list(inputs))
        if "analysis" in job:
            with stages.step("analyse"):
                analyse(rknn, job, list(inputs), folder)
    if "output" in job:
        replace_file(folder / "model.rknn", Path(job["output"]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    facts = {"toolkit_version": version("rknn-toolkit2"), "peak_rss_bytes": peak}
    return {**answer, "duration_s": stages.duration_s, **facts}


def import_toolkit() -> Any:
    """Return the toolkit's class; where there is no torch, which it imports, a stand-in is found."""
    if importlib.util.find_spec("torch") is None:
        sys.path.append(str(Path(__file__).resolve().with_name("standin")))
    from rknn.api import RKNN  # type: ignore[import-not-found] # only the toolkit's environment has it

    return RKNN


def open_toolkit(job: Job, opened: ExitStack) -> Any:
    """Return a toolkit session that is released when `opened` closes."""
    rknn = import_toolkit()(verbose=bool(job.get("log")), verbose_file=job.get("log"))
    opened.callback(rknn.release)
    return rknn


def model_inputs(job: Job) -> Inputs:
    """Return shape and numpy dtype of each real input; a symbolic dimension counts as 1."""
    graph = onnx.load(job["onnx"], load_external_data=False).graph
    weights = {tensor.name for tensor in graph.initializer}
    found = {}
    for value in graph.input:
        if value.name in weights:
            continue
        kind = value.type.tensor_type
        shape = [dim.dim_value or 1 for dim in kind.shape.dim]
        found[value.name] = (
            job.get("input_shapes", {}).get(value.name, shape),
            onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name,
        )
    return found


def build(rknn: Any, job: Job, inputs: Inputs, folder: Path, opened: ExitStack) -> Any:
    """Build fp16, integers, or integers with some layers in float; return the session with the result."""
    if job.get("dtype", "fp16") == "fp16":
        check("build", rknn.build(do_quantization=False))
        return rknn
    dataset = write_dataset(job, inputs, folder)
    if job.get("hybrid") in (None, {}, "auto"):
        automatic = {"auto_hybrid": True} if job.get("hybrid") else {}
        check("build", rknn.build(do_quantization=True, dataset=dataset, **automatic))
        return rknn
    check("build", rknn.hybrid_quantization_step1(dataset=dataset))
    (model,), (data,) = folder.glob("*.model"), folder.glob("*.data")
    (table,) = folder.glob("*.quantization.cfg")
    layers = "".join(f"\n    {name}: {dtype}" for name, dtype in job["hybrid"].items())
    text = table.read_text().replace("custom_quantize_layers: {}", f"custom_quantize_layers:{layers}", 1)
    if layers not in text:
        raise StageError("build", f"no empty custom_quantize_layers in {table.name}")
    table.write_text(text)
    second = open_toolkit(job, opened)  # step 2 refuses a session that has loaded a model
    check("build", second.hybrid_quantization_step2(model.name, data.name, table.name))
    return second


def write_dataset(job: Job, inputs: Inputs, folder: Path) -> str:
    """Write the list of calibration cases that the toolkit reads; return its path."""
    cases = job.get("dataset")
    if cases is None:
        random = np.random.default_rng(job.get("seed", 0))
        cases = []
        for number in range(job.get("samples", 8)):
            paths = [str(folder / f"case{number}_{index}.npy") for index in range(len(inputs))]
            for path, (shape, dtype) in zip(paths, inputs.values(), strict=True):
                np.save(path, random.standard_normal(shape).astype(dtype))
            cases.append(paths)
    lines = [case if isinstance(case, str) else " ".join(case) for case in cases]
    (folder / "dataset.txt").write_text("\n".join(lines) + "\n")
    return str(folder / "dataset.txt")


def simulate(rknn: Any, job: Job, names: list[str]) -> list[str]:
    """Run the vendor's simulator on every case of `inputs`; write `outputs`; return the output names."""
    check("simulate", rknn.init_runtime())
    with np.load(job["inputs"]) as archive:
        fed = [archive[f"inputs/{name}" if f"inputs/{name}" in archive else name] for name in names]
    output_names = [value.name for value in onnx.load(job["onnx"], load_external_data=False).graph.output]
    digests, answers = [], []
    for case in zip(*fed, strict=True):
        arrays = [np.ascontiguousarray(array) for array in case]
        digests.append(hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest())
        result = rknn.inference(inputs=arrays)
        if result is None:
            raise StageError("simulate", "the simulator returned nothing")
        answers.append(result)
    members: dict[str, Any] = {
        f"outputs/{name}": np.stack([answer[index] for answer in answers])
        for index, name in enumerate(output_names)
    }
    members["digests"] = np.array(digests, dtype="<U64")
    members["source"] = np.array(f"rknn-toolkit2 {version('rknn-toolkit2')} simulator")
    part = Path("outputs.npz")
    np.savez_compressed(part, **members)
    replace_file(part, Path(job["outputs"]))
    return output_names


def analyse(rknn: Any, job: Job, names: list[str], folder: Path) -> None:
    """Let the toolkit hold each layer against its own float inference, on the first case; write `analysis`.

    It reads files shaped as the ONNX has them, and dumps every tensor as text: 119 MB of a MobileNet, which
    go at once.
    """
    paths = []
    with np.load(job["inputs"]) as archive:
        for place, name in enumerate(names):
            case = archive[f"inputs/{name}" if f"inputs/{name}" in archive else name][0]
            paths.append(str(folder / f"analysed{place}.npy"))
            np.save(paths[-1], case.transpose(0, 3, 1, 2) if case.ndim == 4 else case)
    dumps = folder / "snapshot"
    try:
        check("analyse", rknn.accuracy_analysis(inputs=paths, output_dir=str(dumps)))
        replace_file(dumps / "error_analysis.txt", Path(job["analysis"]))
    finally:
        shutil.rmtree(dumps, ignore_errors=True)


def check(stage: str, code: object) -> None:
    """Raise StageError unless a toolkit call returned 0 (or nothing)."""
    if code not in (0, None):
        raise StageError(stage, f"the toolkit returned {code}; its own words are on stderr")


def replace_file(source: Path, target: Path) -> None:
    """Put a finished file in its place in one step."""
    part = target.with_name(target.name + ".part")
    shutil.copyfile(source, part)
    part.replace(target)
