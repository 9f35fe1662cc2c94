"""Real wheel, real librknnrt 1.5.2, real outputs (tier T3): the NPU's jobs are computed by rkbench.npu.

RKBENCH_ALL_NETS=1 (`make test-npu`) takes all 68 small nets instead of 24, and two of the zoo as wide as
they are.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from computed_nets import Answer, Computed, compute, expected, full, narrow, narrow_net, small
from emulated_board import BoardFactory, EmulatedBoard
from made_nets import NETS, OF_SHAPES, OF_TRANSFORMERS
from rkbench.stats.similarity import cosine
from test_push_emulated import Desk

pytestmark = [pytest.mark.emulated, pytest.mark.xdist_group("T3")]
SMALL = (
    ("dense", "rk3588", "fp16"),
    ("depthwise", "rk3588", "fp16"),
    ("residual", "rk3588", "int8"),
    ("pools", "rk3588", "int8"),
    ("gates", "rk3588", "int8"),
    ("swishes", "rk3588", "fp16"),
    ("squeeze", "rk3588", "int8"),
    ("neck", "rk3588", "fp16"),
    ("classifier", "rk3588", "int8"),
    ("depthwise", "rk3568", "fp16"),
    ("pools", "rk3568", "int8"),
    ("neck", "rk3568", "int8"),
    ("gates", "rk3568", "int8"),
    ("enlarged", "rk3588", "int8"),
    ("enlarged", "rk3568", "fp16"),
    ("repeated", "rk3588", "fp16"),
    ("repeated", "rk3568", "int8"),
    ("deconvolved", "rk3588", "int8"),
    ("pictures", "rk3588", "fp16"),
    ("pictures", "rk3568", "int8"),
    ("clipped", "rk3568", "int8"),
    ("roots", "rk3588", "fp16"),
    ("transformer", "rk3588", "fp16"),
    ("transformer", "rk3588", "int8"),
)
ALL = tuple((net.name, net.soc, net.dtype) for net in (*NETS, *OF_SHAPES, *OF_TRANSFORMERS))
WITH_ALL = bool(os.environ.get("RKBENCH_ALL_NETS"))
TAKEN = ALL if WITH_ALL else SMALL
#: librknnrt multiplies and adds in one rounding here: floats of equal int8 values differ in the last place.
FUSED = {
    (name, soc) for name in ("dense", "depthwise", "neck", "repeated") for soc in ("rk3588", "rk3568")
} | {("swishes", "rk3588")}
#: The runtime submits OutputOperator tasks for these: the NPU makes floats, with a scale in fp16.
ON_NPU = {(name, "rk3568") for name in ("residual", "gates", "swishes", "squeeze")}
MASKS = {"rk3588": ("0", "0-1", "all"), "rk3568": ()}
Answers = dict[tuple[str, str], Answer]
EW_CFG = re.compile(rb"\x70\x40(..)(.)(.)\x01\x10", re.DOTALL)
"""A command of the output stage: register, value, block."""


@pytest.fixture(scope="session")
def boards(emulated_board: BoardFactory) -> dict[str, EmulatedBoard]:
    """Both boards of tier T3."""
    return {soc: emulated_board(soc, tier="T3") for soc in MASKS}


@pytest.fixture(scope="session")
def answers(boards: dict[str, EmulatedBoard], tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What every case came to, by SoC and name."""
    found: Answers = {}
    for soc, board in boards.items():
        cases = {f"{n}.{d}": (small(n, s, d), "lite", "auto") for n, s, d in TAKEN if s == soc}
        for name, dtype in narrow.FILES:
            net = narrow_net(name, soc, dtype)
            for runtime, mask in (("lite", "auto"), ("capi", "auto"), *(("lite", m) for m in MASKS[soc])):
                if dtype == "int8" or mask == "auto":
                    cases[f"{name}.{dtype}.{runtime}.{mask}"] = (net, runtime, mask)
        cases["picture"] = (picture(soc), "lite", "auto")
        if soc == "rk3588":
            uncovered = with_unknown_bit(small("dense", soc, "int8"), tmp_path_factory.mktemp("uncovered"))
            cases |= {f"uncovered.{runtime}": (uncovered, runtime, "auto") for runtime in ("lite", "capi")}
        found |= {(soc, case): answer for case, answer in compute(board, cases).items()}
    return found


def with_unknown_bit(net: Computed, folder: Path) -> Computed:
    """Return a net whose output stage is told EW_BINARY_EN, which nobody has explained."""

    def told(command: re.Match[bytes]) -> bytes:
        low, third, high = command.groups()
        return b"\x70\x40" + low + bytes([third[0] | 1 << 4]) + high + b"\x01\x10"

    path = folder / "uncovered.rknn"
    path.write_bytes(EW_CFG.sub(told, net.path.read_bytes()))
    return Computed(path, net.inputs)


def picture(soc: str) -> Computed:
    """A net that is fed bytes: the runtime has the NPU quantize them."""
    inputs = np.random.default_rng(1).integers(0, 4, (1, 20, 20, 3)).astype("uint8")
    return Computed(small("dense", soc, "int8").path, inputs)


