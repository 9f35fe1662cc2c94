"""What integer models are calibrated with: the user's own inputs, or, if asked for, random ones.

Each case becomes one .npy per input, shaped as the ONNX has it: the list of files that the toolkit reads.
Pictures become numbers as for goldens (`bench golden`), so that both see the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from rkbench.errors import GoldenError, UsageError
from rkbench.files import local_file
from rkbench.variants.golden_fit import Wanted
from rkbench.variants.golden_inputs import Case, cases_from, input_files, is_picture, random_cases
from rkbench.variants.pictures import PictureReader, Preparation

RANDOM_CASES = 20
RANDOM_SEED = 0
RANDOM = "random"


@dataclass(frozen=True)
class CalibrationInputs:
    """Where the cases come from: `inputs`, a folder or an .npz; None: random values from `seed`."""

    inputs: Path | None = None
    how: Preparation = field(default_factory=Preparation)
    cases: int | None = None
    seed: int = RANDOM_SEED

    @property
    def is_random(self) -> bool:
        """Whether nobody gave real inputs: ranges of activations are then those of noise."""
        return self.inputs is None

    @property
    def told(self) -> str:
        """Return where the cases come from, in words."""
        return RANDOM if self.inputs is None else self.inputs.name

    def digest(self) -> str:
        """Return a digest of the inputs and of what is done to them; raises GoldenError, UsageError."""
        whole = hashlib.sha256(json.dumps([asdict(self.how), self.cases, self.seed]).encode())
        for path in input_files(self.inputs) if self.inputs else []:
            whole.update(local_file(path).sha256.encode())
        return whole.hexdigest()


def calibration_of(
    inputs: Path | None, how: Preparation, *, random: bool, needed: bool, cases: int | None = None
) -> CalibrationInputs | None:
    """Return what to calibrate with; None where nothing asks for it.

    Raises UsageError where integers are asked for with neither inputs nor consent to random ones, or both.
    """
    if inputs is not None and random:
        raise UsageError("--calibration and --random-calibration contradict each other", hint="give one")
    if not needed:
        return None
    if inputs is None and not random:
        raise UsageError(
            "integers need calibration: inputs like those that the model will see",
            hint="--calibration DIR or FILE.npz; to see sizes and latencies alone: --random-calibration",
        )
    return CalibrationInputs(inputs, how, cases)


def write_cases(calibration: CalibrationInputs, wanted: list[Wanted], folder: Path) -> list[list[Path]]:
    """Write the cases into `folder`; return for each its files, in the order of `wanted`.

    Raises GoldenError, with both sides, for inputs that do not fit the ONNX, and where there is no case.
    """
    rows = []
    for number, case in enumerate(_cases(calibration, wanted)):
        paths = [folder / f"case{number}_{place}.npy" for place in range(len(wanted))]
        for path, tensor in zip(paths, wanted, strict=True):
            np.save(path, case[tensor.name])
        rows.append(paths)
    if not rows:
        raise GoldenError(f"{calibration.told}: no case to calibrate with", hint="give at least one input")
    return rows


def _cases(calibration: CalibrationInputs, wanted: list[Wanted]) -> Iterator[Case]:
    if calibration.inputs is None:
        return random_cases(wanted, calibration.seed, calibration.cases or RANDOM_CASES)
    files = input_files(calibration.inputs)
    pictures = PictureReader(wanted, calibration.how) if is_picture(files[0]) else None
    return islice(cases_from(files, wanted, calibration.cases, pictures), calibration.cases)
