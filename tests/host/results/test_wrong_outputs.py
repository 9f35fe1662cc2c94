"""Outputs of another network than the golden's: raised, and the cause named first that it truly is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_runs import make_run
from rkbench.results.caveats import caveats_of, is_wrong
from rkbench.results.caveats.wrong import likely_causes
from rkbench.results.comparison import compare_runs
from rkbench.results.latencies import RawLatencies
from rkbench.results.output import Output
from rkbench.results.outputs import outputs
from rkbench.results.ranking import LatencyEvidence, PassedOver, rank
from rkbench.results.verdict import verdict_sentence
from rkbench_agent.run.accuracy import output_error
from rkbench_agent.run.golden import Golden
from rkbench_agent.run.suspects import suspects
from rkbench_agent.runtimes.npz import NpzFile
from rkbench_agent.wire.plan import RunSpec, TensorSpec

SIDE, CASES = 8, 4
IMAGENET = (np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375]))
RANDOM = np.random.RandomState(3588)
WEIGHTS = RANDOM.standard_normal((SIDE * SIDE * 3, 24)) / SIDE
IMAGES = RANDOM.randint(0, 256, (CASES, 1, SIDE, SIDE, 3)).astype(np.uint8)
Net = Callable[[Any], Any]


def net(image: Any) -> Any:
    """Return what a small network yields for a normalised image, NHWC."""
    values = np.tanh(np.asarray(image, np.float64).reshape(-1) @ WEIGHTS) + 0.1
    return values.reshape(1, 6, 2, 2).astype(np.float32)


def meant(image: Any) -> Any:
    """Return what the ONNX yields for a raw image."""
    return net((image - IMAGENET[0]) / IMAGENET[1])


def seen(model: Net, folder: Path, expected: Net = meant, **spec: Any) -> Output:
    """Return the output of a run of `model` on a board, held against a golden of `expected`."""
    path = folder / "golden.npz"
    np.savez(path, **{"inputs/x": IMAGES, "outputs/y": np.stack([expected(image) for image in IMAGES])})
    inputs = [TensorSpec("x", [1, SIDE, SIDE, 3], "uint8", "NHWC", **spec)]
    run = RunSpec("r", "m", "d", 1, inputs, [TensorSpec("y", [1, 6, 2, 2], "float32")])
    with NpzFile(str(path)) as file:
        golden = Golden(file, run.inputs, run.outputs)
        cases = list(golden.cases())
        errors = [
            output_error("r", case.index, 0, "y", model(case.inputs[0]), case.expected[0]) for case in cases
        ]
        first = [model(cases[0].inputs[0])]
        told = list(suspects(run, cases[0], first, golden, lambda given: [model(given[0])]))
    (found,) = outputs(errors, (), (), told)
    return found


def message(output: Output) -> str:
    """Return what is said of a run with that output, its advice too."""
    (found,) = (
        item
        for item in caveats_of(replace(make_run(), outputs=(output,)), RawLatencies())
        if item.code == "outputs_wrong"
    )
    return f"{found.message} -> {found.advice}"


def likely_told(output: Output) -> str:
    """Return what is said of the causes; "" where nothing is."""
    said = caveats_of(replace(make_run(), outputs=(output,)), RawLatencies())
    return " ".join(item.message for item in said if item.code == "outputs_wrong").partition(";")[2]


def test_the_right_network_is_not_suspected(tmp_path: Path) -> None:
    found = seen(lambda image: meant(image) + 0.01, tmp_path)
    assert (is_wrong(found), found.suspects) == (False, ())


@pytest.mark.parametrize(
    ("mean", "std"), [((0.0,), (1.0,)), ((0.0,), (255.0,)), ((127.5,), (127.5,)), ((127.5,), (128.0,))]
)
def test_wrong_mean_and_std_are_named_first(tmp_path: Path, mean: Any, std: Any) -> None:
    found = seen(
        lambda image: net((image - np.array(mean)) / np.array(std)), tmp_path, mean=list(mean), std=list(std)
    )
    assert is_wrong(found)
    assert likely_causes(found)[0] == "normalisation"
    told = message(found)
    assert "normalised by mean 123.675, 116.28, 103.53, std 58.395, 57.12, 57.375 gives cosine 1.00" in told
    assert "convert again with the mean_values and std_values" in told


def test_swapped_channels_are_named_first(tmp_path: Path) -> None:
    found = seen(lambda image: meant(image[..., ::-1]), tmp_path)
    assert likely_causes(found)[0] == "channel_order"
    assert "channel order (RGB or BGR). The input with its channels swapped (RGB and BGR) gives" in message(
        found
    )


@pytest.mark.parametrize(
    "misread",
    [
        lambda image: image.transpose(0, 3, 1, 2).reshape(image.shape),
        lambda image: image.reshape(1, 3, SIDE, SIDE).transpose(0, 2, 3, 1),
    ],
)
def test_a_wrong_layout_of_the_input_is_named_first(tmp_path: Path, misread: Net) -> None:
    assert likely_causes(seen(lambda image: meant(misread(image)), tmp_path))[0] == "input_layout"


def test_a_wrong_layout_of_the_output_is_named_first(tmp_path: Path) -> None:
    found = seen(lambda image: meant(image).transpose(0, 2, 3, 1).reshape(1, 6, 2, 2), tmp_path)
    assert likely_causes(found)[0] == "output_layout"


def test_a_golden_whose_cases_are_reversed_is_named(tmp_path: Path) -> None:
    answers = [meant(image) for image in IMAGES][::-1]
    places = {image.tobytes(): place for place, image in enumerate(IMAGES)}
    found = seen(meant, tmp_path, expected=lambda image: answers[places[image.tobytes()]])
    assert likely_causes(found)[0] == "case_order"
    assert "The output as what case 3 expects gives cosine 1.00000" in message(found)


def test_one_case_that_is_near_another_of_its_class_is_no_matter_of_order(tmp_path: Path) -> None:
    answers = [meant(image) for image in IMAGES]
    lost = {IMAGES[0].tobytes(): answers[2] + 0.01}
    found = seen(lambda image: lost.get(image.tobytes(), meant(image)), tmp_path)
    assert found.cosine is not None and found.cosine < 0.5
    assert "order of the golden's cases" not in likely_told(found)


def test_cases_that_all_look_like_one_are_no_matter_of_order(tmp_path: Path) -> None:
    found = seen(lambda image: meant(IMAGES[2]) + image.reshape(-1)[:1] / 2e4, tmp_path)
    assert likely_causes(found)[0] == "other_model"


@pytest.mark.parametrize("order", [[1, 2, 3, 0], [1, 0, 2, 3], [2, 1, 0, 3]])
def test_an_order_that_others_share_is_named(tmp_path: Path, order: list[int]) -> None:
    places = {image.tobytes(): place for place, image in enumerate(IMAGES)}
    found = seen(meant, tmp_path, expected=lambda image: meant(IMAGES[order[places[image.tobytes()]]]))
    assert likely_causes(found)[0] == "case_order"


def test_where_nothing_that_was_tried_explains_it_the_golden_of_another_model_is_suspected(
    tmp_path: Path,
) -> None:
    other = np.random.RandomState(1).standard_normal((SIDE * SIDE * 3, 24))
    found = seen(
        lambda image: np.tanh(image.reshape(-1) / 255 @ other).reshape(1, 6, 2, 2).astype(np.float32),
        tmp_path,
    )
    assert is_wrong(found)
    assert likely_causes(found)[0] == "other_model"


def test_an_output_of_one_value_is_no_matter_of_layout_but_of_a_layer(tmp_path: Path) -> None:
    found = seen(lambda image: np.full((1, 6, 2, 2), 0.25, np.float32), tmp_path)
    assert is_wrong(found)
    constant = replace(found, constant=True, tied_count=4)
    said = {
        item.code: f"{item.message} -> {item.advice}"
        for item in caveats_of(replace(make_run(), outputs=(constant,)), RawLatencies())
    }
    assert "it has one value only, whatever the input: a layer lost it" in said["outputs_wrong"]
    assert "bench inspect MODEL.rknn --against MODEL.onnx" in said["outputs_wrong"]
    assert "layout of the" not in said["outputs_wrong"]
    assert "ties" not in said and "constant_output" in said


def test_a_cause_that_explains_an_output_of_one_value_is_named(tmp_path: Path) -> None:
    fed_wrongly = seen(lambda image: net((image - 0.0) / 1.0), tmp_path, mean=[0.0], std=[1.0])
    constant = replace(fed_wrongly, constant=True)
    assert likely_causes(constant)[0] == "normalisation"
    assert "mean and std" in message(constant)


def test_without_outputs_for_other_inputs_all_are_named_in_their_order(tmp_path: Path) -> None:
    found = replace(seen(lambda image: -meant(image), tmp_path), suspects=())
    assert found.cosine_mean is not None and found.cosine_mean < -0.9
    assert "suspected in this order: layout of the inputs (NHWC or NCHW), layout of the output" in message(
        found
    )


def test_an_output_of_twice_the_size_is_wrong_although_its_cosine_is_perfect(tmp_path: Path) -> None:
    found = seen(lambda image: 2 * meant(image), tmp_path)
    assert found.cosine == pytest.approx(1.0)
    assert is_wrong(found)


def test_outputs_without_a_number_win_nothing(tmp_path: Path) -> None:
    found = seen(lambda image: meant(image) * np.nan, tmp_path)
    assert (is_wrong(found), found.cosine_mean) == (True, None)
    told = [item.code for item in caveats_of(replace(make_run(), outputs=(found,)), RawLatencies())]
    assert "not_finite" in told
    assert "outputs_wrong" not in told  # once is enough
    assert "constant_output" not in told
    alone = compare_runs([replace(make_run(), outputs=(found,))], {}, verdict_sentence)
    assert "outputs with NaN or infinities" in alone.verdict
    assert "not checked" not in alone.verdict
    masked = seen(lambda image: meant(image) * np.nan, tmp_path, lambda image: meant(image) * np.nan)
    assert not is_wrong(masked)


def broken_in_one_case(image: Any) -> Any:
    """Return what the network yields, with one value that is none in the last case."""
    values = meant(image)
    if (image == IMAGES[-1]).all():
        values[0, 0, 0, 0] = np.nan
    return values


def test_one_case_that_is_not_finite_leaves_every_figure_unknown_and_wins_nothing(tmp_path: Path) -> None:
    broken = seen(broken_in_one_case, tmp_path)
    assert (broken.is_broken, is_wrong(broken), broken.nan_count) == (True, True, 1)
    figures = (broken.cosine, broken.cosine_mean, broken.snr, broken.max_abs_error, broken.mse)
    assert figures == (None,) * 5
    right = replace(seen(lambda image: meant(image) + 0.01, tmp_path), name="z", index=1)
    base, small = make_run(1, "a", outputs=(right,)), make_run(2, "b", outputs=(right, broken))
    small = replace(small, variant=replace(small.variant, size_bytes=1))
    compared = compare_runs([base, small], {}, verdict_sentence)
    assert "The outputs of b are not what was expected." in compared.verdict
    assert "smallest" not in compared.verdict
    alone = compare_runs([small], {}, verdict_sentence).verdict
    assert "outputs with NaN or infinities" in alone
    assert "cosine" not in alone
    ranking = rank("size", [base, small], {}, LatencyEvidence({}, ()))
    assert [item.run for item in ranking.ranked] == [base.id]
    assert ranking.passed_over == (PassedOver(small.id, "its outputs are not what was expected"),)


def test_numbers_where_the_golden_has_an_infinity_are_told_as_that(tmp_path: Path) -> None:
    found = seen(meant, tmp_path, lambda image: meant(image) + np.float32(np.inf))
    assert is_wrong(found)
    run = replace(make_run(), outputs=(found,))
    told = compare_runs([run], {}, verdict_sentence).verdict
    assert "outputs with numbers where the golden has infinities" in told