@pytest.mark.parametrize(("name", "soc", "dtype"), TAKEN)
def test_emulated_and_virtual_boards_compute_the_same_outputs(
    name: str, soc: str, dtype: str, answers: Answers
) -> None:
    net, answer = small(name, soc, dtype), answers[soc, f"{name}.{dtype}"]
    assert answer.exit_code == 0, answer.text
    assert "failed to submit" not in answer.text
    (there,), (here,) = answer.outputs, net.on_virtual_board
    if dtype == "int8" and (name, soc) in ON_NPU:
        step = net.step(0)
        assert np.array_equal(there, np.rint(here / step).astype("float32") * np.float32(np.float16(step)))
    elif dtype == "int8" and (name, soc) in FUSED:
        assert np.abs(there - here).max() < 1e-6
    else:
        assert np.array_equal(there, here)


@pytest.mark.parametrize("soc", MASKS)
@pytest.mark.parametrize("runtime", ["lite", "capi"])
@pytest.mark.parametrize(("name", "dtype"), [("mobilenetv2", "fp16"), ("detector", "int8")])
def test_a_classifier_and_a_detector_agree_with_onnxruntime(
    name: str, dtype: str, runtime: str, soc: str, answers: Answers
) -> None:
    wanted = expected(narrow.NETS[name]().SerializeToString(), narrow_net(name, soc, dtype).inputs)
    found = answers[soc, f"{name}.{dtype}.{runtime}.auto"].outputs
    assert min(cosine(a, b) for a, b in zip(found, wanted, strict=True)) >= 0.997


@pytest.mark.parametrize("soc", MASKS)
@pytest.mark.parametrize("runtime", ["lite", "capi"])
@pytest.mark.parametrize(("name", "dtype"), narrow.FILES)
def test_both_runtimes_compute_what_a_virtual_board_does(
    name: str, dtype: str, runtime: str, soc: str, answers: Answers
) -> None:
    found = answers[soc, f"{name}.{dtype}.{runtime}.auto"].outputs
    for there, here in zip(found, narrow_net(name, soc, dtype).on_virtual_board, strict=True):
        assert np.array_equal(there, here)


@pytest.mark.parametrize("mask", MASKS["rk3588"])
@pytest.mark.parametrize("name", ["mobilenetv2", "detector"])
def test_outputs_do_not_depend_on_the_cores(name: str, mask: str, answers: Answers) -> None:
    there = answers["rk3588", f"{name}.int8.lite.{mask}"]
    assert "failed to submit" not in there.text
    for a, b in zip(there.outputs, answers["rk3588", f"{name}.int8.lite.auto"].outputs, strict=True):
        assert np.array_equal(a, b)


def test_a_push_shows_the_outputs_that_were_computed(
    boards: dict[str, EmulatedBoard], tmp_path: Path
) -> None:
    net = small("classifier", "rk3588", "int8").path
    source = Path(shutil.copy(net.with_name("classifier.onnx"), tmp_path))
    desk = Desk(tmp_path, boards["rk3588"], net.parent)
    code, document = desk.push(net.stem, runtime="lite", options=("--onnx", source))
    (run,) = document["runs"]
    assert (code, run["failure"], run["simulated"]) == (0, None, True)
    assert {output["cosine"] >= 0.997 for output in run["outputs"]} == {True}


def test_two_and_three_cores_took_part(boards: dict[str, EmulatedBoard], answers: Answers) -> None:
    assert answers
    masks = {line.rpartition("core_mask=")[2] for line in boards["rk3588"].double_log if "SUBMIT" in line}
    assert {"0x1", "0x3", "0x7"} <= masks


@pytest.mark.parametrize("soc", MASKS)
def test_the_npu_quantizes_a_picture_of_bytes_as_the_host_does(soc: str, answers: Answers) -> None:
    (there,), (here,) = answers[soc, "picture"].outputs, picture(soc).on_virtual_board
    assert np.abs(there - here).max() < 1e-6


@pytest.mark.parametrize("runtime", ["lite", "capi"])
def test_what_is_not_modelled_is_the_runtimes_own_failure(
    runtime: str, boards: dict[str, EmulatedBoard], answers: Answers
) -> None:
    assert "failed to submit" in answers["rk3588", f"uncovered.{runtime}"].text
    assert "EW_BINARY_EN" in (boards["rk3588"].folder / "npu.log").read_text()


if WITH_ALL:  # minutes, and the toolkit's environment: not for every run

    @pytest.mark.parametrize("soc", MASKS)
    @pytest.mark.parametrize(("name", "least"), [("mobilenetv2-12", 0.997), ("yolov5n", 0.9999)])
    def test_nets_of_the_zoo_as_wide_as_they_are_agree_with_onnxruntime(
        name: str, least: float, soc: str, boards: dict[str, EmulatedBoard]
    ) -> None:
        net, source = full(name, soc)
        answer = compute(boards[soc], {name: (net, "lite", "auto")})[name]
        assert "failed to submit" not in answer.text
        wanted = expected(source, net.inputs)
        lowest = min(cosine(a, b) for a, b in zip(answer.outputs, wanted, strict=True))
        print(f"| {name} | {soc} | {lowest:.5f} |")
        assert lowest >= least
        for there, here in zip(answer.outputs, net.on_virtual_board, strict=True):
            assert cosine(there, here) > 0.9999999
