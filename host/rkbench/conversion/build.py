"""A draft becomes an .rknn: graph changed, calibration written, converter run, all of it kept under its key.

The key is made of what decides the result, the *changed* ONNX among it: recipes that change nothing share one
conversion. The converter's bytes differ from run to run by 1 to 2 kB that nobody wrote; the key does not.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from threading import Event

from rkbench.conversion.by_layer import read_analysis
from rkbench.conversion.calibration import CalibrationInputs, write_cases
from rkbench.conversion.draft import Draft
from rkbench.conversion.graphs import written_by
from rkbench.conversion.kept import alone, building, evict, kept_folder
from rkbench.conversion.recipes import outputs_split
from rkbench.conversion.recipes.outputs_split import joined_outputs
from rkbench.conversion.simulated import simulator_errors
from rkbench.conversion.wanted import wanted_inputs, write_fed
from rkbench.conversion.workers import RunJob
from rkbench.files import local_file, write_whole
from rkbench.left_behind import working_folder
from rkbench.results.records import SimulatorError
from rkbench.toolkit.environment import ToolkitEnvironment
from rkbench.toolkit.jobs import Answer, ConversionJob, Limits, run_job
from rkbench.variants.conversion_record import (
    CalibratedWith,
    ConversionRecord,
    JoinedOutput,
    OnnxSource,
    VendorMemory,
    read_conversion,
    record_beside,
    write_conversion,
)
from rkbench.variants.golden_split import write_split
from rkbench.variants.onnx_digest import onnx_digest

KEY_FORM = "rkbench-conversion-key/2"
ROOMS = Path(__file__).parents[1]
ANALYSIS = "model.analysis.txt"
CHANGED_BY = ("onnx", "conversion")
LONGEST_WORD = 100
_MEMORY = re.compile(r"Total (Internal|Weight) Memory Size: ([\d.]+)KB")


@dataclass(frozen=True)
class ConversionRequest:
    """One conversion that is asked for. `golden` holds the inputs that the vendor's simulator is to run."""

    onnx: Path
    draft: Draft
    environment: ToolkitEnvironment
    calibration: CalibrationInputs | None = None
    golden: Path | None = None
    input_shapes: Mapping[str, tuple[int, ...]] | None = None
    limits: Limits = field(default_factory=Limits)
    by_layer: bool = False
    """Whether the vendor is asked for the error of each layer, too."""

    @property
    def calibrated_with(self) -> CalibrationInputs | None:
        """Return the calibration where the draft needs one: floats have none."""
        return self.calibration if self.draft.is_quantized else None


@dataclass(frozen=True)
class Built:
    """A finished conversion. `fresh` is false where it had been made before."""

    draft: Draft
    rknn: Path
    record: ConversionRecord
    fresh: bool


def build(request: ConversionRequest, stop: Event | None = None, run: RunJob = run_job) -> Built:
    """Return the conversion of a request, made now or found in the cache; `stop` ends it before it is done.

    `run` carries the job out, here or elsewhere.

    Raises ConversionError, ToolkitError, and what reading the ONNX and its inputs raises. What was begun and
    not finished leaves nothing behind.
    """
    if (known := known_conversion(request)) is not None:
        return known
    with building() as folder:
        source, converted = changed_onnx(request, folder)
        key = key_of(request, source.converted_sha256)
        rknn = kept_folder() / f"{key}.rknn"
        with alone(rknn):  # two recipes may come to the same: the second finds what the first has made
            if (found := _found(rknn, request.draft)) is not None:
                write_whole(_asked(request), key)
                return found
            # Its log is kept whatever comes of it.
            job = replace(job_of(request, converted, folder), log=rknn.with_suffix(".log"))
            rknn.with_suffix(".log").unlink(missing_ok=True)
            answer = run(request.environment, job, request.limits, stop)
            record = _record(request, source, key, answer, folder)
            for name in ("model.replay.npz", "model.rknn"):
                if (folder / name).exists():
                    (folder / name).replace(rknn.with_name(name.replace("model", key)))
            write_conversion(record_beside(rknn), record)
            write_whole(_asked(request), key)
    evict(keep=rknn)
    return Built(request.draft, rknn, record, fresh=True)


def known_conversion(request: ConversionRequest) -> Built | None:
    """Return what a request was converted to before, without changing the ONNX anew; None: it was not."""
    try:
        key = _asked(request).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return _found(kept_folder() / f"{key}.rknn", request.draft)


def _asked(request: ConversionRequest) -> Path:
    """Return where the key of a request is kept: by the ONNX before its changes, and by what makes them."""
    changes = [change.word for change in request.draft.changes]
    given = json.dumps([onnx_digest(request.onnx), request.draft.toolkit, changes, _sources()])
    return kept_folder() / f"{key_of(request, hashlib.sha256(given.encode()).hexdigest())}.asked"


