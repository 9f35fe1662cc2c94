"""Scenarios end to end, as a user types them, on the built-in virtual board: its clock makes them quick."""

from __future__ import annotations

import csv
import io
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from bench_command import Done
from rkbench.views.push.json import SCHEMA_FILE
from strict_schema import strict_validator
from test_push import Bench
from test_push import bench as bench

DEMO = Path(__file__).parents[2] / "host/rkbench/demo/data"
INT8, GOLDEN = DEMO / "digits.regrouped.int8.rknn", DEMO / "golden.npz"

#: Nobody answers there: what is refused at once was refused before the board was asked.
DEAF = '[boards.deaf]\nhost = "127.0.0.1"\nport = 1\n'
#: Short steps; the rates are those of a model all the same.
OFFLINE = ("--scenario", "offline", "--duration", "0.1", "--iterations", "60")


def push(bench: Bench, *arguments: object, board: str = "virtual") -> Done:
    return bench.run("push", INT8, "--board", board, "--golden", GOLDEN, "--quiet", *arguments)


def document_of(bench: Bench, *arguments: object) -> dict[str, Any]:
    done = push(bench, *arguments, "--json", "-")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert list(strict_validator(SCHEMA_FILE).iter_errors(document)) == []
    return document


def test_offline_names_where_the_rate_saturates(bench: Bench, tmp_path: Path) -> None:
    made = tmp_path / "run.csv"
    options = ("--contexts", "1,3,6", "--placement", "auto,all", "--csv", made)
    (run,) = document_of(bench, *OFFLINE, *options)["runs"]
    offline = run["offline"]
    assert [(step["placement"], step["contexts"]) for step in offline["steps"]] == [
        (placement, contexts) for placement in ("auto", "all") for contexts in (1, 3, 6)
    ]
    assert (offline["saturation"]["contexts"], offline["saturation"]["is_reached"]) == (3, True)
    assert run["throughput_per_s"] == offline["saturation"]["rate_per_s"]
    assert 2.9 < run["throughput_per_s"] / offline["one_per_s"] < 3.1
    assert (run["verdict"], run["provenance"]["latency"], offline["shares_weights"]) == (
        "VALID",
        "predicted",
        True,
    )
    assert run["plan"]["contexts"] == [1, 3, 6]
    shown = bench.run("show", "last").stdout
    assert "▸ 3" in shown
    assert "saturates at 3 contexts" in shown
    (row,) = csv.DictReader(io.StringIO(made.read_text()))
    assert float(row["offline_one_per_s"]) == offline["one_per_s"]


def test_offline_of_two_variants_compares_their_highest_rates(bench: Bench) -> None:
    options = (*OFFLINE, "--contexts", "3", "--placement", "spread")
    document = document_of(bench, DEMO / "digits.fp16.rknn", *options)
    assert document["comparison"]["latency_tests"] == []
    (throughput,) = [m for m in document["comparison"]["metrics"] if m["name"] == "throughput_per_s"]
    assert all(value > 1400 for value in throughput["values"].values())
    assert "Offline digits.fp16 does ≈" in document["comparison"]["verdict"]


def test_offline_on_one_core_has_one_placement(bench: Bench) -> None:
    made = Path(__file__).parents[1] / "data/models/grouped_c64_g16_rk3568_i8.rknn"
    steps = (*OFFLINE, "--contexts", "1")
    done = bench.run("push", made, "--board", "virtual:rk3568", *steps, "--quiet")
    assert done.returncode == 0, done.stderr
    assert "auto" in done.stdout
    assert "spread" not in done.stdout


