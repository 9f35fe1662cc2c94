"""What is typed of a conversion, word by word; imports nothing of the converter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".onnx"


@dataclass(frozen=True)
class ConvertWords:
    """How an ONNX is to be converted: recipes, calibration, what pictures become, the converter, its limits.

    `workers` is the scheduler of a Dask cluster that converts; None: this computer does.
    `jobs` at once, None: as many as CPU cores; `time_limit` in seconds and `memory_limit` in GB are of each.
    """

    recipe: Sequence[str] | None = None
    calibration: Path | None = None
    random_calibration: bool = False
    mean: str | None = None
    std: str | None = None
    fit: str = "exact"
    bgr: bool = False
    input_shape: Sequence[str] | None = None
    toolkit_python: Path | None = None
    workers: str | None = None
    jobs: int | None = None
    time_limit: float = 1800.0
    memory_limit: float = 8.0

    @property
    def is_said(self) -> bool:
        """Whether anything was typed."""
        return self != ConvertWords()

    @property
    def is_calibrated(self) -> bool:
        """Whether integers can be made."""
        return self.calibration is not None or self.random_calibration


def onnx_among(models: Sequence[Path]) -> tuple[Path, ...]:
    """Return those of `models` that are to be converted, each once."""
    return tuple(dict.fromkeys(model for model in models if is_onnx(model)))


def is_onnx(model: Path) -> bool:
    """Return whether a file is to be converted, by its name."""
    return model.suffix.lower() == SUFFIX
