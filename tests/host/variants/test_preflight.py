"""Pre-flight: what a file says against being pushed, from its header alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_files import make_file_info
from peak_memory import forget_peak, peak_bytes
from rkbench.errors import ModelError, UsageError
from rkbench.rknn.targets import npu_generation
from rkbench.variants.preflight import check_soc, open_variant
from rkbench.variants.variant import prepare_variants
from rkbench_agent.wire.plan import TensorSpec

DATA = Path(__file__).parents[2] / "data"
DEMO = Path(__file__).parents[3] / "host/rkbench/demo/data"
RK3588 = make_file_info()


@pytest.mark.parametrize(
    ("soc", "generation"),
    [
        ("rk3588", "RKNPU v2"),
        ("RK3588S", "RKNPU v2"),
        ("rk3566", "RKNPU lite"),
        ("rk3568", "RKNPU lite"),
        ("rk3576", "RKNPU f2"),
        ("rk3562", "RKNPU t4"),
        ("rk3582", "RKNPU v2"),
        ("rv1126bp", "RKNPU f3"),
        ("rk3399", None),
        (None, None),
        ("", None),
    ],
)
def test_a_soc_has_its_npu(soc: str | None, generation: str | None) -> None:
    assert npu_generation(soc) == generation


@pytest.mark.parametrize("soc", ["rk3588", "rk3588s", None, "rk9999"])
def test_the_right_or_an_unknown_soc_is_let_through(soc: str | None) -> None:
    assert check_soc(RK3588, soc) is None


def test_the_generation_counts_and_not_the_name() -> None:
    lying = make_file_info(target="rk3566")
    assert check_soc(lying, "rk3588") is None
    with pytest.raises(
        ModelError, match=r"m\.rknn is compiled for rk3566 \(RKNPU v2\), the board is an rk3568"
    ):
        check_soc(lying, "rk3568")


def test_a_file_that_says_nothing_is_let_through() -> None:
    assert check_soc(make_file_info(target="", npu_generation=""), "rk3568") is None


def test_two_hundred_megabytes_of_noise_cost_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "noise.rknn"
    path.write_bytes(bytes(range(256)))
    with path.open("r+b") as file:
        file.truncate(200_000_000)
    forget_peak()
    before = peak_bytes()
    with pytest.raises(ModelError, match=r"noise\.rknn is no \.rknn file"):
        open_variant(path)
    assert peak_bytes() - before < 20_000_000


@pytest.mark.parametrize("keep", [0, 1, 23, 63, 64, 100_000])
def test_a_file_cut_anywhere_is_named_with_its_path(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "cut.rknn"
    path.write_bytes((DEMO / "digits.regrouped.int8.rknn").read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"cut\.rknn"):
        open_variant(path)


def test_what_is_no_file_is_a_mistake_of_the_command(tmp_path: Path) -> None:
    for path, words in (
        (tmp_path, "a folder"),
        (tmp_path / "none", "No such file"),
        (Path("/dev/null"), "no reg"),
    ):
        with pytest.raises(UsageError, match=words):
            open_variant(path)


def test_variants_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "m.rknn").symlink_to(DEMO / "digits.regrouped.int8.rknn")
    paths = [tmp_path / "a/m.rknn", tmp_path / "b/m.rknn"]
    assert [variant.description.name for variant in prepare_variants(paths)] == ["a/m", "b/m"]
    twice = prepare_variants([paths[0], paths[0]])
    assert [variant.description.name for variant in twice] == ["1-m", "2-m"]


def test_a_variant_is_described_by_its_header() -> None:
    (variant,) = prepare_variants([DEMO / "digits.regrouped.int8.rknn"], soc="rk3588")
    assert variant.inputs == (TensorSpec("image", [1, 32, 32, 1], "int8", "NHWC"),)
    assert variant.outputs[0].shape == [1, 10]
    assert variant.description.toolkit_version == "2.5.0"
    assert (variant.figures.npu_weight_bytes, variant.figures.npu_internal_bytes) == (369984, 106496)
    assert [file.label for file in variant.files] == [
        "digits.regrouped.int8.rknn",
        "digits.regrouped.int8.replay.npz",
    ]


def test_the_tasks_of_an_inference_are_those_of_one_core() -> None:
    (variant,) = prepare_variants([DATA / "models" / "mb_gap7_rk3588_i8.rknn"])
    # The file holds 138 tasks: the lists for two and three cores stand beside that for one.
    assert variant.figures.npu_tasks == 24
