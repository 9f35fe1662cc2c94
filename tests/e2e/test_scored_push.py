"""A push that is scored: labels and a user's function on outputs that the virtual board returns."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from test_golden_push import DATA, push

OWN = """
def values(outputs, labels):
    return outputs["logits"].size + 0.25 * len(labels)

def broken(outputs, labels):
    return outputs["boxes"]
"""


def write_labels(folder: Path, wrong: int) -> None:
    """Write the classes that the golden expects, but for `wrong` of the 64."""
    with np.load(DATA / "golden.npz") as golden:
        best = golden["outputs/logits"].reshape(64, 10).argmax(axis=1)
    best[:wrong] = (best[:wrong] + 1) % 10
    (folder / "labels.txt").write_text("\n".join(map(str, best)))
    (folder / "own.py").write_text(OWN)


def test_metrics_of_true_labels_are_shown_stored_and_required(tmp_path: Path) -> None:
    write_labels(tmp_path, wrong=16)
    scored = ("--golden", DATA / "golden.npz", "--labels", "labels.txt", "--metric", "own.py:values")
    asked = ("--require", "top1 >= 70%", "--require", "top-1 accuracy >= 80%", "--require", "metric >= 656")
    result = push(tmp_path, *scored, *asked, "--json", "out.json", "--csv", "out.csv")
    assert result.returncode == 3
    assert "the outputs of all cases come back to be scored: 2.56 kB at most" in result.stderr
    assert "top-1 true ≈75.0 %" in " ".join(result.stdout.split())
    assert "✓  digits.int8: top-1 accuracy >= 70%: ≈75.0 %" in result.stdout
    assert "✗  digits.int8: top-1 accuracy >= 80%: ≈75.0 %" in result.stdout
    assert "✓  digits.int8: metric >= 656: ≈656" in result.stdout
    run = json.loads((tmp_path / "out.json").read_text())["runs"][0]
    told = {item["name"]: (item["value"], item["source"], item["case_count"]) for item in run["task_metrics"]}
    assert told["top1"] == (0.75, "labels.txt", 64)
    assert told["metric"] == (656.0, "own.py:values", 64)
    assert "not_scored" not in {caveat["code"] for caveat in run["caveats"]}
    assert "own_metric" in (tmp_path / "out.csv").read_text().splitlines()[0]


def test_a_function_that_fails_costs_its_metric_alone_and_the_exit_code(tmp_path: Path) -> None:
    write_labels(tmp_path, wrong=0)
    scored = ("--golden", DATA / "golden.npz", "--metric", "own.py:broken")
    result = push(tmp_path, *scored, "--json", "out.json")
    assert result.returncode == 1
    assert "own.py:broken failed: KeyError: 'boxes' (own.py, line 6)" in " ".join(result.stdout.split())
    run = json.loads((tmp_path / "out.json").read_text())["runs"][0]
    assert (run["verdict"], run["failure"], run["task_metrics"][0]["value"]) == ("VALID", None, None)
    assert "not_scored" in {caveat["code"] for caveat in run["caveats"]}
    assert run["outputs"][0]["cosine"] > 0.999


def test_outputs_that_a_virtual_board_has_not_cost_the_metrics_and_the_exit_code(tmp_path: Path) -> None:
    write_labels(tmp_path, wrong=0)
    with np.load(DATA / "golden.npz") as golden:
        other = {name: array + 1 if "inputs/" in name else array for name, array in golden.items()}
    np.savez(tmp_path / "other.npz", **other)
    scored = ("--golden", "other.npz", "--labels", "labels.txt", "--metric", "own.py:values")
    result = push(tmp_path, *scored, "--require", "top1 >= 70%", "--json", "out.json")
    assert result.returncode == 1, result.stdout
    shown = " ".join(result.stdout.split())
    assert "top-1 accuracy >= 70%: the outputs of its cases did not come back" in shown
    run = json.loads((tmp_path / "out.json").read_text())["runs"][0]
    assert [item["source"] for item in run["task_metrics"]] == ["labels.txt", "own.py:values"]
    assert {"not_scored", "outputs_not_recorded"} <= {caveat["code"] for caveat in run["caveats"]}


def test_labels_that_do_not_fit_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("1\n2\n")
    result = push(tmp_path, "--golden", DATA / "golden.npz", "--labels", "labels.txt")
    assert (result.returncode, "connecting" in result.stderr) == (2, False)
    assert "bench: labels labels.txt: 2 lines for 64 cases" in result.stderr
    nothing = push(tmp_path, "--labels", "labels.txt")
    assert (nothing.returncode, "there is none" in nothing.stderr) == (2, True)
