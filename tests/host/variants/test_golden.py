"""A user's golden becomes the board's form, or an error that shows both sides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rkbench.errors import GoldenError
from rkbench.variants.golden import (
    _cache_key,
    find_replay,
    is_board_form,
    prepare,
    with_normalisation,
    write_golden,
)
from rkbench.variants.golden_file import cases_of, layout_of, members_of
from rkbench.variants.golden_fit import Wanted, count_cases
from rkbench.variants.golden_match import Match, match
from rkbench.variants.normalisation import Normalisation
from rkbench.variants.npz import NpzReader, NpzWriter
from rknn_writer import opened, small_spec, write_model

IMAGE = Wanted("inputs", "x", (1, 2, 2, 3), "float16", nhwc=True)
CUBE = Wanted("inputs", "x", (1, 2, 2, 2), "float16", nhwc=True)
LOGITS = Wanted("outputs", "y", (1, 3), "float32")


def save(path: Path, **members: object) -> Path:
    np.savez(path, **{name.replace("__", "/"): value for name, value in members.items()})  # type: ignore[arg-type]
    return path


def matched(path: Path, *wanted: Wanted) -> Match:
    with NpzReader(path) as source:
        return match(
            wanted, members_of(source), layout_of(source), sides=f"golden {path.name} does not fit m.rknn"
        )


def prepared(path: Path, *wanted: Wanted) -> dict[str, np.ndarray]:
    target = path.with_name("board.npz")
    with NpzReader(path) as source:
        write_golden(source, match(wanted, members_of(source), layout_of(source)), target)
    with np.load(target) as archive:
        return dict(archive)


def test_an_nchw_golden_without_batch_axis_is_fed_nhwc_with_it(tmp_path: Path) -> None:
    images = np.arange(24, dtype=np.float32).reshape(2, 2, 2, 3)
    path = save(tmp_path / "g.npz", x=images, y=np.zeros((2, 3), np.float32))
    board = prepared(path, IMAGE, LOGITS)
    assert sorted(board) == ["inputs/x", "outputs/y"]
    assert board["inputs/x"].shape == (2, 1, 2, 3, 2)
    assert board["inputs/x"][0].ravel().tolist() == [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]
    assert board["outputs/y"].shape == (2, 1, 3)


def test_an_nhwc_golden_keeps_its_bytes(tmp_path: Path) -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 1, 2, 3, 2)
    path = save(tmp_path / "g.npz", inputs__x=images, outputs__y=np.zeros((2, 1, 3), np.float64))
    board = prepared(path, IMAGE, LOGITS)
    assert board["inputs/x"].dtype == np.uint8
    assert board["inputs/x"].tobytes() == images.tobytes()
    assert board["outputs/y"].dtype == np.float32


def test_an_output_in_nhwc_is_turned_to_the_models_nchw(tmp_path: Path) -> None:
    output = Wanted("outputs", "map", (1, 2, 2, 3), "float32")
    path = save(tmp_path / "g.npz", map=np.arange(12, dtype=np.float32).reshape(1, 2, 3, 2))
    assert prepared(path, output)["outputs/map"].ravel().tolist() == [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]


def test_where_both_layouts_fit_the_models_own_is_taken_and_said(tmp_path: Path) -> None:
    path = save(tmp_path / "g.npz", x=np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2))
    found = matched(path, CUBE)
    assert found.fits[0].layout == "NCHW"
    assert found.notes == ("x: NCHW and NHWC both fit; taken as NCHW, the model's own layout",)


def test_where_both_layouts_fit_the_files_other_inputs_decide(tmp_path: Path) -> None:
    other = Wanted("inputs", "z", (1, 2, 2, 3), "float16", nhwc=True)
    path = save(tmp_path / "g.npz", x=np.zeros((1, 2, 2, 2)), z=np.zeros((1, 2, 3, 2)))
    found = matched(path, CUBE, other)
    assert [fit.layout for fit in found.fits] == ["NHWC", "NHWC"]
    assert "x: NCHW and NHWC both fit; taken as NHWC, like the file's other tensors" in found.notes


def test_where_both_layouts_fit_the_metadata_decides(tmp_path: Path) -> None:
    path = save(
        tmp_path / "g.npz", x=np.zeros((1, 2, 2, 2), np.float32), metadata=np.array('{"layout": "NHWC"}')
    )
    assert matched(path, CUBE).fits[0].layout == "NHWC"
    assert matched(path, CUBE).notes == ()


def test_one_channel_is_the_same_in_both_layouts(tmp_path: Path) -> None:
    grey = Wanted("inputs", "x", (1, 1, 32, 32), "float16", nhwc=True)
    path = save(tmp_path / "g.npz", x=np.zeros((5, 32, 32), np.float32))
    assert matched(path, grey).notes == ()
    assert prepared(path, grey)["inputs/x"].shape == (5, 1, 32, 32, 1)


def test_other_names_are_matched_by_the_only_shape_that_fits(tmp_path: Path) -> None:
    path = save(
        tmp_path / "g.npz", image=np.zeros((4, 2, 2, 3), np.float32), probs=np.zeros((4, 3), np.float32)
    )
    found = matched(path, IMAGE, LOGITS)
    assert [fit.member.key for fit in found.fits] == ["image", "probs"]
    assert found.notes == (
        "image is taken for input 'x': the only one that fits",
        "probs is taken for output 'y': the only one that fits",
    )


def test_two_outputs_of_one_shape_need_names(tmp_path: Path) -> None:
    twins = [Wanted("outputs", name, (1, 3), "float32") for name in ("left", "right")]
    path = save(tmp_path / "g.npz", a=np.zeros((4, 3), np.float32), b=np.zeros((4, 3), np.float32))
    with pytest.raises(GoldenError) as caught:
        matched(path, *twins)
    assert "no member is named 'left', and the shapes do not tell which it is (a, b)" in caught.value.message
    assert caught.value.hint == "name the member outputs/left"


def test_a_mismatch_shows_both_sides(tmp_path: Path) -> None:
    path = save(tmp_path / "g.npz", x=np.zeros((4, 9, 9, 3), np.float32), y=np.zeros((4, 3), np.float32))
    with pytest.raises(GoldenError) as caught:
        matched(path, IMAGE, LOGITS)
    assert caught.value.message == (
        "golden g.npz does not fit m.rknn: x [4, 9, 9, 3] is no case of input 'x'\n"
        "  the model wants: input x [1, 2, 2, 3] float16; output y [1, 3] float32\n"
        "  the golden has:  x [4, 9, 9, 3] float32; y [4, 3] float32"
    )
    assert caught.value.hint == (
        "save N cases of 1x2x2x3 (NCHW) or NHWC as inputs/x,"
        " or make one of the model's own ONNX: bench golden MODEL.onnx"
    )


def test_different_numbers_of_cases_are_named(tmp_path: Path) -> None:
    path = save(tmp_path / "g.npz", x=np.zeros((4, 2, 2, 3), np.float32), y=np.zeros((5, 3), np.float32))
    with pytest.raises(GoldenError, match="the numbers of cases differ: x has 4, y has 5"):
        matched(path, IMAGE, LOGITS)


def test_float64_inputs_become_float32_and_it_is_said(tmp_path: Path) -> None:
    path = save(
        tmp_path / "g.npz", x=np.zeros((4, 2, 2, 3)), y=np.zeros((4, 3), np.float32), more=np.zeros(4)
    )
    assert matched(path, IMAGE, LOGITS).notes == ("not used: more", "x: float64 becomes float32")


@pytest.mark.parametrize(
    ("shape", "tensor", "cases"),
    [
        ((64, 1, 3, 4), (1, 3, 4), 64),
        ((64, 3, 4), (1, 3, 4), 64),
        ((3, 4), (1, 3, 4), 1),
        ((8, 3), (4, 3), 2),
        ((9, 3), (4, 3), 0),
        ((64, 10), (1, 10, 1, 1), 0),
        ((5,), (), 5),
        ((0, 3), (1, 3), 0),
    ],
)
def test_cases_are_counted_with_and_without_batch_axis(
    shape: tuple[int, ...], tensor: tuple[int, ...], cases: int
) -> None:
    assert count_cases(shape, tensor) == cases


def test_axes_of_length_1_may_be_missing(tmp_path: Path) -> None:
    scores = Wanted("outputs", "y", (1, 3, 1, 1), "float32")
    path = save(tmp_path / "g.npz", y=np.arange(6, dtype=np.float32).reshape(2, 3))
    assert prepared(path, scores)["outputs/y"].shape == (2, 1, 3, 1, 1)


def test_an_exact_shape_beats_one_with_axes_left_out(tmp_path: Path) -> None:
    tensor = Wanted("inputs", "x", (1, 2, 1, 2), "float16", nhwc=True)
    path = save(tmp_path / "g.npz", x=np.zeros((1, 2, 1, 2), np.float32))
    assert (matched(path, tensor).fits[0].layout, matched(path, tensor).notes) == ("NCHW", ())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\x93NUMPY\x01\x00", "is one .npy array, not an .npz archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (b"PK\x03\x04 cut", "is a damaged or cut-off archive"),
        (b"hello", "is no .npz archive"),
    ],
)
def test_what_is_no_golden_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "g.npz"
    path.write_bytes(content)
    with pytest.raises(GoldenError, match=message):
        NpzReader(path)


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "g.npz", x=np.array([{}], dtype=object))
    with pytest.raises(GoldenError, match="holds object, not plain numbers"):
        NpzReader(path)


MEAN_AND_STD = Normalisation(mean=(10.0, 20.0), std=(2.0, 4.0))


def test_inputs_from_the_onnx_are_turned_back_to_what_the_model_normalises(tmp_path: Path) -> None:
    path = save(tmp_path / "g.npz", x=np.ones((1, 2, 1, 2), np.float32))
    tensor = Wanted("inputs", "x", (1, 2, 1, 2), "int8", nhwc=True)
    found = with_normalisation(matched(path, tensor), {"x": MEAN_AND_STD}, "onnx")
    assert found.notes == (
        "x: the model normalises it (mean 10, 20, std 2, 4); turned back to x * std + mean",
    )
    with NpzReader(path) as source:
        write_golden(source, found, tmp_path / "board.npz")
    with np.load(tmp_path / "board.npz") as board:
        assert board["inputs/x"].ravel().tolist() == [12, 24, 12, 24]


def test_a_users_own_inputs_are_taken_as_raw_values_and_that_is_said(tmp_path: Path) -> None:
    path = save(tmp_path / "g.npz", x=np.ones((1, 2, 2, 3), np.uint8))
    found = with_normalisation(matched(path, IMAGE), {"x": MEAN_AND_STD}, "")
    assert (found.fits[0].undo, found.fits[0].dtype) == (None, "uint8")
    assert found.notes == ("x: the model normalises it (mean 10, 20, std 2, 4); taken as raw values",)
    assert found.assumptions == ()


def test_that_floats_are_raw_values_is_only_assumed(tmp_path: Path) -> None:
    path = save(tmp_path / "g.npz", x=np.ones((1, 2, 2, 3), np.float32))
    found = with_normalisation(matched(path, IMAGE), {"x": MEAN_AND_STD}, "")
    assert found.assumptions == ("x: the model normalises it (mean 10, 20, std 2, 4); taken as raw values",)


def test_a_guessed_layout_is_an_assumption_and_a_conversion_is_none(tmp_path: Path) -> None:
    path = save(tmp_path / "g.npz", x=np.zeros((5, 2, 2, 2)), labels=np.zeros(5))
    assert matched(path, CUBE).assumptions == (
        "x: NCHW and NHWC both fit; taken as NCHW, the model's own layout",
    )


def test_what_is_in_the_boards_form_already_is_pushed_as_it_is(tmp_path: Path) -> None:
    path = save(tmp_path / "g.npz", inputs__x=np.zeros((4, 1, 2, 3, 2), np.float32))
    with NpzReader(path) as source:
        assert is_board_form(source, matched(path, IMAGE))
    path = save(tmp_path / "g.npz", inputs__x=np.zeros((4, 2, 3, 2), np.float32))
    with NpzReader(path) as source:
        assert not is_board_form(source, matched(path, IMAGE))


def test_what_the_golden_says_of_its_making_goes_along(tmp_path: Path) -> None:
    told = np.array('{"layout": "NCHW", "source": "onnxruntime"}')
    board = prepared(save(tmp_path / "g.npz", x=np.zeros((1, 2, 2, 3)), metadata=told), IMAGE)
    assert json.loads(str(board["metadata"])) == {
        "layout": "NHWC",
        "source": "onnxruntime",
        "inputs_domain": "board",
    }


def test_what_has_its_bytes_the_other_way_round_is_turned(tmp_path: Path) -> None:
    """No runtime takes them so: `an input of type >f4 cannot be fed`."""
    path = save(tmp_path / "g.npz", inputs__x=np.arange(12, dtype=">f4").reshape(1, 1, 2, 3, 2))
    with NpzReader(path) as source:
        assert not is_board_form(source, matched(path, IMAGE))
    turned = prepared(path, IMAGE)["inputs/x"]
    assert (turned.dtype, turned.ravel().tolist()) == (np.dtype("<f4"), list(range(12)))


def test_fortran_order_is_read_right(tmp_path: Path) -> None:
    values = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    path = save(tmp_path / "g.npz", y=values)
    assert prepared(path, LOGITS)["outputs/y"].tolist() == [[[0, 1, 2]], [[3, 4, 5]]]


def test_one_case_is_in_memory_at_a_time(tmp_path: Path) -> None:
    path = save(tmp_path / "g.npz", y=np.arange(6, dtype=np.float32).reshape(2, 3))
    with NpzReader(path) as source:
        found = match([LOGITS], members_of(source))
        cases = cases_of(source, found.fits[0])
        assert next(cases).tolist() == [[0, 1, 2]]
        assert next(cases).nbytes == 12
        cases.close()


def test_equal_contents_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        with NpzWriter(tmp_path / name) as writer:
            writer.add("inputs/x", (2,), np.dtype("float32"), [np.ones(2, np.float32)])
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), NpzWriter(tmp_path / "a.npz"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_replay_is_found_beside_its_model(tmp_path: Path) -> None:
    model = tmp_path / "m.fp16.rknn"
    assert find_replay(model) is None
    (tmp_path / "m.fp16.replay.npz").touch()
    assert find_replay(model) == tmp_path / "m.fp16.replay.npz"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("key", "place"), [("inputs/x", (1, 0, 0)), ("outputs/y", 1)])
def test_a_golden_with_nan_is_refused(tmp_path: Path, key: str, place: Any, dtype: str) -> None:
    arrays = {
        "inputs/x": np.zeros((2, 3, 4, 2), dtype),
        "outputs/y": np.ones((2, 1, 5), dtype),
    }
    arrays[key][place] = np.nan
    save(tmp_path / "golden.npz", **arrays)
    wanted = (
        Wanted("inputs", "x", (1, 2, 3, 4), "float16", nhwc=True),
        Wanted("outputs", "y", (1, 5), "float16"),
    )
    with pytest.raises(GoldenError, match=f"{key}, case 1: . of .* values are NaN"):
        prepared(tmp_path / "golden.npz", *wanted)


def test_infinities_may_stand_in_inputs_and_outputs_but_not_alone(tmp_path: Path) -> None:
    save(
        tmp_path / "mask.npz",
        **{"inputs/m": np.full((1, 1, 4), -np.inf, "float32"), "outputs/y": np.ones((1, 1, 5), "float32")},
    )
    wanted = (Wanted("inputs", "m", (1, 4), "float16"), Wanted("outputs", "y", (1, 5), "float16"))
    assert prepared(tmp_path / "mask.npz", *wanted)["inputs/m"].shape == (1, 1, 4)
    masked = np.array([[[1.0, -np.inf, 2.0, np.nan, 3.0]]], "float32")
    save(tmp_path / "out.npz", **{"inputs/m": np.ones((1, 1, 4), "float32"), "outputs/y": masked})
    assert np.isneginf(prepared(tmp_path / "out.npz", *wanted)["outputs/y"][0, 0, 1])
    save(
        tmp_path / "inf.npz",
        **{"inputs/m": np.ones((1, 1, 4), "float32"), "outputs/y": np.full((1, 1, 5), np.inf, "float32")},
    )
    with pytest.raises(GoldenError, match="are NaN or infinite"):
        prepared(tmp_path / "inf.npz", *wanted)


def test_what_is_pushed_as_it_is_is_read_through_before(tmp_path: Path) -> None:
    arrays = {
        "inputs/x": np.ones((2, 1, 4, 4, 8), "float32"),
        "outputs/z": np.ones((2, 1, 8, 1, 1), "float32"),
    }
    with opened(write_model(small_spec())) as model:
        assert prepare(save(tmp_path / "good.npz", **arrays), model).path == tmp_path / "good.npz"
        arrays["outputs/z"][:] = np.nan
        with pytest.raises(GoldenError, match="outputs/z, case 0: 8 of 8 values are NaN"):
            prepare(save(tmp_path / "nan.npz", **arrays), model)


def test_fractions_for_an_input_of_whole_numbers_are_refused(tmp_path: Path) -> None:
    wanted = (Wanted("inputs", "ids", (1, 4), "int64"), LOGITS)
    outputs = np.ones((1, 1, 3), "float32")
    save(tmp_path / "g.npz", inputs__ids=np.ones((1, 1, 4), "float32"), outputs__y=outputs)
    with pytest.raises(GoldenError, match="inputs/ids is float32, input 'ids' is int64"):
        prepared(tmp_path / "g.npz", *wanted)
    save(tmp_path / "g.npz", inputs__ids=np.ones((1, 1, 4), "int64"), outputs__y=outputs)
    assert prepared(tmp_path / "g.npz", *wanted)["inputs/ids"].dtype == np.int64


def test_quantized_outputs_are_turned_into_real_numbers_by_the_files_scale(tmp_path: Path) -> None:
    wanted = (
        Wanted("inputs", "x", (1, 4), "int8"),
        Wanted("outputs", "y", (1, 3), "int8", scale=0.5, zero_point=-128),
    )
    arrays = {"inputs/x": np.ones((1, 1, 4), "float32"), "outputs/y": np.array([[[-128, 0, 127]]], "int8")}
    save(tmp_path / "g.npz", **arrays)
    found = prepared(tmp_path / "g.npz", *wanted)["outputs/y"]
    assert (found.dtype, found.tolist()) == (np.dtype("float32"), [[[0.0, 64.0, 127.5]]])


def test_quantized_outputs_without_a_scale_and_complex_ones_are_refused(tmp_path: Path) -> None:
    inputs = {"inputs/x": np.ones((1, 1, 4), "float32")}
    wanted = (Wanted("inputs", "x", (1, 4), "float16"), Wanted("outputs", "y", (1, 3), "float16"))
    save(tmp_path / "q.npz", **inputs, **{"outputs/y": np.zeros((1, 1, 3), "int8")})
    with pytest.raises(GoldenError, match="outputs/y is int8, quantized as it seems"):
        prepared(tmp_path / "q.npz", *wanted)
    save(tmp_path / "c.npz", **inputs, **{"outputs/y": np.zeros((1, 1, 3), "complex64")})
    with pytest.raises(GoldenError, match="outputs/y is complex64"):
        prepared(tmp_path / "c.npz", *wanted)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16"])
def test_outputs_of_another_quantization_than_the_files_are_refused(tmp_path: Path, dtype: str) -> None:
    """An int8 output's zero point would move those of uint8 by half their range."""
    wanted = (Wanted("inputs", "x", (1, 4), "int8"), Wanted("outputs", "y", (1, 3), "int8", scale=0.5))
    save(tmp_path / "g.npz", inputs__x=np.ones((1, 1, 4), "float32"), outputs__y=np.ones((1, 1, 3), dtype))
    with pytest.raises(GoldenError, match=f"outputs/y is {dtype}, .* 'y' is int8 in the file"):
        prepared(tmp_path / "g.npz", *wanted)


