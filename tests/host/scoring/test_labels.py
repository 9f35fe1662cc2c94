"""Labels in each form, and what does not fit."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from rkbench.errors import BenchError, UsageError
from rkbench.scoring.labels import read_labels
from rkbench.scoring.own import call_metric, read_metric
from rkbench.scoring.scorer import Scorer, make_scorer
from rkbench_agent.wire.plan import TensorSpec

COCO: dict[str, list[dict[str, object]]] = {
    "images": [{"id": 1, "file_name": "a.png"}],
    "categories": [{"id": 5}],
    "annotations": [{"image_id": 1, "category_id": 5, "bbox": [1, 2, 3, 4]}],
}


def test_lines_are_of_pictures_by_name_or_of_cases_in_order(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text("val/b.png 3\na.png 4\n")
    assert read_labels(tmp_path / "l.txt", 2, ["a.png", "b.png"]).values.tolist() == [4, 3]
    (tmp_path / "l.txt").write_text("7\n8\n\n")
    assert read_labels(tmp_path / "l.txt", 2, []).values.tolist() == [7, 8]


def test_arrays_are_classes_or_masks(tmp_path: Path) -> None:
    np.savez(tmp_path / "l.npz", labels=np.array([1, 2], np.uint8))
    assert read_labels(tmp_path / "l.npz", 2, []).kind == "classify"
    np.savez(tmp_path / "l.npz", labels=np.zeros((2, 4, 4), np.uint8))
    assert read_labels(tmp_path / "l.npz", 2, []).kind == "segment"


def test_annotations_get_the_fields_that_few_write(tmp_path: Path) -> None:
    (tmp_path / "l.json").write_text(json.dumps(COCO))
    (box,) = read_labels(tmp_path / "l.json", 1, ["a.png"]).values["annotations"]
    assert (box["id"], box["area"], box["iscrowd"]) == (1, 12, 0)


@pytest.mark.parametrize(
    ("name", "text", "names", "told"),
    [
        ("l.txt", "1\n2\n3\n", [], "3 lines for 2 cases"),
        ("l.txt", "", [], "nothing in it"),
        ("l.txt", "a.png cat\n", ["a.png"], "no class in the line 'a.png cat'"),
        ("l.txt", "a.png 1\n", ["a.png", "b.png"], r"no line for 'b\.png' \(1 of 2 pictures\)"),
        ("l.txt", "a.png 1\n", [], "the golden names none"),
        ("l.json", "{}", [], r"no annotations of COCO: KeyError\('images'\)"),
        ("l.json", "[[[", [], "no annotations of COCO"),
        ("l.txt", "3\na.png 4\n", ["a.png"], "lines of both forms: a line '3', and another 'a.png 4'"),
        ("l.txt", f"{'9' * 5000}\n2\n", [], "no class in the line '999"),
        ("l.txt", "a/x.png 4\nb/x.png 6\n", ["x.png"], r"'x\.png' has the classes 4 and 6"),
    ],
)
def test_labels_that_do_not_fit_say_why(
    tmp_path: Path, name: str, text: str, names: list[str], told: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BenchError, match=told):
        read_labels(tmp_path / name, 2, names)
    with pytest.raises(BenchError, match="no such file"):
        read_labels(tmp_path / "none.txt", 2, names)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"bbox": "abcd"}, "no annotations of COCO: ValueError"),
        ({"bbox": [1, 2, None, 4]}, "no annotations of COCO: TypeError"),
        ({"bbox": [1, 2, 3]}, "no annotations of COCO: ValueError"),
        ({"bbox": [1, 2, -3, 4]}, r"annotation 1 has the box \[1, 2, -3, 4\]"),
        ({"bbox": [1, 2, float("nan"), 4]}, "annotation 1 has the box"),
        ({"area": "large"}, "no annotations of COCO: ValueError"),
        ({"category_id": 6}, "annotation 1 is of image 1 and category 6, which are not both in the file"),
        ({"image_id": "1"}, "annotation 1 is of image '1' and category 5, which are not both"),
        ({"image_id": [1]}, "no annotations of COCO: TypeError"),
    ],
)
def test_annotations_that_would_score_otherwise_than_they_say_are_refused(
    tmp_path: Path, changed: dict[str, object], told: str
) -> None:
    annotations = [{**COCO["annotations"][0], **changed}]
    (tmp_path / "l.json").write_text(json.dumps({**COCO, "annotations": annotations}))
    with pytest.raises(BenchError, match=told):
        read_labels(tmp_path / "l.json", 1, ["a.png"])


def test_categories_without_a_number_of_their_own_are_refused(tmp_path: Path) -> None:
    for categories in ([{"id": None}, {"id": 5}], [{"id": 5}, {"id": 5}]):
        (tmp_path / "l.json").write_text(json.dumps({**COCO, "categories": categories}))
        with pytest.raises(BenchError, match="categories need numbers of their own"):
            read_labels(tmp_path / "l.json", 1, ["a.png"])


def test_null_for_area_and_crowd_is_as_if_they_were_not_there(tmp_path: Path) -> None:
    annotations = [{**COCO["annotations"][0], "area": None, "iscrowd": None}]
    (tmp_path / "l.json").write_text(json.dumps({**COCO, "annotations": annotations}))
    (box,) = read_labels(tmp_path / "l.json", 1, ["a.png"]).values["annotations"]
    assert (box["area"], box["iscrowd"]) == (12, 0)


def test_arrays_of_another_count_or_kind_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "l.npz", labels=np.zeros(3))
    with pytest.raises(BenchError, match=r"\[3\] float64 for 3 cases"):
        read_labels(tmp_path / "l.npz", 3, [])
    np.savez(tmp_path / "l.npz", y=np.zeros(3))
    with pytest.raises(BenchError, match="no member 'labels'"):
        read_labels(tmp_path / "l.npz", 3, [])
    np.savez(tmp_path / "l.npz", labels=np.array([1, 2**63], np.uint64))
    with pytest.raises(BenchError, match="class -9223372036854775808"):
        read_labels(tmp_path / "l.npz", 2, [])


def golden_of(path: Path, **told: object) -> Path:
    """Return a golden of two cases whose metadata says so."""
    np.savez(path, metadata=np.array(json.dumps({"schema": "rkbench-golden/1", "cases": 2, **told})))
    return path


def test_labels_of_another_task_and_boxes_without_pictures_are_refused(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text("1\n2\n")
    with pytest.raises(BenchError, match="are of the task classify, the golden says detect"):
        make_scorer(golden_of(tmp_path / "g.npz", task="detect"), tmp_path / "l.txt", None)
    (tmp_path / "l.json").write_text(json.dumps(COCO))
    with pytest.raises(BenchError, match="boxes are of pictures, and the golden names none"):
        make_scorer(golden_of(tmp_path / "g.npz"), tmp_path / "l.json", None)


def test_a_class_that_the_model_lacks_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text("1\n10\n")
    scorer = make_scorer(golden_of(tmp_path / "g.npz"), tmp_path / "l.txt", None)
    with pytest.raises(BenchError, match=r"class 10, the model has 10 \(0 to 9\)"):
        scorer.check([TensorSpec("y", [1, 10], "float32")], 2)
    with pytest.raises(BenchError, match=r"no output holds scores of classes.*y \[1, 84, 100\]"):
        scorer.check([TensorSpec("y", [1, 84, 100], "float32")], 2)
    with pytest.raises(BenchError, match=r"labels l\.txt: 2 for the 1 cases of the golden"):
        scorer.check([TensorSpec("y", [1, 20], "float32")], 1)


OWN = """
def mean(outputs, labels):
    return outputs["y"].mean()

