"""Small things that a new user met, each as it should be."""

from __future__ import annotations

import csv
import io
import os
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bench_command import run_bench
from made_runs import make_run
from rkbench.campaign import compare_collected
from rkbench.results.collect import Collected
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import Readings, Sensor
from rkbench.results.night import CellResult, GateResult, Night
from rkbench.stats.gates import FAIL
from rkbench.stats.judging import Judgement
from rkbench.views.nightly.console import print_night
from rkbench.views.nightly.junit import render_junit
from rkbench.views.nightly.markdown import render_markdown
from rkbench.views.nightly.sentences import headline
from rkbench.views.push.csv import write_runs
from rkbench.views.report.markdown import render_report_markdown
from rkbench.views.report.page import render_page

RKNN = Path("host/rkbench/demo/data/digits.fp16.rknn").resolve()
ONNX = Path("tests/data/models/bloat3M_groupconv_cpg4.onnx").resolve()
SLOW = GateResult("p50 within 5%", "p50", "s", FAIL, (Judgement(FAIL, 0.00451, 0.0041, 10.0, 9.6, 10.4),))
CELL = CellResult(
    "digits", "digits.fp16", "rock", "default", gates=(SLOW,), baseline="b-01", p50_s=0.00451, p99_s=0.0062,
    load_npu_total_bytes=14_584_128, duration_s=12.5, measured_unix_s=1_796_000_000.0,
)  # fmt: skip
NIGHT = Night("night-1", "lab", "f", 1_796_000_000.0, 1_796_000_100.0, cells=(CELL,))


@pytest.mark.parametrize(
    "words",
    [
        ("golden", RKNN, "-o", "x.npz"),
        ("fix", RKNN, "--target", "rk3588", "-o", "y.onnx"),
        ("push", RKNN, "--board", "virtual", "--onnx", RKNN),
        ("inspect", RKNN, "--against", RKNN),
        ("sweep", RKNN, "--board", "virtual"),
    ],
    ids=lambda words: words[0],
)
def test_a_rknn_where_an_onnx_is_wanted_is_named(words: tuple[object, ...], tmp_path: Path) -> None:
    done = run_bench(*words, environment={**os.environ, "XDG_DATA_HOME": str(tmp_path)}, folder=tmp_path)
    assert done.returncode == 2
    assert f"{RKNN} is a .rknn, and an ONNX is wanted here" in done.stderr
    assert "name the ONNX that it was converted from" in done.stderr


@pytest.mark.parametrize("target", ["RK3588", "Rk3588"])
def test_a_soc_is_written_in_any_case(target: str, tmp_path: Path) -> None:
    done = run_bench("inspect", ONNX, "--target", target)
    assert (done.returncode, "for rk3588 fp16" in done.stdout) == (0, True)
    inventory = tmp_path / "bench.toml"
    run_bench("boards", "add", "desk", "virtual", "--soc", target, "--inventory", inventory)
    assert 'soc = "rk3588"' in inventory.read_text()
    run_bench("push", RKNN, "--board", target, "--inventory", inventory, "--quick", "--store", tmp_path / "s")
    assert "desk" in run_bench("history", "--store", tmp_path / "s").stdout


@pytest.mark.parametrize(
    "words", [("inspect", ONNX), ("inspect", RKNN), ("fix", ONNX, "-o", "x.onnx"), ("convert", ONNX)]
)
def test_a_soc_that_nobody_knows_is_refused(words: tuple[object, ...], tmp_path: Path) -> None:
    done = run_bench(*words, "--target", "rk9999", folder=tmp_path)
    assert (done.returncode, "unknown target 'rk9999'" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "missing"),
    [((), "an ONNX, --target, -o"), ((ONNX,), "--target, -o"), ((ONNX, "-o", "x"), "--target")],
)
def test_what_a_fix_still_needs_is_named(words: tuple[object, ...], missing: str, tmp_path: Path) -> None:
    done = run_bench("fix", *words, folder=tmp_path)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, f"bench: still needed: {missing}")


def test_a_fix_takes_the_place_of_no_device(tmp_path: Path) -> None:
    """With --force /dev/null would be the ONNX from then on: it was told to add that."""
    os.mkfifo(tmp_path / "pipe")
    done = run_bench("fix", ONNX, "--target", "rk3588", "-o", "pipe", "--force", folder=tmp_path)
    assert (done.returncode, "pipe is no regular file" in done.stderr) == (2, True)
    assert (tmp_path / "pipe").is_fifo()


