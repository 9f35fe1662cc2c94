"""What the vendor's simulator made of a golden, output by output, and of which part it is the worst."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rkbench.conversion.simulated import simulator_errors
from rkbench.results.records import WorstPart
from rkbench.variants.golden_file import METADATA


def told(folder: Path, expected: np.ndarray, simulated: np.ndarray) -> WorstPart | None:
    metadata = np.array(json.dumps({"layout": "NCHW"}))
    cases = np.zeros((len(expected), 1, 2), "float32")
    np.savez(folder / "golden.npz", **{"inputs/x": cases, "outputs/y": expected, METADATA: metadata})
    np.savez(folder / "replay.npz", **{"outputs/y": simulated})
    (error,) = simulator_errors(folder / "replay.npz", folder / "golden.npz")
    assert error.snr_db is not None
    assert error.snr_db > 40
    return error.worst_part


def test_a_channel_that_is_lost_beside_a_large_one_is_named(tmp_path: Path) -> None:
    expected = np.ones((2, 1, 3, 2, 2), "float32") * np.array([1000, 1, 0], "float32").reshape(1, 1, 3, 1, 1)
    simulated = expected.copy()
    simulated[1, 0, 1] = 0.5  # in the second case alone
    assert told(tmp_path, expected, simulated) == WorstPart(1, 1, pytest.approx(10 * np.log10(8 / 1.0)))


def test_what_has_no_parts_names_none(tmp_path: Path) -> None:
    expected = np.full((2, 1, 10), 5, "float32")
    assert told(tmp_path, expected, expected + np.float32(0.001)) is None
