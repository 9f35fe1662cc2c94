"""Boxes of YOLO heads against annotations: what COCO's own implementation says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rkbench.errors import GoldenError
from rkbench.scoring.detection import detections, mean_average_precision, on_picture

#: A picture of 200x100 in a model of 100x100: letterbox halves it and puts 25 rows above.
PICTURES = {"files": [["a.jpg", 200, 100]], "size": [100, 100], "fit": "letterbox"}


def truth(*boxes: tuple[int, list[float]], name: str = "images/a.jpg") -> dict[str, Any]:
    """Return annotations of picture 7: each box's category, and left, top, width, height."""
    return {
        "info": {},
        "images": [{"id": 7, "file_name": name, "width": 200, "height": 100}],
        "categories": [{"id": 3, "name": "cat"}, {"id": 9, "name": "dog"}],
        "annotations": [
            {
                "id": number,
                "image_id": 7,
                "category_id": each,
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": 0,
            }
            for number, (each, box) in enumerate(boxes, 1)
        ],
    }


def head(*rows: list[float], boxes: int = 20) -> np.ndarray:
    """Return an output (1 case, 1, channels, boxes) with these rows, the others without a score."""
    output = np.zeros((1, 1, len(rows[0]), boxes), np.float32)
    output[0, 0, :, : len(rows)] = np.array(rows).T
    return output


CAT, DOG = (3, [20.0, 10.0, 40.0, 20.0]), (9, [100.0, 50.0, 60.0, 40.0])
#: The same on the model's input: centre, size, scores of cat and dog.
CAT_ROW, DOG_ROW = [20.0, 35.0, 20.0, 10.0, 0.9, 0.0], [65.0, 60.0, 30.0, 20.0, 0.0, 0.8]


def test_boxes_that_are_right_have_a_precision_of_1() -> None:
    assert mean_average_precision(head(CAT_ROW, DOG_ROW), PICTURES, truth(CAT, DOG)) == pytest.approx(
        (1.0, 1.0)
    )


def test_channels_may_stand_last_and_an_objectness_multiplies() -> None:
    rows = [[*CAT_ROW[:4], 0.5, 1.0, 0.0], [*DOG_ROW[:4], 1.0, 0.0, 1.0]]
    turned = head(*rows).transpose(0, 1, 3, 2)
    assert mean_average_precision(turned, PICTURES, truth(CAT, DOG)) == pytest.approx((1.0, 1.0))
    assert detections(turned[0], 2)[1].tolist() == [1.0, 0.5]


def test_a_class_that_was_not_found_halves_it() -> None:
    assert mean_average_precision(head(CAT_ROW), PICTURES, truth(CAT, DOG)) == pytest.approx((0.5, 0.5))


def test_a_box_that_is_half_off_counts_at_the_lower_overlaps_alone() -> None:
    wide = [20.0, 35.0, 30.0, 10.0, 0.9, 0.0]  # an IoU of 2/3: right at 0.50, 0.55, 0.60 and 0.65
    assert mean_average_precision(head(wide), PICTURES, truth(CAT)) == pytest.approx((0.4, 1.0))


def test_scores_that_are_all_zero_find_nothing() -> None:
    dead = head([*CAT_ROW[:4], 0.0, 0.0])
    assert mean_average_precision(dead, PICTURES, truth(CAT)) == (0.0, 0.0)


def test_a_box_that_is_not_finite_is_none() -> None:
    whole = mean_average_precision(head(DOG_ROW), PICTURES, truth(CAT, DOG))
    for broken in (np.nan, np.inf):
        for column in range(6):
            row = list(CAT_ROW)
            row[column] = broken
            assert mean_average_precision(head(row, DOG_ROW), PICTURES, truth(CAT, DOG)) == whole


def test_a_box_over_the_border_counts_as_far_as_the_picture_goes() -> None:
    at_border = (3, [0.0, 0.0, 20.0, 20.0])
    row = [0.0, 25.0, 20.0, 20.0, 0.9, 0.0]  # from -20 to 20 on the picture, both ways
    assert mean_average_precision(head(row), PICTURES, truth(at_border)) == pytest.approx((1.0, 1.0))


def test_two_pictures_of_one_name_are_refused() -> None:
    annotations = truth(CAT)
    annotations["images"].append({"id": 8, "file_name": "other/a.jpg", "width": 20, "height": 10})
    with pytest.raises(GoldenError, match=r"the labels have two pictures 'a\.jpg'"):
        mean_average_precision(head(CAT_ROW), PICTURES, annotations)


def test_pictures_without_a_labelled_box_have_no_precision() -> None:
    crowd = truth(CAT)
    crowd["annotations"][0]["iscrowd"] = 1
    for labels in (truth(), crowd):
        for output in (head(CAT_ROW), head([*CAT_ROW[:4], 0.0, 0.0])):
            assert mean_average_precision(output, PICTURES, labels) == (None, None)


def test_the_same_box_twice_is_one_detection_and_of_two_classes_are_two() -> None:
    twice = [CAT_ROW, [*CAT_ROW[:4], 0.5, 0.0], [*CAT_ROW[:4], 0.0, 0.4]]
    boxes, scores, classes = detections(head(*twice)[0], 2)
    assert scores.tolist() == pytest.approx([0.9, 0.4])
    assert (boxes[0].tolist(), classes.tolist()) == ([10.0, 30.0, 20.0, 10.0], [0, 1])


@pytest.mark.parametrize(
    ("fit", "box", "on_it"),
    [
        ("letterbox", [10.0, 30.0, 20.0, 10.0], [20.0, 10.0, 40.0, 20.0]),
        ("stretch", [10.0, 10.0, 20.0, 20.0], [20.0, 10.0, 40.0, 20.0]),
        ("crop", [0.0, 10.0, 20.0, 20.0], [50.0, 10.0, 20.0, 20.0]),
    ],
)
def test_boxes_go_back_the_way_that_the_picture_came(fit: str, box: list[float], on_it: list[float]) -> None:
    assert on_picture(np.array([box]), {**PICTURES, "fit": fit}, (200, 100)).tolist() == [on_it]


@pytest.mark.parametrize(
    ("output", "annotations", "text"),
    [
        (head([1.0] * 12), truth(CAT), r"\[1, 12, 20\] is no YOLO head for 2 classes, of 6 or 7 channels"),
        (head([*CAT_ROW[:4], 3.0, 0.0]), truth(CAT), "not between 0 and 1"),
        (head(CAT_ROW), truth(CAT, name="b.jpg"), r"lack the picture 'a\.jpg'"),
    ],
)
def test_what_cannot_be_scored_is_refused(output: np.ndarray, annotations: dict[str, Any], text: str) -> None:
    with pytest.raises(GoldenError, match=text):
        mean_average_precision(output, PICTURES, annotations)