def test_a_virtual_board_of_another_soc_cannot_be_asked_for(tmp_path: Path) -> None:
    done = run_bench("push", RKNN, "--board", "virtual:rk9999", "--store", tmp_path / "s")
    assert (done.returncode, "no virtual board 'rk9999'" in done.stderr) == (2, True)
    done = run_bench("push", RKNN, "--board", "virtual:RK3588", "--quick", "--store", tmp_path / "s")
    assert done.returncode == 0


def test_a_clock_without_its_unit_is_asked_for_one(tmp_path: Path) -> None:
    done = run_bench("push", RKNN, "--board", "virtual", "--npu-clock", "600", "--store", tmp_path / "s")
    assert (done.returncode, "write it with its unit: 600MHz" in done.stderr) == (2, True)


def test_csv_has_push_toolkit_clock_and_heat() -> None:
    clock = Sensor("npu_clock_hz", 6, 1e9, 6e8, 9e8, 1e9, 1e9, quantity="npu_clock_hz")
    zones = [
        Sensor(f"temperature_celsius[{zone}]", 6, 50, 50, 55, heat, 58, "temperature_celsius", zone)
        for zone, heat in (("soc", 61.5), ("npu", 58.0))
    ]
    run = make_run(readings=Readings(6, 0.0, (clock, *zones)))
    run = replace(run, variant=replace(run.variant, toolkit_version="=2.3.0"))
    out = io.StringIO()
    write_runs([run, make_run(2, readings=None)], out)
    known, unknown = csv.DictReader(io.StringIO(out.getvalue()))
    told = ("push", "toolkit_version", "npu_clock_min_hz", "npu_clock_max_hz", "hottest_celsius")
    assert [known[name] for name in told] == ["1qmv0w0v1", "'=2.3.0", "600000000.0", "1000000000.0", "61.5"]
    assert [unknown[name] for name in told[2:]] == ["", "", ""]


def test_junit_carries_the_values_and_when_they_were_measured() -> None:
    (case,) = ElementTree.fromstring(render_junit(NIGHT).encode()).findall("testsuite/testcase")
    told = {item.attrib["name"]: item.attrib["value"] for item in case.findall("properties/property")}
    assert told == {
        "unit": "s",
        "value": "0.00451",
        "baseline": "0.0041",
        "difference_percent": "10",
        "p50_s": "0.00451",
        "measured_at": "2026-11-30T00:53:20+00:00",
    }
    assert case.attrib["time"] == "12.500"


def test_the_report_of_a_night_shows_its_gates_those_that_were_crossed_first() -> None:
    kept = replace(SLOW, gate="p99 within 50%", state="pass")
    night = replace(NIGHT, cells=(replace(CELL, gates=(kept, SLOW)),))
    items = [Collected(make_run(), RawLatencies(), ())]
    comparison = compare_collected(items)
    page = re.sub(r"\s+", " ", render_page(items, comparison, [night]))
    assert '<h2 id="gates-1">Gates of the night night-1</h2>' in page
    crossed, other = page.index("on rock: p50 within 5%"), page.index("on rock: p99 within 50%")
    assert '<td class="bad">crossed</td>' in page[: crossed + 1]
    assert crossed < other
    assert "Gates of the night" not in render_page(items, comparison)
    assert f"<h1>{headline(night)}</h1>" in page.replace("\u00a0", " ")
    assert "<details open><summary>1 kept</summary>" in page
    many = replace(night, cells=(replace(CELL, gates=(SLOW, *(kept for _ in range(9)))),))
    assert "<details><summary>9 kept</summary>" in render_page(items, comparison, [many])
    assert "### Gates crossed" in render_report_markdown(items, comparison, [night])


def test_a_night_shows_change_p99_and_memory() -> None:
    assert "| 4.51 ms | +10.0 % | 6.20 ms | 14.6 MB |" in render_markdown(NIGHT)
    out = io.StringIO()
    print_night(NIGHT, out)
    assert "4.51 ms  +10.0 %  6.20 ms  14.6 MB" in out.getvalue()
    simulated = replace(NIGHT, cells=(replace(CELL, simulated=True),))
    assert "| ≈4.51 ms | ≈+10.0 % | ≈6.20 ms | ≈14.6 MB |" in render_markdown(simulated)
    bare = replace(NIGHT, cells=(replace(CELL, gates=(), p50_s=None, p99_s=None, load_npu_total_bytes=None),))
    assert "| – | – | – | – |" in render_markdown(bare)