def test_a_server_finds_the_highest_rate_that_keeps_its_objective(bench: Bench) -> None:
    options = ("--scenario", "server", "--find-rate", "--slo", "p99 <= 3ms")
    (run,) = document_of(bench, *options)["runs"]
    server = run["server"]
    first, *tries = server["tries"]
    assert (first["rate_per_s"], first["is_kept"]) == (None, None)
    assert tries[0]["rate_per_s"] == pytest.approx(first["served_per_s"] / 2, rel=1e-3)
    kept = [item["rate_per_s"] for item in tries if item["is_kept"]]
    missed = [item["rate_per_s"] for item in tries if item["is_kept"] is False]
    unsure = [item["rate_per_s"] for item in tries if item["is_kept"] is None]
    assert (server["goodput_per_s"], server["failing_per_s"]) == (max(kept), min(missed))
    assert max(kept) < min(unsure) <= max(unsure) < min(missed)
    assert min(unsure) < 1.1 * max(kept)
    assert all(item["objective_high_s"] <= 0.003 for item in tries if item["is_kept"])
    assert run["latency"]["p99_s"] <= 0.003
    shown = bench.run("show", "last").stdout
    assert "the highest rate tried that keeps p99 <= 3ms" in " ".join(shown.split())
    assert "goodput" in shown


def test_a_server_at_one_rate_tells_the_queue(bench: Bench) -> None:
    (run,) = document_of(bench, "--scenario", "server", "--rate", "500", "--duration", "0.1")["runs"]
    (only,) = run["server"]["tries"]
    assert (only["rate_per_s"], only["count"], only["is_kept"]) == (500.0, 1000, None)
    assert only["p99_s"] > 2 * only["p50_s"]


def test_a_rate_beyond_what_can_be_served_is_told_with_one_that_can(bench: Bench) -> None:
    options = ("--scenario", "server", "--duration", "0.1")
    (flooded,) = document_of(bench, *options, "--rate", "5000")["runs"]
    (told,) = [item for item in flooded["caveats"] if item["weight"] == "doubt"]
    assert (told["code"], flooded["verdict"]) == ("overloaded", "SUSPECT")
    advised = told["advice"].split("--rate ")[1].split(")")[0]
    (served,) = document_of(bench, *options, "--rate", advised)["runs"]
    assert "overloaded" not in {item["code"] for item in served["caveats"]}
    assert served["verdict"] == "VALID"


def test_a_file_without_room_takes_neither_the_table_nor_the_other_file(bench: Bench, tmp_path: Path) -> None:
    made = tmp_path / "runs.csv"
    done = push(bench, "--quick", "--duration", "0", "--json", "/dev/full", "--csv", made)
    assert done.returncode == 1
    assert "bench: /dev/full: No space left on device" in done.stderr
    assert "latency p50" in done.stdout
    assert len(made.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "scenario",
    [
        ("--scenario", "server", "--rate", "200"),
        (*OFFLINE, "--contexts", "3", "--placement", "auto"),
        ("--interfere-with", DEMO / "digits.fp16.rknn", "--placement", "0", "--duration", "0.1"),
    ],
    ids=["server", "offline", "interference"],
)
def test_requirements_are_held_against_the_calls_that_stand_for_the_run(
    bench: Bench, scenario: tuple[object, ...]
) -> None:
    crossed, kept = (
        ("--require", f"p99 <= {limit}", "--require", f"p50 <= {limit}") for limit in ("1us", "9s")
    )
    done = push(bench, *scenario, *crossed, *kept, "--json", "-")
    assert done.returncode == 3, done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    assert [item["state"] for item in run["requirements"]] == ["fail", "fail", "pass", "pass"]
    assert run["requirements"][0]["value"] == run["latency"]["p99_s"]
    assert (run["latency"]["busy_period_count"] or run["latency"]["block_count"]) >= 20


def test_a_soak_says_what_spoke_against_it(bench: Bench, tmp_path: Path) -> None:
    behaviour = tmp_path / "behaviour.json"
    latency = {"distribution": "constant", "median_ms": 10}
    behaviour.write_text(json.dumps({"latency": latency, "drift": {"ratio": 0.1, "over_s": 10}}))
    bench.inventory.write_text(
        f'[boards.made]\nhost = "virtual"\nsoc = "rk3588"\nbehaviour = "{behaviour}"\n'
    )
    options = ("--board", "made", "--scenario", "soak", "--duration", "10s", "--golden", GOLDEN)
    done = bench.run("push", INT8, *options)
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(bench.run("show", "last", "--json", "-").stdout)["runs"]
    assert [finding["code"] for finding in run["soak"]["findings"]] == ["drift"]
    assert (run["verdict"], run["soak"]["changed"]) == ("SUSPECT", 0)
    assert 9.9 < run["soak"]["elapsed_s"] < 10.2
    assert "not steady (simulated): calls grew slower by" in " ".join(done.stdout.split())