@cache
def _sources() -> str:
    """Return a digest of what changes an ONNX: another version may change it otherwise."""
    digest = hashlib.sha256()
    for path in sorted(path for room in CHANGED_BY for path in (ROOMS / room).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def key_of(request: ConversionRequest, converted_sha256: str) -> str:
    """Return a digest of all that decides what a conversion gives."""
    draft, used = request.draft, request.calibrated_with
    decides = {
        "form": KEY_FORM,
        "onnx": converted_sha256,
        "target": draft.target,
        "dtype": draft.dtype,
        "config": dict(sorted(draft.config.items())),
        "hybrid": draft.hybrid,
        "toolkit": request.environment.version,
        "calibration": used.digest() if used else None,
        "golden": local_file(request.golden).sha256 if request.golden else None,
        "input_shapes": dict(request.input_shapes or {}),
        **({"by_layer": True} if request.by_layer else {}),
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:32]


def changed_onnx(request: ConversionRequest, folder: Path) -> tuple[OnnxSource, Path]:
    """Return what is said of an ONNX after the draft's changes, and where it is: in `folder` if changed."""
    given, current = request.onnx, request.onnx
    told: list[str] = []
    joined: tuple[JoinedOutput, ...] = ()
    for place, change in enumerate(request.draft.changes):
        joined = joined_outputs(current) if change.word == outputs_split.WORD else joined
        target = folder / f"changed{place}.onnx"
        told += change.change(current, request.draft, target)
        current = target if target.exists() else current
    digest = onnx_digest(given)
    changed = digest if current is given else onnx_digest(current)
    return OnnxSource(given.name, digest, changed, tuple(told), joined), current


def _found(rknn: Path, draft: Draft) -> Built | None:
    record = read_conversion(rknn) if rknn.exists() else None
    if record is None:
        return None
    os.utime(rknn)  # which says that it is in use
    return Built(draft, rknn, replace(record, recipe=draft.name), fresh=False)


def job_of(request: ConversionRequest, onnx: Path, folder: Path) -> ConversionJob:
    """Return what the converter is to do with a changed ONNX; its inputs are written into `folder`."""
    draft, dataset, inputs = request.draft, None, None
    wanted = wanted_inputs(onnx, request.input_shapes or {})
    if (used := request.calibrated_with) is not None:
        cases = folder / "calibration"
        cases.mkdir()
        dataset = write_cases(used, wanted, cases)
    if request.golden is not None:
        inputs = write_fed(request.golden, wanted, folder / "fed.npz")
    return ConversionJob(
        onnx=onnx,
        target=draft.target,
        dtype=draft.dtype,
        output=folder / "model.rknn",
        dataset=dataset,
        config=draft.config,
        hybrid=draft.hybrid if isinstance(draft.hybrid, str | None) else written_by(onnx, draft.hybrid),
        input_shapes=request.input_shapes or {},
        inputs=inputs,
        outputs=folder / "model.replay.npz" if inputs else None,
        analysis=folder / ANALYSIS if inputs and request.by_layer else None,
        log=folder / "model.log",
    )


def _record(
    request: ConversionRequest, source: OnnxSource, key: str, answer: Answer, folder: Path
) -> ConversionRecord:
    draft, used = request.draft, request.calibrated_with
    rknn = local_file(folder / "model.rknn")
    return ConversionRecord(
        recipe=draft.name,
        target=draft.target,
        dtype=draft.dtype,
        toolkit_version=answer.toolkit_version,
        source=source,
        key=key,
        rknn_sha256=rknn.sha256,
        size_bytes=rknn.size_bytes,
        duration_s=answer.duration_s,
        peak_rss_bytes=answer.peak_rss_bytes,
        config=draft.config,
        hybrid=draft.hybrid,
        calibration=CalibratedWith(used.told, used.is_random, used.digest()) if used else None,
        input_shapes=request.input_shapes,
        golden_sha256=local_file(request.golden).sha256 if request.golden else None,
        memory=vendor_memory(kept_folder() / f"{key}.log"),
        simulator=_simulated(request, source, folder),
        layers=read_analysis((folder / ANALYSIS).read_text()) if (folder / ANALYSIS).exists() else (),
        log=f"{key}.log",
    )


def _simulated(request: ConversionRequest, source: OnnxSource, folder: Path) -> tuple[SimulatorError, ...]:
    replay, golden = folder / "model.replay.npz", request.golden
    if golden is None or not replay.exists():
        return ()
    if source.joined:
        write_split(golden, source.joined, folder / "golden.npz")
        golden = folder / "golden.npz"
    return simulator_errors(replay, golden)


def vendor_memory(log: Path) -> VendorMemory | None:
    """Return what the converter's log says of memory on the board; None where it says nothing."""
    if not log.exists():
        return None
    found = {kind: round(float(kb) * 1024) for kind, kb in _MEMORY.findall(log.read_text(errors="replace"))}
    if len(found) < 2:
        return None
    return VendorMemory(weight_bytes=found["Weight"], internal_bytes=found["Internal"])


def deliver(built: Built, folder: Path, stem: str) -> Path:
    """Copy a conversion, its record, replay and log from the cache to `folder`; return the .rknn there.

    The .rknn comes last: what is there under its name is whole. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = delivered_name(built.draft, stem)
    write_conversion(folder / f"{name}.json", built.record)
    with working_folder(folder, ".convert-") as temporary:  # its own: another may deliver the same here
        for suffix in (".log", ".replay.npz", ".rknn"):
            if (source := built.rknn.with_suffix(suffix)).exists():
                shutil.copyfile(source, temporary / "part").replace(folder / f"{name}{suffix}")
    return folder / f"{name}.rknn"


def delivered_name(draft: Draft, stem: str) -> str:
    """Return what the conversion of a draft is called, without suffix; `stem` is the ONNX's."""
    return f"{stem}.{draft.target}.{file_word(draft.name)}"


def file_word(recipe: str) -> str:
    """Return a recipe as a part of a file's name; one of many layers is cut, and told apart by a digest."""
    word = re.sub(r"[^\w.=-]+", "+", recipe).strip("+")
    if len(word) <= LONGEST_WORD:
        return word
    return f"{word[: LONGEST_WORD - 9]}-{hashlib.sha256(recipe.encode()).hexdigest()[:8]}"
