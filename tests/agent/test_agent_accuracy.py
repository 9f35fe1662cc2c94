"""Output errors against hand-computed values, and goldens read row by row."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any, List

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rkbench_agent.errors import NpzError, ShapeMismatchError
from rkbench_agent.run.accuracy import output_error
from rkbench_agent.run.golden import Golden
from rkbench_agent.run.output_watch import OutputWatch
from rkbench_agent.run.part_sums import PartSums
from rkbench_agent.runtimes.npz import NpzFile
from rkbench_agent.runtimes.replay import Replay, input_digest
from rkbench_agent.wire.outputs import OutputCheck, OutputError, part_axis
from rkbench_agent.wire.plan import TensorSpec


def error_of(actual: Any, expected: Any, classes: bool = True) -> OutputError:
    """Return the error between two arrays, of classes unless told otherwise."""
    arrays = np.asarray(actual, np.float32), np.asarray(expected, np.float32)
    return output_error("r", 0, 0, "y", *arrays, classes=classes)


def test_every_figure_of_a_small_output() -> None:
    error = error_of([[3.0, 4.0]], [[4.0, 3.0]])
    assert error.cosine == pytest.approx(24 / 25, abs=1e-15)
    assert (error.max_abs_error, error.mean_abs_error, error.mse) == (1.0, 1.0, 1.0)
    assert error.snr_db == pytest.approx(10.969100130080564)
    assert (error.top1_agreement, error.top5_agreement) == (False, None)
    assert (error.shape, error.dtype) == ([1, 2], "float32")


def test_equal_outputs_have_an_infinite_snr() -> None:
    error = error_of([[1.0, 2.0]], [[1.0, 2.0]])
    assert (error.cosine, error.max_abs_error, error.mse) == (1.0, 0.0, 0.0)
    assert (error.snr_db, error.snr_infinite) == (None, 1)


@pytest.mark.parametrize("scale", [1e200, 1e-200, 1e-310, 1e307, 1e-100, 1e100])
def test_figures_of_float64_need_no_squares_that_it_holds(scale: float) -> None:
    actual, expected = np.array([[3.0, 4.0, np.inf]]) * scale, np.array([[4.0, 3.0, np.inf]]) * scale
    error = output_error("r", 0, 0, "y", actual, expected)
    assert error.cosine == pytest.approx(24 / 25, rel=1e-9)
    assert (error.snr_db, error.snr_infinite) == (pytest.approx(10.969100130080564, rel=1e-9), 0)
    assert error.max_abs_error == pytest.approx(scale, rel=1e-9)
    assert error.mean_abs_error == pytest.approx(scale, rel=1e-9)
    assert error.mse == (None if scale > 1e154 else pytest.approx(scale * scale, rel=1e-9, abs=0))
    sums = PartSums((1, 3))
    sums.add(actual, expected)
    assert sums.message("r", 0).max_abs_error == [pytest.approx(scale, rel=1e-5)]


def test_an_error_that_float64_does_not_hold_is_unknown() -> None:
    error = output_error("r", 0, 0, "y", np.array([[1.7e308]]), np.array([[-1.7e308]]))
    assert (error.max_abs_error, error.mse, error.cosine) == (None, None, -1.0)
    assert error.snr_db == pytest.approx(-6.0206, abs=1e-4)


def test_a_part_whose_error_has_no_square_has_no_snr() -> None:
    sums = PartSums((1, 2))
    sums.add(np.array([[1e200, 0.0]]), np.array([[1.0, 0.0]]))
    assert sums.message("r", 0).snr_db == [None]


def test_garbage_where_zero_is_expected_has_nothing_in_common_with_it() -> None:
    garbage = error_of([[994.0, -3.0]], [[0.0, 0.0]])
    assert (garbage.cosine, garbage.max_abs_error) == (0.0, 994.0)
    assert (garbage.snr_db, garbage.snr_infinite) == (None, -1)


def test_zero_where_something_is_expected_has_nothing_in_common_with_it() -> None:
    error = error_of([[0.0, 0.0]], [[1.0, 2.0]])
    assert (error.cosine, error.snr_db, error.snr_infinite) == (0.0, 0.0, 0)


def test_two_outputs_that_are_all_zero_are_equal() -> None:
    error = error_of([[0.0, 0.0]], [[0.0, 0.0]])
    assert (error.cosine, error.snr_db, error.snr_infinite) == (1.0, None, 1)


def test_nan_and_infinities_are_counted_and_leave_the_rest_unknown() -> None:
    error = error_of([[np.nan, 1.0, np.inf, -np.inf]], [[1.0, 1.0, 1.0, 1.0]])
    assert (error.nan_count, error.inf_count, error.equal_nonfinite) == (1, 2, 0)
    assert (error.cosine, error.max_abs_error, error.mse, error.top1_agreement) == (None, None, None, None)


def test_values_that_are_not_finite_in_both_alike_are_equal_and_in_no_figure() -> None:
    mask = [[np.nan, 3.0, np.inf, -np.inf, 4.0]]
    error = error_of(mask, mask)
    assert (error.equal_nonfinite, error.cosine, error.snr_infinite) == (3, 1.0, 1)
    error = error_of([[-np.inf, 3.0, 4.0]], [[-np.inf, 4.0, 3.0]])
    assert error.cosine == pytest.approx(24 / 25, abs=1e-15)
    assert (error.mse, error.inf_count, error.equal_nonfinite) == (1.0, 1, 1)


def test_an_infinity_of_the_other_sign_or_in_the_golden_alone_is_not_equal() -> None:
    other_sign = error_of([[-np.inf, 1.0]], [[np.inf, 1.0]])
    assert (other_sign.equal_nonfinite, other_sign.cosine) == (0, None)
    golden_alone = error_of([[5.0, 1.0]], [[np.inf, 1.0]])
    assert (golden_alone.golden_nonfinite, golden_alone.inf_count, golden_alone.cosine) == (1, 0, None)


def test_nan_in_the_golden_alone_is_refused() -> None:
    with pytest.raises(ShapeMismatchError, match="the golden holds 1 NaN where the output has numbers"):
        error_of([[1.0, 2.0]], [[np.nan, 2.0]])


def test_a_scaled_output_has_a_perfect_cosine_and_an_snr_that_tells() -> None:
    doubled = error_of([[2.0, 4.0]], [[1.0, 2.0]])
    assert (doubled.cosine, doubled.snr_db) == (pytest.approx(1.0), pytest.approx(0.0))
    constants = error_of([[3.0, 3.0]], [[5.0, 5.0]])
    assert (constants.cosine, constants.snr_db) == (pytest.approx(1.0), pytest.approx(7.9588, abs=1e-4))


def test_values_that_tie_for_the_top_agree_and_are_told() -> None:
    tie = error_of([[2.0, 7.0, 7.0]], [[0.0, 1.0, 2.0]])
    assert (tie.top1_agreement, tie.top1_tied) == (True, True)
    assert error_of([[7.0, 2.0, 7.0]], [[0.0, 2.0, 1.0]]).top1_agreement is False
    clear = error_of([[1.0, 2.0, 7.0]], [[0.0, 2.0, 2.0]])
    assert (clear.top1_agreement, clear.top1_tied) == (True, False)


def test_an_output_whose_values_are_all_equal_names_no_class() -> None:
    error = error_of([[3.0] * 6], [[9.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    assert (error.top1_agreement, error.top5_agreement, error.top1_tied) == (False, False, True)


def test_agreement_is_told_only_of_classes() -> None:
    values = np.random.RandomState(0).standard_normal((1, 512))
    error = error_of(values, -values, classes=False)
    assert (error.top1_agreement, error.top5_agreement, error.top1_tied) == (None, None, None)


def test_shapes_must_match_but_for_axes_of_length_one() -> None:
    values = np.arange(24.0)
    with pytest.raises(ShapeMismatchError, match=r"returned \[1, 2, 3, 4\], the golden has \[4, 3, 2\]"):
        error_of(values.reshape(1, 2, 3, 4), values.reshape(4, 3, 2))
    assert error_of(values.reshape(1, 2, 12, 1), values.reshape(2, 12)).cosine == 1.0


def test_complex_outputs_are_refused() -> None:
    with pytest.raises(ShapeMismatchError, match="the golden has complex numbers"):
        output_error("r", 0, 0, "y", np.ones((1, 2), np.float32), np.ones((1, 2), np.complex64))


@pytest.mark.parametrize(
    ("shape", "top1", "top5"),
    [
        ((1, 10), True, True),
        ((10,), True, True),
        ((1, 10, 1, 1), True, True),
        ((1, 5), True, None),
        ((1, 1), None, None),
        ((2, 5), None, None),
    ],
)
def test_only_a_class_vector_has_an_agreement(shape: Any, top1: Any, top5: Any) -> None:
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    error = error_of(values, values)
    assert (error.top1_agreement, error.top5_agreement) == (top1, top5)


def test_top5_looks_for_the_expected_class_among_the_five_largest() -> None:
    expected = [[9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]
    assert error_of([[5.0, 9.0, 8.0, 7.0, 6.0, 1.0, 0.0]], expected).top5_agreement is True
    assert error_of([[1.0, 9.0, 8.0, 7.0, 6.0, 5.0, 0.0]], expected).top5_agreement is False


def test_outputs_of_another_size_show_both_sides() -> None:
    with pytest.raises(ShapeMismatchError, match=r"returned \[1, 3\], the golden has \[1, 4\]"):
        error_of([[1, 2, 3]], [[1, 2, 3, 4]])


@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=50), st.integers(0, 2**31 - 1))
def test_the_figures_equal_the_textbook_formulas(values: List[float], seed: int) -> None:
    expected = np.array(values, np.float32)
    noise = np.random.RandomState(seed).standard_normal(len(values)).astype(np.float32)
    actual = expected + noise
    error = error_of(actual, expected)
    difference = actual.astype(np.float64) - expected.astype(np.float64)
    assert error.max_abs_error == np.abs(difference).max()
    assert error.mse == pytest.approx(np.mean(difference**2), rel=1e-9)
    assert error.mean_abs_error == pytest.approx(np.mean(np.abs(difference)), rel=1e-9)


def test_a_big_output_is_compared_without_a_copy_in_float64() -> None:
    actual = np.ones((1, 4_000_000), np.float32)
    expected = np.ones((1, 4_000_000), np.float32)
    expected[0, -1] = 3.0
    tracemalloc.start()
    error = output_error("r", 0, 0, "y", actual, expected)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (error.max_abs_error, error.mse) == (2.0, 1e-6)
    assert peak < actual.nbytes * 2.5


def watch(*cases: Any) -> OutputWatch:
    """Return a watch that has seen (input, output) pairs."""
    seen = OutputWatch()
    for given_input, output in cases:
        seen.add([np.array(given_input)], [np.array(output, np.float32)])
    return seen


@pytest.mark.parametrize(
    ("cases", "constant"),
    [
        ((([1], [1.0, 2.0]), ([2], [1.0, 2.0])), True),
        ((([1], [1.0, 2.0]), ([2], [1.0, 2.5])), False),
        ((([1], [1.0, 2.0]), ([1], [1.0, 2.0])), None),
        ((([1], [1.0, 2.0]),), None),
        ((([1], [7.0, 7.0]),), True),
        ((([1], [7.0, 7.0]), ([2], [8.0, 8.0])), True),
        ((([1], [7.0]), ([2], [8.0])), False),
    ],
)
def test_a_constant_output_is_found(cases: Any, constant: Any) -> None:
    assert watch(*cases).checks("r", ["y"]) == [OutputCheck("r", 0, "y", None, constant)]


def test_an_output_that_cannot_be_repeated_is_found() -> None:
    seen = watch(([1], [1.0, 2.0]))
    seen.repeat([np.array([1.0])], [np.array([1.0])])
    assert seen.checks("r", ["y"])[0].deterministic is True
    seen.repeat([np.array([1.0])], [np.array([1.5])])
    assert seen.checks("r", ["y"])[0].deterministic is False


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((1, 84, 8400), 1),
        ((1, 25200, 85), 2),
        ((1, 3, 40, 40), 1),
        ((1, 3, 85, 20, 20), 4),
        ((1, 1000), None),
        ((1, 1000, 1, 1), None),
        ((1, 2048, 7, 7), None),
    ],
)
def test_the_parts_of_an_output_lie_along_one_axis(shape: Any, axis: Any) -> None:
    assert part_axis(shape) == axis


def test_every_part_has_its_error_its_range_and_its_number_of_values() -> None:
    sums = PartSums((1, 2, 3))
    sums.add(np.array([[[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]]), np.array([[[1.0, 2.0, 5.0], [0.1, 0.2, 0.9]]]))
    sums.add(np.array([[[7.0, 2.0, 3.0], [0.0, 0.0, 0.0]]]), np.array([[[7.0, 2.0, 3.0], [0.3, 0.2, 0.9]]]))
    told = sums.message("r", 0)
    assert (told.axis, told.low, told.high, told.distinct) == (1, [1.0, 0.0], [7.0, 0.0], [4, 1])
    assert (told.expected_low, told.expected_high) == ([1.0, 0.1], [7.0, 0.9])
    assert told.max_abs_error == [2.0, 0.9]
    assert told.snr_db == [pytest.approx(13.6173, abs=1e-3), 0.0]


def test_a_part_that_is_not_quantized_has_more_values_than_are_counted() -> None:
    sums = PartSums((1, 2, 2000))
    sums.add(np.random.RandomState(0).standard_normal((1, 2, 2000)).astype(np.float32), None)
    told = sums.message("r", 0)
    assert (told.distinct, told.expected_low, told.max_abs_error) == ([None, None], [None] * 2, [None] * 2)


# -- .npz files


def save(path: Path, compressed: bool = True, **members: Any) -> str:
    """Write an .npz; names use `__` for `/`."""
    named = {name.replace("__", "/"): value for name, value in members.items()}
    (np.savez_compressed if compressed else np.savez)(path, **named)
    return str(path)


@pytest.mark.parametrize("compressed", [True, False])
def test_rows_are_read_in_any_order(tmp_path: Path, compressed: bool) -> None:
    values = np.arange(24, dtype=np.int16).reshape(4, 2, 3)
    with NpzFile(save(tmp_path / "a.npz", compressed, inputs__x=values)) as file:
        assert file.names("inputs/") == ["x"]
        for index in (0, 3, 1, 1):
            row = file.row("inputs/x", index)
            assert row.tolist() == values[index].tolist()
            assert row.dtype == np.int16
            assert row.flags.writeable


def test_a_row_is_read_without_the_rest(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", x=np.zeros((50, 1_000_000), np.uint8))
    with NpzFile(path) as file:
        file.row("x", 0)
        tracemalloc.start()
        file.row("x", 30)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 8_000_000


def npy(array: Any, **header: Any) -> bytes:
    """Return the bytes of an .npy with parts of its header replaced."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, dict(np.lib.format.header_data_from_array_1_0(array), **header)
    )
    return stream.getvalue() + array.tobytes()


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (npy(np.zeros((2, 3)), fortran_order=True), "Fortran order"),
        (npy(np.zeros((2, 3)), descr="|O"), "pickled"),
        (npy(np.zeros((2, 3)), shape=(2, -3)), r"has the shape \(2, -3\)"),
        (npy(np.zeros((2, 3)), shape=(9, 3)), "ends in row 8"),
        (b"\x93NUMPY\x01\x00\xff", "cut off in its header"),
        (b"\x93NUMPY\x01\x00\x04\x00{{{{", "no .npy header"),
        (b"hello", "is no .npy"),
    ],
)
def test_a_member_that_cannot_be_read_row_by_row_says_why(
    tmp_path: Path, member: bytes, message: str
) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", member)
    with NpzFile(str(tmp_path / "a.npz")) as file, pytest.raises(NpzError, match=message):
        file.row("x", 8)


