"""Outputs that come back: whole, piece by piece, and never more than was asked for."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rkbench.decoding.messages import decode
from rkbench.decoding.ration import Rations
from rkbench.errors import ProtocolError
from rkbench.scoring.returned import ReturnedOutputs
from rkbench_agent.run.returned import PIECE_VALUES, output_values
from rkbench_agent.wire.outputs import OutputValues
from rkbench_agent.wire.plan import RunSpec, TensorSpec

SHAPES = ([1, 3], [1, 2, PIECE_VALUES])
OUTPUTS = [TensorSpec(f"y{index}", shape, "float32") for index, shape in enumerate(SHAPES)]
CASE_BYTES = 4 * (3 + 2 * PIECE_VALUES)
SPEC = RunSpec("r", "m", "d", 1, [], OUTPUTS, returned_bytes=2 * CASE_BYTES)
PIECE = OutputValues("r", 0, 0, 0, 3, base64.b64encode(zlib.compress(bytes(12))).decode())


def cases() -> list[list[np.ndarray]]:
    random = np.random.default_rng(0)
    return [[random.standard_normal(shape).astype(np.float32) for shape in SHAPES] for _ in range(2)]


def test_what_the_agent_sends_is_what_the_host_has(tmp_path: Path) -> None:
    returned, sent = ReturnedOutputs(SPEC, tmp_path), cases()
    for number, outputs in enumerate(sent):
        assert returned.arrays() is None
        for piece in output_values("r", number, outputs):
            returned.add(piece)
    found = returned.arrays()
    assert found is not None
    for index in range(2):
        assert np.array_equal(found[f"y{index}"], np.stack([case[index] for case in sent]))


def test_honest_pieces_that_do_not_shrink_are_within_what_was_asked_for() -> None:
    from rkbench_agent.wire.codec import encode

    rations = Rations(lambda: 0.0)
    rations.ask([SPEC])
    for number, outputs in enumerate(cases()):
        for piece in output_values("r", number, outputs):
            rations.take(piece, len(encode(piece)))


def test_small_outputs_of_many_cases_are_within_it_too() -> None:
    rations = Rations(lambda: 0.0)
    small = replace(SPEC, outputs=OUTPUTS[:1], returned_bytes=1000 * 12)
    rations.ask([small])
    for number in range(1000):
        rations.take(replace(PIECE, case=number), 150)


def test_outputs_that_nobody_asked_for_and_outputs_without_end_are_refused() -> None:
    rations = Rations(lambda: 0.0)
    with pytest.raises(ProtocolError, match="more outputs than was asked for"):
        rations.take(PIECE, 100)
    rations.ask([SPEC])
    with pytest.raises(ProtocolError, match="more outputs than was asked for"):
        for _ in range(100):
            rations.take(PIECE, CASE_BYTES)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"output": 2}, "there is no such output"),
        ({"output": -1}, "there is no such output"),
        ({"case": 1}, "not the next piece"),
        ({"case": -1}, "not the next piece"),
        ({"start": 1}, "not the next piece"),
        ({"start": -1, "case": 0}, "not the next piece"),
        ({"count": 4}, "not the next piece"),
        ({"count": 0}, "not the next piece"),
        ({"count": 2}, "bytes instead of 8"),
        ({"data": "!"}, "base64"),
        ({"data": "AAAA"}, "Error -3"),
        ({"data": base64.b64encode(zlib.compress(bytes(10**7))).decode()}, "13 bytes instead of 12"),
        ({"data": ""}, "0 bytes instead of 12"),
    ],
)
def test_a_piece_that_is_not_what_was_asked_for_ends_the_run(
    tmp_path: Path, changes: dict[str, object], text: str
) -> None:
    returned = ReturnedOutputs(SPEC, tmp_path)
    with pytest.raises(ProtocolError, match=text):
        returned.add(replace(PIECE, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["case", "output", "start", "count", "data"])
@pytest.mark.parametrize(
    "value", [None, True, "", "x" * 10_000, -1, 2**63 - 1, 2**63, 10**28, 0.5, -1e308, [], {"a": 1}], ids=str
)
def test_a_lie_in_any_field_is_refused_and_nothing_else(tmp_path: Path, field: str, value: object) -> None:
    line = json.dumps({"type": "OutputValues", **vars(PIECE), field: value}).encode()
    with pytest.raises(ProtocolError):
        ReturnedOutputs(SPEC, tmp_path).add(decode(line))  # type: ignore[arg-type]  # of that type, or refused


def test_the_same_piece_twice_is_refused(tmp_path: Path) -> None:
    returned = ReturnedOutputs(SPEC, tmp_path)
    returned.add(PIECE)
    with pytest.raises(ProtocolError, match="not the next piece"):
        returned.add(PIECE)
