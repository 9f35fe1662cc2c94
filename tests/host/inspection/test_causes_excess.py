"""Taps beyond the map, and the floor below which a file is healthy: nothing large stays without a name."""

from __future__ import annotations

import struct

import pytest
from rkbench.inspection.causes import Attribution, Cause, find_causes
from rkbench.rknn import open_model
from rknn_writer import (
    CONVOLUTION,
    MODELS,
    FileSpec,
    GraphSpec,
    NodeSpec,
    TensorSpec,
    opened,
    write_model,
    write_tasks,
)

COMMAND = struct.pack("<HIH", 0x4004, 1, 0x1001)


def diagnose(spec: FileSpec) -> Attribution:
    with opened(write_model(spec)) as model:
        return find_causes(model)


def found(attribution: Attribution, code: str) -> Cause | None:
    return next((cause for cause in attribution.causes if cause.code == code), None)


def dilated(dilation: int, size: int, split: bool) -> FileSpec:
    """Return a 3x3 convolution of this dilation over a padded map, whole or in one part behind a Split."""
    padded = size + 2 * dilation
    tensors = (
        TensorSpec("x", kind="input", shape=(1, 8, size, size)),
        TensorSpec("p", shape=(1, 8, padded, padded)),
        TensorSpec("part", shape=(1, 8, padded, padded)),
        TensorSpec("w", kind="weight", shape=(8, 8, 3, 3), data=bytes(range(144)) * 8),
        TensorSpec("y", kind="output", shape=(1, 8, size, size)),
    )
    options = {"options_type": CONVOLUTION, "dilations": (dilation, dilation), "groups": 1}
    nodes = (
        NodeSpec("Pad:x_pad", "Pad", 2, (0,), (1,)),
        *((NodeSpec("Split:c", "Split", 2, (1,), (2,)),) if split else ()),
        NodeSpec("Conv:c", "Conv", 2, (2 if split else 1, 3), (4,), **options),
    )
    return FileSpec((GraphSpec(tensors, nodes, (0,), (4,)),))


@pytest.mark.parametrize("split", [False, True])
def test_taps_a_whole_map_away_are_dead(split: bool) -> None:
    cause = found(diagnose(dilated(24, 20, split)), "dead_taps")
    assert cause is not None
    assert "(c: dilation 24 on 20x20)" in cause.because
    assert cause.sections["weights"] == 8 * 8 * 2 * 8
    assert found(diagnose(dilated(20, 20, split)), "dead_taps") is not None
    assert found(diagnose(dilated(19, 20, split)), "dead_taps") is None


def test_a_map_of_one_position_has_dead_taps_without_any_dilation() -> None:
    cause = found(diagnose(dilated(1, 1, split=False)), "dead_taps")
    assert cause is not None
    assert cause.title == "kernels that reach beyond the map"
    assert cause.because.startswith("1 convolution reaches beyond the map (c: dilation 1 on 1x1)")
    assert "the size that the network is run at" in cause.fix[-1].action


def layer(kind: str, commands: int, weights: int) -> FileSpec:
    """Return a file of one layer without attributes, with this many bytes of commands and weights."""
    tensors = (
        TensorSpec("x", kind="input"),
        TensorSpec(
            "w", kind="weight", shape=(weights // 16, 8, 1, 1), data=bytes(range(256)) * (weights // 256)
        ),
        TensorSpec("y", kind="output"),
        TensorSpec(
            "regcmd", kind="register_commands", dtype="OPAQUE", shape=(), data=COMMAND * (commands // 8)
        ),
        TensorSpec("task", kind="tasks", dtype="OPAQUE", shape=(), data=write_tasks([(0, 0)])),
    )
    nodes = (NodeSpec(f"{kind}:l", kind, 2, (0, 1), (2,), (1, 0, 0, 0, 0, 0)),)
    return FileSpec((GraphSpec(tensors, nodes, (0,), (2,)),))


def test_a_large_layer_of_a_kind_that_no_rule_knows_has_a_name_too() -> None:
    attribution = diagnose(layer("Einsum", 400_000, 1024))
    cause = found(attribution, "oversized_layers")
    assert cause is not None
    assert attribution.lead == "oversized_layers"
    assert (
        "most l (Einsum: 401 kB in 1 task on one core, where 2.22 kB are needed); why is not known"
        in cause.because
    )
    assert [fix.kind for fix in cause.fix] == ["nothing"]


def test_a_file_whose_bytes_are_its_weights_is_healthy() -> None:
    attribution = diagnose(layer("Conv", 1024, 65_536))
    assert (attribution.verdict, attribution.lead) == ("healthy", None)


def test_a_normalization_owns_its_constants_whatever_its_name() -> None:
    spec = layer("exNorm", 400_000, 1024)
    cause = found(diagnose(spec), "normalization_unrolled")
    assert cause is not None
    assert cause.layers == ("l",)
    assert cause.sections["register_commands"] == 400_000 - 1152
    assert found(diagnose(layer("BatchNormalization", 400_000, 1024)), "normalization_unrolled") is None


def test_the_weights_of_an_lstm_are_no_padding_and_its_missing_projection_is_not_its_own() -> None:
    with open_model(MODELS / "lstm_h64_rk3568_fp.rknn") as model:
        attribution = find_causes(model)
    codes = [cause.code for cause in attribution.causes]
    assert codes == ["recurrent_commands", "lookup_tables", "absent_projection"]
    # The projection of 64 x 64 in two copies, and its bias of zeros is too small to look at.
    absent = attribution.causes[2]
    assert absent.sections == {"weights": 2 * 64 * 64 * 2}
    zeros = "LSTM_0_input_proj 64x64x1x1: 16.4 kB of zeros, a projection that the layer does not have"
    assert absent.evidence == (zeros,)
    assert [fix.kind for fix in absent.fix] == ["nothing"]  # a shorter sequence does not help
    assert "weights" not in attribution.causes[0].sections
    assert attribution.ordinary["weights"] > 2 * 4 * 64 * 64 * 2
    told = [line.split(" % ")[0] for line in attribution.causes[0].not_helping]
    assert told == ["int8: it takes 82 to 102"]