def test_a_soak_of_three_calls_says_that_it_is_too_short_to_tell(bench: Bench, tmp_path: Path) -> None:
    behaviour = tmp_path / "behaviour.json"
    behaviour.write_text(json.dumps({"latency": {"distribution": "constant", "median_ms": 300}}))
    bench.inventory.write_text(
        f'[boards.made]\nhost = "virtual"\nsoc = "rk3588"\nbehaviour = "{behaviour}"\n'
    )
    done = bench.run("push", INT8, "--board", "made", "--scenario", "soak", "--duration", "0.8s")
    said = " ".join(done.stdout.split())
    assert "too short to tell whether it is steady: 3 of the 20 windows that it takes" in said
    assert "soak longer: --duration 30" in said
    assert "only 3 timed iterations" in said
    assert "iterations 100" not in said
    assert "at least" not in said
    assert "1 variant · 800 ms each ·" in said
    assert ": steady" not in said


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--duration", "2 days"), "'2 days' is no duration"),
        (("--scenario", "soak", "--contexts", "2"), "--contexts means nothing with --scenario soak"),
        (("--rate", "5"), "--rate means nothing with --scenario single_stream"),
        (("--scenario", "offline", "--slo", "p99 <= 1ms"), "--slo means nothing with --scenario offline"),
        (("--scenario", "server"), "needs one of --rate and --find-rate"),
        (("--scenario", "server", "--rate", "0"), "must be from 0.01"),
        (("--scenario", "server", "--find-rate"), "--find-rate needs an objective"),
        (("--scenario", "server", "--find-rate", "--slo", "p98 < 3"), "cannot read --slo 'p98 < 3'"),
        (("--scenario", "server", "--rate", "5", "--contexts", "1,2"), "one number of contexts"),
        (("--contexts", "3"), "--contexts means nothing with --scenario single_stream"),
        (("--scenario", "offline", "--cores", "all"), "--placement all"),
        (("--scenario", "offline", "--contexts", "0"), "must be from 1 to 64"),
        (("--scenario", "offline", "--placement", "up"), "no placement 'up'"),
        (("--require", "goodput >= 5/s"), "→ --scenario server --find-rate --slo 'p99 <= 30ms'"),
        (("--require", "interference loss <= 5%"), "→ --interfere-with OTHER.rknn"),
        (("--require", "top-1 accuracy >= 50%"), "→ --labels FILE"),
        (("--require", "metric >= 0.5"), "→ --metric FILE.py:function"),
        (("--quick", "--scenario", "offline"), "→ leave --scenario away; a shorter one: --duration 0.5"),
        (("--precision", "1", "--scenario", "offline"), "→ leave --scenario away; for the percentiles"),
        (
            (DEMO / "digits.fp16.rknn", "--precision", "1", "--no-interleave"),
            "→ leave --no-interleave away; for the percentiles",
        ),
        (("--loads", "3", "--interfere-with", INT8), "→ leave --interfere-with away; to load one"),
    ],
)
def test_options_that_do_not_go_together_are_a_usage_error(
    options: tuple[str, ...], told: str, bench: Bench
) -> None:
    bench.inventory.write_text(DEAF)
    done = push(bench, *options, board="deaf")
    assert done.returncode == 2
    assert told in done.stderr


def test_outputs_are_required_of_nothing_without_a_golden(bench: Bench) -> None:
    bench.inventory.write_text(DEAF)
    done = bench.run("push", INT8, "--board", "deaf", "--require", "cosine[scores] >= 0.9")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'cosine[scores] >= 0.9' cannot be told: this push has no golden" in done.stderr
    assert "→ --golden FILE.npz, or --onnx MODEL.onnx" in done.stderr


