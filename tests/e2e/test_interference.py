"""`--interfere-with` end to end, as a user types it, on the built-in virtual board."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from test_push import Bench
from test_push import bench as bench
from test_scenarios import DEMO, document_of, push, stopped

OTHER = DEMO / "digits.fp16.rknn"
BESIDE = ("--interfere-with", OTHER, "--duration", "0.1", "--iterations", "24")


def test_two_models_are_measured_alone_and_together_in_each_placement(bench: Bench, tmp_path: Path) -> None:
    made = tmp_path / "run.csv"
    options = (*BESIDE, "--placement", "spread,0", "--csv", made, "--require", "interference loss <= 2%")
    (run,) = document_of(bench, *options)["runs"]
    found = run["interference"]
    spread, shared = found["placements"]
    assert (found["other"], found["best"], run["plan"]["scenario"]) == (
        "digits.fp16",
        "spread",
        "interference",
    )
    assert [(item["placement"], item["rounds"]) for item in (spread, shared)] == [("spread", 12), ("0", 12)]
    assert (spread["own"]["core_mask"], spread["other"]["core_mask"]) == ("0", "1")
    assert abs(spread["own"]["loss_ratio"]) < 0.02
    # Alone 0.96 and 2.07 ms a call, in turns on one core 2.97: copies go on beside the other's run.
    assert 0.66 < shared["own"]["loss_low"] < shared["own"]["loss_ratio"] < shared["own"]["loss_high"] < 0.69
    assert shared["other"]["loss_ratio"] == pytest.approx(0.30, abs=0.02)
    for model in (spread["own"], spread["other"], shared["own"], shared["other"]):
        assert model["outputs"]["repeats"] is True
        assert model["outputs"]["compared"] >= 24
        assert model["outputs"]["changed"] == []
    assert (run["verdict"], run["throughput_per_s"]) == ("VALID", spread["own"]["beside_per_s"])
    assert run["requirements"][0]["state"] == "pass"
    (row,) = csv.DictReader(io.StringIO(made.read_text()))
    assert float(row["interference_loss_ratio"]) == spread["own"]["loss_ratio"]
    shown = " ".join(bench.run("show", "last").stdout.split())
    assert "▸ spread" in shown
    assert "Together spread over the cores" in shown


def test_outputs_that_change_beside_another_model_make_a_run_suspect(bench: Bench, tmp_path: Path) -> None:
    behaviour = tmp_path / "behaviour.json"
    behaviour.write_text(json.dumps({"per_model": {"digits.regrouped.int8": {"outputs_beside": "wrong"}}}))
    bench.inventory.write_text(
        f'[boards.made]\nhost = "virtual"\nsoc = "rk3588"\nbehaviour = "{behaviour}"\n'
    )
    done = push(bench, *BESIDE, "--placement", "auto", board="made")
    (run,) = json.loads(bench.run("show", "last", "--json", "-").stdout)["runs"]
    (caveat,) = [item for item in run["caveats"] if item["code"] == "outputs_beside"]
    assert run["verdict"] == "SUSPECT"
    assert "digits.regrouped.int8 (auto): " in caveat["message"]
    assert "digits.fp16" not in caveat["message"]
    assert "digits.regrouped.int8 differs from calls alone in" in " ".join(done.stdout.split())


def test_the_same_file_may_stand_on_both_sides_and_one_core_is_shared(bench: Bench, tmp_path: Path) -> None:
    behaviour = tmp_path / "behaviour.json"
    behaviour.write_text(json.dumps({"latency": {"median_ms": 5}}))  # beside which the copies are nothing
    bench.inventory.write_text(
        f'[boards.made]\nhost = "virtual"\nsoc = "rk3568"\nbehaviour = "{behaviour}"\n'
    )
    made = Path(__file__).parents[1] / "data/models/grouped_c64_g16_rk3568_i8.rknn"
    options = ("--board", "made", "--duration", "0.1", "--iterations", "24", "--json", "-")
    done = bench.run("push", made, *options, "--interfere-with", made, "--quiet")
    (run,) = json.loads(done.stdout)["runs"]
    (only,) = run["interference"]["placements"]
    assert run["interference"]["other"] == "grouped_c64_g16_rk3568_i8 (other)"
    assert only["placement"] == "auto"
    assert only["own"]["loss_ratio"] > 0.3


def test_ctrl_c_keeps_the_rounds_that_were_measured(bench: Bench, tmp_path: Path) -> None:
    options = (*map(str, BESIDE), "--placement", "auto")
    run = stopped(bench, tmp_path, 0.25, 150, *options)
    (only,) = run["interference"]["placements"]
    assert 3 <= only["rounds"] < 12
    assert only["own"]["outputs"] is None


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ("--interfere-with", OTHER, "--scenario", "soak"),
            "--interfere-with means nothing with --scenario soak",
        ),
        (("--scenario", "interference"), "--scenario interference needs a second model"),
        (
            ("--interfere-with", OTHER, "--contexts", "2"),
            "--contexts means nothing with --scenario interference",
        ),
        (("--interfere-with", OTHER, "--cores", "0"), "--cores 0 means nothing with --scenario interference"),
        (("--interfere-with", OTHER, "--placement", "up"), "no placement 'up'"),
        (("--placement", "0"), "--interfere-with OTHER.rknn"),
    ],
)
def test_what_does_not_go_with_a_second_model_is_a_usage_error(
    options: tuple[str, ...], told: str, bench: Bench
) -> None:
    done = push(bench, *options)
    assert done.returncode == 2
    assert told in " ".join(done.stderr.split())


def test_a_second_model_of_another_soc_is_refused(bench: Bench) -> None:
    made = Path(__file__).parents[1] / "data/models/grouped_c64_g16_rk3568_i8.rknn"
    done = push(bench, "--interfere-with", made)
    assert done.returncode != 0
    assert "grouped_c64_g16_rk3568_i8.rknn" in done.stderr
    assert "rk3568" in done.stderr