def broken(outputs, labels):
    return labels["boxes"]

def text(outputs, labels):
    return "good"

def ends(outputs, labels):
    raise SystemExit(0)

def huge(outputs, labels):
    return 10 ** 400

def overwrites(outputs, labels):
    labels[:] = 0
    return 1

def prints(outputs, labels):
    print("a look at", labels)
    return 1

def nothing(outputs, labels):
    return float("nan")

number = 3
"""


def test_a_users_own_function_gets_all_outputs_and_the_labels(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(OWN)
    text = f"{tmp_path / 'm.py'}:mean"
    assert call_metric(text, read_metric(text), {"y": np.array([[1.0], [3.0]])}, None) == 2.0


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "broken",
            r"m\.py:broken failed: TypeError: 'NoneType' object is not subscriptable \(m\.py, line 6\)",
        ),
        ("text", r"m\.py:text returned str, not a number"),
        ("ends", r"m\.py:ends failed: SystemExit: 0 \(m\.py, line 12\)"),
        ("huge", r"m\.py:huge returned int, not a number"),
        ("nothing", r"m\.py:nothing returned nan"),
    ],
)
def test_a_function_that_yields_no_number_costs_its_metric_and_says_why(
    tmp_path: Path, name: str, told: str
) -> None:
    (tmp_path / "m.py").write_text(OWN)
    scorer = Scorer(None, "", read_metric(f"{tmp_path / 'm.py'}:{name}"), f"m.py:{name}", {})
    (metric,) = scorer.score({"y": np.zeros((2, 1))})
    assert metric.value is None
    assert re.search(told, metric.detail)


def test_a_function_that_changes_its_labels_changes_none_of_the_next_variant(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(OWN)
    (tmp_path / "l.txt").write_text("1\n2\n")
    scorer = make_scorer(golden_of(tmp_path / "g.npz"), tmp_path / "l.txt", f"{tmp_path / 'm.py'}:overwrites")
    outputs = {"y": np.eye(3)[[1, 2]]}
    told = [{metric.name: metric.value for metric in scorer.score(outputs)} for _ in range(2)]
    assert told[0] == told[1]
    assert told[1]["top1"] == 1.0


def test_what_a_function_prints_stays_out_of_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.py").write_text(f"print('read')\n{OWN}")
    text = f"{tmp_path / 'm.py'}:prints"
    call_metric(text, read_metric(text), {}, None)
    assert capsys.readouterr() == ("", "read\na look at None\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("m.py", "write FILE.py:function"),
        ("{folder}/none.py:f", "no such file"),
        ("{folder}/m.py:none", "defines no function 'none'"),
        ("{folder}/m.py:number", "defines no function 'number'"),
        ("{folder}/bad.py:f", r"cannot be read: SyntaxError"),
        ("{folder}/ends.py:f", r"cannot be read: SystemExit: 0"),
    ],
)
def test_a_metric_that_cannot_be_read_is_a_usage_error(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "m.py").write_text(OWN)
    (tmp_path / "ends.py").write_text("raise SystemExit(0)\n")
    (tmp_path / "bad.py").write_text("def f(:\n")
    with pytest.raises(UsageError, match=told):
        read_metric(text.format(folder=tmp_path))