def test_a_placement_that_the_board_has_not_is_a_usage_error(bench: Bench) -> None:
    made = Path(__file__).parents[1] / "data/models/grouped_c64_g16_rk3568_i8.rknn"
    options = ("--board", "virtual:rk3568", "--scenario", "offline", "--placement", "spread")
    done = bench.run("push", made, *options)
    assert done.returncode == 2
    assert "rk3568 has 1 NPU core" in done.stderr


def stopped(bench: Bench, folder: Path, at: float, iteration: int, *options: str) -> dict[str, Any]:
    """Push until `at` of the inferences (0 to 1) are done, press Ctrl-C, and return the run.

    The board hangs at an iteration.
    """
    behaviour = folder / "behaviour.json"
    latency = {"distribution": "constant", "median_ms": 10}
    hang = [{"stage": "inference", "iteration": iteration}]
    behaviour.write_text(json.dumps({"latency": latency, "hang": hang}))
    bench.inventory.write_text(f'[boards.made]\nhost = "virtual"\nbehaviour = "{behaviour}"\n')
    running = bench.start("push", INT8, "--board", "made", "--jsonl", "/dev/stderr", *options)
    assert running.stdout is not None
    assert running.stderr is not None
    for line in running.stderr:
        told = json.loads(line) if line.startswith("{") else {}
        if told.get("stage") == "inference" and told["done"] >= at * told["total"]:
            break
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130
    assert "STOPPED" in running.stdout.read()
    (run,) = json.loads(bench.run("show", "last", "--json", "-").stdout)["runs"]
    assert run["verdict"] == "STOPPED"
    found: dict[str, Any] = run
    return found


def test_ctrl_c_keeps_the_steps_that_were_measured(bench: Bench, tmp_path: Path) -> None:
    options = (*OFFLINE, "--contexts", "1,2", "--placement", "auto")
    run = stopped(bench, tmp_path, 0.5, 70, *options)
    assert [step["contexts"] for step in run["offline"]["steps"]] == [1]


def test_a_stopped_soak_keeps_what_it_has(bench: Bench, tmp_path: Path) -> None:
    run = stopped(bench, tmp_path, 0.25, 100, "--scenario", "soak", "--duration", "2")
    assert 0.5 <= run["soak"]["elapsed_s"] <= 1.1
    assert run["soak"]["count"] == sum(window["count"] for window in run["soak"]["windows"]) <= 100
    # To its end it would say "modelled", as the behaviour gives the latency: nobody had told so far.
    sources = run["provenance"]
    assert (sources["latency"], sources["load"], sources["process_memory"]) == (None, "from_file", "measured")


SUITE = """
name = "rates"
boards = ["virtual"]
[plans.rate]
scenario = "server"
find_rate = true
slo = "p99 <= 5ms"
[plans.most]
scenario = "offline"
contexts = [1, 3]
placement = ["spread"]
duration = 0.1
[[models]]
files = "FILE"
gates = ["goodput >= 1/s", "goodput >= 9999/s", "p99 <= 1us", "p50 <= 1s"]
plans = ["rate"]
[[models]]
files = "FILE"
gates = ["throughput >= 1500/s"]
plans = ["most"]
"""


def test_plans_of_a_suite_may_name_scenarios(bench: Bench, tmp_path: Path) -> None:
    suite, made = tmp_path / "suite.toml", tmp_path / "night.json"
    suite.write_text(SUITE.replace("FILE", str(INT8)))
    done = bench.run("nightly", suite, "--json", made)
    assert done.returncode == 3, done.stderr + done.stdout
    cells = json.loads(made.read_text())["cells"]
    gates = {gate["gate"]: gate["state"] for cell in cells for gate in cell["gates"]}
    assert gates == {
        "goodput >= 1/s": "pass",
        "goodput >= 9999/s": "fail",
        "p99 <= 1us": "fail",
        "p50 <= 1s": "pass",
        "throughput >= 1500/s": "pass",
    }


def test_a_suite_that_mixes_scenarios_is_refused(bench: Bench, tmp_path: Path) -> None:
    suite = tmp_path / "suite.toml"
    suite.write_text(SUITE.replace("FILE", str(INT8)).replace('scenario = "offline"\n', ""))
    done = bench.run("nightly", suite)
    assert done.returncode == 2
    assert "means nothing with" in done.stderr