def test_damage_in_the_middle_of_a_member_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    save(path, x=np.random.RandomState(1).randint(0, 9, (9, 5000)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
    path.write_bytes(data)
    with NpzFile(str(path)) as file, pytest.raises(NpzError, match="damaged"):
        [file.row("x", index) for index in range(9)]


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04" + bytes(100)])
def test_a_file_that_is_no_zip_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(NpzError, match=r"no \.npz file"):
        NpzFile(str(path))


TENSORS = [TensorSpec("x", [1, 2], "float32")]
OUTPUTS = [TensorSpec("y", [1, 3], "float32"), TensorSpec("z", [1], "float32")]


def test_a_golden_yields_its_cases_with_the_outputs_that_it_has(tmp_path: Path) -> None:
    path = save(
        tmp_path / "g.npz",
        inputs__x=np.arange(4, dtype=np.float32).reshape(2, 1, 2),
        outputs__z=np.array([[5.0], [6.0]]),
    )
    with NpzFile(path) as file:
        golden = Golden(file, TENSORS, OUTPUTS)
        cases = list(golden.cases())
    assert golden.count == 2
    assert [case.inputs[0].tolist() for case in cases] == [[[0.0, 1.0]], [[2.0, 3.0]]]
    assert [{key: value.tolist() for key, value in case.expected.items()} for case in cases] == [
        {1: [5.0]},
        {1: [6.0]},
    ]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"inputs__q": np.zeros((2, 1, 2)), "outputs__y": np.zeros((2, 1, 3))}, r"has the inputs \['q'\]"),
        ({"inputs__x": np.zeros((2, 1, 2)), "outputs__q": np.zeros((2, 1, 3))}, r"has the outputs \['q'\]"),
        ({"inputs__x": np.zeros((2, 2)), "outputs__y": np.zeros((2, 1, 3))}, r"has \[2\] per case"),
        ({"inputs__x": np.zeros((2, 1, 2)), "outputs__y": np.zeros((3, 1, 3))}, "number of cases"),
    ],
)
def test_a_golden_that_does_not_fit_says_what_differs(tmp_path: Path, members: Any, message: str) -> None:
    with NpzFile(save(tmp_path / "g.npz", **members)) as file, pytest.raises(NpzError, match=message):
        Golden(file, TENSORS, OUTPUTS)


def test_recorded_outputs_are_found_by_the_digest_of_their_inputs(tmp_path: Path) -> None:
    known, unknown = np.array([[1, 2]], np.uint8), np.array([[1, 3]], np.uint8)
    path = save(
        tmp_path / "r.npz",
        digests=np.array(["0" * 64, input_digest([known])]),
        outputs__y=np.array([[[0.0]], [[7.0]]], np.float32),
    )
    replay = Replay(path, [TensorSpec("y", [1, 10], "float32")])
    found = replay.outputs([known])
    assert found is not None and found[0].tolist() == [[7.0]]
    assert replay.outputs([unknown]) is None
    replay.close()
    assert input_digest([known]) == "a12871fee210fb8619291eaea194581cbd2531e4b23759d225f6806923f63222"