@pytest.mark.parametrize("values", [[1e-60, 0.0, 2e-60], [1.0, 2.0, 1e300]])
def test_values_that_float32_cannot_hold_are_refused_and_not_compared_as_zero(
    tmp_path: Path, values: list[float]
) -> None:
    wanted = (Wanted("inputs", "x", (1, 4), "float16"), LOGITS)
    save(tmp_path / "g.npz", inputs__x=np.ones((1, 1, 4), "float32"), outputs__y=np.array([[values]]))
    with pytest.raises(GoldenError, match="outputs/y: values of float64 up to"):
        prepared(tmp_path / "g.npz", *wanted)
    mixed = [1e-60, 0.0, -1.5]
    save(tmp_path / "g.npz", inputs__x=np.ones((1, 1, 4), "float32"), outputs__y=np.array([[mixed]]))
    assert prepared(tmp_path / "g.npz", *wanted)["outputs/y"].ravel().tolist() == [0.0, 0.0, -1.5]


@pytest.mark.parametrize(
    ("extra", "classes"),
    [
        ({}, False),
        ({"labels": np.array([3])}, True),
        ({"metadata": np.array('{"task": "classify"}')}, True),
        ({"metadata": np.array('{"task": "embed"}'), "labels": np.array([3])}, False),
    ],
)
def test_only_a_golden_that_says_so_holds_classes(tmp_path: Path, extra: Any, classes: bool) -> None:
    arrays = {
        "inputs/x": np.ones((1, 1, 4, 4, 8), "float32"),
        "outputs/z": np.ones((1, 1, 8, 1, 1), "float32"),
    }
    with opened(write_model(small_spec())) as model:
        assert prepare(save(tmp_path / "g.npz", **arrays, **extra), model).classes is classes


def test_models_that_normalise_differently_do_not_share_a_prepared_golden(tmp_path: Path) -> None:
    save(
        tmp_path / "g.npz", inputs__x=np.zeros((1, 1, 4), "float32"), outputs__y=np.ones((1, 1, 3), "float32")
    )
    wanted = [Wanted("inputs", "x", (1, 4), "float32"), LOGITS]
    with NpzReader(tmp_path / "g.npz") as source:
        plain = match(wanted, members_of(source))
        turned = with_normalisation(plain, {"x": Normalisation((1.0,), (2.0,))}, "onnx")
        assert _cache_key(tmp_path / "g.npz", plain) != _cache_key(tmp_path / "g.npz", turned)
