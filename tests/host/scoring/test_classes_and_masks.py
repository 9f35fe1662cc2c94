"""Top-k against true classes, and IoU of masks, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from rkbench.errors import GoldenError
from rkbench.scoring.classes import class_scores, mean_iou, topk_accuracy

SCORES = np.array([[0.1, 0.7, 0.2, 0.0, 0.0, 0.0], [0.9, 0.0, 0.0, 0.0, 0.0, 0.1]])


def test_a_case_counts_where_its_true_class_has_one_of_the_highest_scores() -> None:
    assert topk_accuracy(SCORES, np.array([1, 5]), 1) == 0.5
    assert topk_accuracy(SCORES, np.array([1, 5]), 5) == 1.0
    assert topk_accuracy(np.arange(6.0)[np.newaxis], np.array([0]), 5) == 0.0


def test_ties_count_as_chance_would_have_it() -> None:
    assert topk_accuracy(np.array([[1.0, 1.0, 0.0]]), np.array([0]), 1) == 0.5
    assert topk_accuracy(np.zeros((4, 10)), np.array([0, 1, 2, 3]), 1) == pytest.approx(0.1)
    assert topk_accuracy(np.zeros((4, 10)), np.array([0, 1, 2, 3]), 5) == pytest.approx(0.5)


def test_no_top_5_is_told_of_five_classes() -> None:
    assert topk_accuracy(np.zeros((1, 5)), np.array([0]), 5) is None


def test_scores_have_one_axis_per_case() -> None:
    assert class_scores("y", np.zeros((3, 1, 10, 1, 1))).shape == (3, 10)
    with pytest.raises(GoldenError, match=r"output 'y' \[1, 84, 100\]: no scores of classes"):
        class_scores("y", np.zeros((3, 1, 84, 100)))


def test_iou_is_the_mean_over_classes_of_all_cases_together() -> None:
    masks = np.array([[[0, 0], [1, 1]], [[0, 0], [0, 0]]])
    found = np.array([[[0, 1], [1, 1]], [[0, 0], [0, 0]]], np.float32)[:, np.newaxis]
    assert mean_iou(found, masks) == pytest.approx((5 / 6 + 2 / 3) / 2)


def test_scores_of_classes_are_masks_by_their_maximum_and_255_counts_nowhere() -> None:
    masks = np.array([[[0, 255], [1, 1]]])
    scores = np.zeros((1, 1, 3, 2, 2), np.float32)
    scores[0, 0, 0, 0], scores[0, 0, 1, 1], scores[0, 0, 2, 0, 1] = 1.0, 1.0, 9.0
    assert mean_iou(scores, masks) == 1.0


def test_masks_of_another_size_are_refused() -> None:
    with pytest.raises(
        GoldenError, match=r"an output of \[1, 3, 4, 4\] is no segmentation into masks of \[2, 2\]"
    ):
        mean_iou(np.zeros((1, 1, 3, 4, 4)), np.zeros((1, 2, 2), int))


def test_a_pixel_of_nan_is_of_no_class() -> None:
    masks, scores = np.array([[[0, 0], [1, 1]]]), np.zeros((1, 1, 2, 2, 2))
    scores[0, 0, 1, 1], scores[0, 0, :, 0, 0] = 1.0, np.nan
    assert mean_iou(scores, masks) == pytest.approx((1 / 2 + 1) / 2)
    classes = np.array([[[np.nan, 0], [1, 1]]])[:, np.newaxis]
    assert mean_iou(classes, masks) == pytest.approx((1 / 2 + 1) / 2)


def test_logits_of_one_class_are_no_classes() -> None:
    logits = np.array([[[-3.2, 2.0], [1.0, 4.0]]])[:, np.newaxis]
    with pytest.raises(GoldenError, match=r"an output of -3\.2 to 4 holds no classes"):
        mean_iou(logits, np.array([[[0, 1], [1, 1]]]))
