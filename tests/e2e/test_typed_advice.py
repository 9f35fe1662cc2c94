"""The options that doubts advise, typed: the push runs, and what it was advised for is said no more."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from test_push import Bench
from test_push import bench as bench
from test_scenarios import DEMO, document_of

MODELS = (DEMO / "digits.regrouped.int8.rknn", DEMO / "digits.int8.rknn")


def codes(run: dict[str, object]) -> set[str]:
    return {caveat["code"] for caveat in run["caveats"]}  # type: ignore[attr-defined, index]


def test_a_push_with_all_that_is_advised_has_nothing_of_what_it_was_advised_for(
    bench: Bench, tmp_path: Path
) -> None:
    hasty = ("--board", "virtual", "--iterations", "10", "--duration", "0", "--quiet", "--json", "-")
    cut = ("--no-interleave", "--max-duration", "0.01", "--load-cycles", "50")
    (alone,) = bench.run("push", MODELS[1], *hasty, *cut).document["runs"]
    assert alone["load"]["cycles"]["count"] == 50
    assert {"too_few_iterations", "few_blocks", "no_golden", "max_duration_reached"} <= codes(alone)
    pair = bench.run("push", *MODELS, *hasty, "--loads", "2", "--quads", "1").document["runs"]
    assert all("few_quads" in codes(run) for run in pair)
    advised = (
        *("--iterations", "1000", "--duration", "3", "--warmup", "50", "--loads", "14", "--precision", "4"),
        *("--cores", "0", "--pin", "--cool-below", "50", "--cool-limit", "1", "--max-duration", "60"),
    )
    cured = document_of(bench, MODELS[1], *advised)["runs"]
    said = {*codes(alone), *codes(pair[0]), "few_readings", "p99_rough"} - {"simulated"}
    assert [codes(run) & {*said, "precision_not_reached"} for run in cured] == [set(), set()]
    assert [run["verdict"] for run in cured] == ["VALID", "VALID"]
    assert bench.run("export", "--raw", "--csv", tmp_path / "FILE.csv").returncode == 0
    with (tmp_path / "FILE.csv").open() as rows:
        assert {"start_ns", "duration_ns", "block"} <= set(next(csv.reader(rows)))


def test_the_time_that_a_push_out_of_time_is_advised_is_enough(bench: Bench) -> None:
    told = ("push", *MODELS, "--board", "virtual", "--quiet", "--json", "-", "--max-duration")
    short = bench.run(*told, "0.5").document["runs"]
    assert all({"few_quads", "max_duration_reached"} <= codes(run) for run in short)
    advised = {item["code"]: item["advice"] for item in short[0]["caveats"]}
    assert "--loads" not in advised["few_quads"]
    words = re.findall(r"--max-duration ([\d.]+)", advised["max_duration_reached"])
    enough = bench.run(*told, *words).document["runs"]
    assert [codes(run) & codes(short[0]) - {"simulated", "no_golden"} for run in enough] == [set(), set()]


def test_models_that_slow_each_other_down_are_measured_one_after_the_other(
    bench: Bench, tmp_path: Path
) -> None:
    behaviour = tmp_path / "b.json"
    behaviour.write_text('{"switches": {"calls": 5, "factor": 1.2}}')
    bench.inventory.write_text(f'[boards.v]\nhost = "virtual"\nsoc = "rk3588"\nbehaviour = "{behaviour}"\n')
    told = ("push", *MODELS, "--board", "v", "--quiet", "--json", "-")
    in_turns = bench.run(*told).document["runs"]
    advice = {item["code"]: item["advice"] for run in in_turns for item in run["caveats"]}["slow_turns"]
    (advised,) = re.findall(r"--[a-z-]+", advice)
    alone = bench.run(*told, advised).document["runs"]
    assert ["slow_turns" in codes(run) for run in (*in_turns, *alone)] == [True, True, False, False]


def test_a_file_of_another_soc_reaches_the_board_where_that_is_insisted_on(bench: Bench) -> None:
    other = Path(__file__).parents[1] / "data/models/grouped_c64_g16_rk3568_i8.rknn"
    refused = bench.run("push", other, "--board", "virtual")
    assert refused.returncode == 2
    assert refused.stderr.rstrip().endswith("or overrule the header: --force")
    forced = bench.run("push", other, "--board", "virtual", "--force")
    assert "sent all the same (--force)" in " ".join((forced.stdout + forced.stderr).split())
    assert "failed in load" in " ".join(forced.stdout.split())


@pytest.mark.parametrize(
    "words",
    [
        ("inspect", MODELS[0]),
        ("inspect", MODELS[1], "--against", DEMO / "digits.onnx"),
        ("boards", "check", "virtual"),
        ("explain", "31"),
        ("golden", DEMO / "digits.regrouped.onnx", "-o", "made.npz"),
    ],
    ids=lambda words: words[0],
)
def test_commands_that_doubts_name_can_be_typed(
    bench: Bench, words: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = bench.run(*words)
    assert (done.returncode, done.stdout != "") == (0, True), done.stderr