def test_a_board_of_a_known_name_keeps_what_it_is_not_told_and_says_what_changes(tmp_path: Path) -> None:
    inventory = tmp_path / "bench.toml"

    def add(*words: str) -> str:
        return run_bench("boards", "add", "desk", "virtual", *words, "--inventory", inventory).stdout

    add("--soc", "rk3588", "--tag", "lab", "--tag", "quiet")
    assert "in place of the one before (soc rk3588 → rk3568);" in add("--soc", "rk3568")
    assert 'tags = ["lab", "quiet"]' in inventory.read_text()
    assert "in place of the one before (nothing else is changed);" in add("--soc", "rk3568")
    assert "(tags lab, quiet → far);" in add("--tag", "far")
    assert 'soc = "rk3568"' in inventory.read_text()


def test_a_board_that_becomes_virtual_keeps_its_tags_and_loses_in_words_what_was_its_machines(
    tmp_path: Path,
) -> None:
    inventory = tmp_path / "bench.toml"
    inventory.write_text(
        '[boards.desk]\nhost = "192.0.2.1"\nsoc = "rk3568"\n# whose it is\ntags = ["lab"]\n'
        'python = "~/lite/bin/python"\nidentity_files = ["keys/lab"]\nafter_hold = ["relay", "off"]\n'
    )
    done = run_bench("boards", "add", "desk", "virtual", "--inventory", inventory)
    told = (
        "(host 192.0.2.1 → virtual; python ~/lite/bin/python → python3; runtime lite → virtual;"
        " identity_files keys/lab → none; after_hold relay, off → none)"
    )
    assert told in done.stdout
    assert inventory.read_text() == (
        '[boards.desk]\nhost = "virtual"\nsoc = "rk3568"\n# whose it is\ntags = ["lab"]\n'
        'runtime = "virtual"\n'
    )


def test_what_stays_as_it_was_stays_as_it_was_written(tmp_path: Path) -> None:
    inventory = tmp_path / "bench.toml"
    text = (
        '# the lab\n[boards.desk]\nhost = "virtual"  # for now\n# whose it is\ntags = ["lab"]\n'
        'python = "~/lite/bin/python"\nbehaviour = "slow.json"\nidentity_files = ["~/.ssh/lab"]\n\n'
        '[boards.other]\nhost = "virtual"\n'
    )
    inventory.write_text(text)
    done = run_bench("boards", "add", "desk", "virtual", "--tag", "far", "--inventory", inventory)
    assert "in place of the one before (tags lab → far);" in done.stdout
    assert inventory.read_text() == text.replace('"lab"', '"far"')


def test_a_local_inventory_that_hides_the_users_boards_says_so(tmp_path: Path) -> None:
    own, folder = tmp_path / "config/rkbench/bench.toml", tmp_path / "work"
    own.parent.mkdir(parents=True)
    folder.mkdir()
    own.write_text('[boards.mine]\nhost = "virtual"\n')
    (folder / "bench.toml").write_text('[boards.local]\nhost = "virtual"\n')
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "HOME": str(tmp_path)}
    for name, told in (("mine", True), ("theirs", False)):
        done = run_bench("push", RKNN, "--board", name, environment=environment, folder=folder)
        assert (done.returncode, f"{own} has it, which that file hides" in done.stderr) == (2, told)


@pytest.mark.parametrize("command", ["push", "sweep"])
def test_what_an_onnx_expects_is_kept_in_the_cache_which_is_told_once(tmp_path: Path, command: str) -> None:
    onnx, rknn = tmp_path / "neck.onnx", tmp_path / "neck_rk3588_int8.rknn"
    for path in (onnx, rknn):
        path.write_bytes((Path("tests/data/npu").resolve() / path.name).read_bytes())
    before, cache = set(tmp_path.iterdir()), tmp_path / "cache"
    words = ("push", rknn, "--onnx", onnx) if command == "push" else ("sweep", onnx, "--recipe", "fp16")
    words += ("--board", "virtual", "--quick", "--store", tmp_path / "s")
    told = f"kept for the next push in {cache}/rkbench/host/expected/neck."
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    ended = [run_bench(*words, environment=environment, folder=cache.parent).stderr for _ in range(2)]
    assert [told in "".join(text.split("\n")) for text in ended] == [True, False]
    assert {path.name for path in set(tmp_path.iterdir()) - before} == {"cache", "s"}


def test_the_runs_of_the_demo_are_in_the_history(tmp_path: Path) -> None:
    environment = {"XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path)}
    assert run_bench("demo", environment=environment).returncode == 0
    assert "digits.regrouped.int8" in run_bench("history", environment=environment).stdout
