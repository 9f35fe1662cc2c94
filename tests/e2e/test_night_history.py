"""Gates on history: nights before, boards (fakes, and a virtual one), an injected step."""

from __future__ import annotations

import json
import random
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fake_boards import FakeSession
from merge_request_server import MergeRequestServer
from night_lab import DEMO, MODELS, NightLab
from past_nights import add_nights
from rkbench.results.model import Verdict
from rkbench.store import open_store

SUITE = """
name = "lab"
boards = ["{board}"]
gates = ["p50 history"]
[plans.default]
iterations = 100
duration = 0
[[models]]
files = {files}
"""


def make_lab(folder: Path, board: str = "shelf", models: tuple[str, ...] = MODELS) -> NightLab:
    lab = NightLab(folder)
    files = json.dumps([f"{DEMO}/{model}.rknn" for model in models])
    lab.suite.write_text(SUITE.format(board=board, files=files))
    return lab


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NightLab:
    """Return a lab whose boards are fakes: `bench` does all the rest."""
    monkeypatch.setattr("rkbench.session.Sessions.open", lambda _, board: FakeSession(board))
    return make_lab(tmp_path)


def remember(lab: NightLab, nights: int, verdict: Verdict = "VALID", **epoch: str) -> None:
    """Let the lab have so many nights behind it, like the only one it measured; each scatters by 0.3 %."""
    source = random.Random(1)
    with open_store(str(lab.store)) as store:
        (measured,) = store.nights()
        like = store.night(measured)
        assert like is not None
        add_nights(store, like, nights, lambda *_: source.gauss(1, 0.003), verdict, **epoch)


def slow_fp16(lab: NightLab, factor: float) -> None:
    lab.behave("left", per_model={MODELS[0]: {"seed": 0, "latency": {"factor": factor}}})


def labels(night: dict[str, object]) -> list[str]:
    return [cell["gates"][0]["history"]["label"] for cell in night["cells"]]  # type: ignore[index, attr-defined]


def crossed(out: str) -> list[str]:
    return [line for line in out.splitlines() if line.startswith("crossed: ")]


def test_a_lab_without_nights_says_so_and_is_not_red(lab: NightLab) -> None:
    done, night = lab.night()
    assert done.returncode == 0, done.stdout
    assert "undecided: 4 gates on history: not enough data: 0 of 5 nights\n" in done.stdout
    assert labels(night) == ["not enough data"] * 4


def test_a_lab_whose_nights_are_all_doubted_says_that_it_has_none(lab: NightLab) -> None:
    lab.night()
    remember(lab, 6, verdict="SUSPECT")
    done, _ = lab.night()
    told = "1 of 5 nights (6 more crossed a gate on it, or were SUSPECT)"
    assert f"undecided: 4 gates on history: not enough data: {told}\n" in done.stdout


def test_an_equal_night_is_green_and_measures_a_cell_twice(lab: NightLab) -> None:
    lab.night()
    remember(lab, 24)
    done, night = lab.night()
    assert done.returncode == 0, done.stdout
    assert labels(night) == ["no regression"] * 4
    assert sum(cell["gates"][0]["history"]["twice"] is not None for cell in night["cells"]) == 1
    assert sum(len(cell["runs"]) for cell in night["cells"]) == 5
    assert night["scatter"][0]["deviation_percent"] == pytest.approx(0.3, abs=0.1)
    assert "scatter: p50: a night scatters by 0." in done.stdout
    lab.assert_nothing_lost_or_doubled(gates=1)


def test_a_step_is_red_after_two_more_measurements_until_it_is_accepted(lab: NightLab) -> None:
    lab.night()
    remember(lab, 24)
    slow_fp16(lab, 1.1)
    done, night = lab.night()
    assert done.returncode == 3, done.stdout
    (line,) = crossed(done.stdout)
    assert line.startswith(f"crossed: {MODELS[0]} on left (simulated): p50 history: regression: +")
    assert "; tonight " in line
    slow = night["cells"][0]["gates"][0]
    assert (slow["state"], slow["history"]["nights"], len(slow["measurements"])) == ("fail", 20, 4)
    assert len(night["cells"][0]["runs"]) == 3
    assert labels(night) == ["regression", *["no regression"] * 3]
    (case,) = ElementTree.parse(lab.folder / "night.xml").getroot()[0].findall("testcase/failure")
    assert case.attrib["message"] == line.removeprefix("crossed: ")
    assert "p50 history: regression" in (lab.folder / "night.md").read_text()

    first = night["id"]
    done, night = lab.night()
    (line,) = crossed(done.stdout)
    assert f"; since {first} (2" in line

    accepted = lab.run("baseline", "accept", "last", "--note", "the new network")
    assert accepted.returncode == 0, accepted.stderr
    done, night = lab.night()
    assert done.returncode == 0, done.stdout
    assert labels(night) == ["not enough data", *["no regression"] * 3]


def test_a_red_night_is_told_to_the_merge_request_of_its_job(
    lab: NightLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.night()
    remember(lab, 24)
    slow_fp16(lab, 1.1)
    with MergeRequestServer() as server:
        for name, value in server.gitlab().items():
            monkeypatch.setenv(name, value)
        done = lab.run("nightly", lab.suite, "--comment")
        again = lab.run("nightly", lab.suite, "--comment")
        (body,) = server.comments.values()
    assert (done.returncode, again.returncode, server.wrong) == (3, 3, [])
    assert "comment on the merge request: written\n" in done.stderr
    assert "comment on the merge request: edited\n" in again.stderr
    assert body.splitlines()[2].startswith("**RED: lab, 1 crossed of 4 gates")
    assert body.count("\n- ") == 1
    assert f"crossed: {MODELS[0]} on left (simulated): p50 history: regression: +" in body


def test_a_new_kernel_begins_an_epoch_that_is_told_and_never_red(lab: NightLab) -> None:
    lab.night()
    remember(lab, 24, kernel="4.19.0")
    slow_fp16(lab, 1.1)
    done, night = lab.night()
    assert done.returncode == 0, done.stdout
    assert labels(night) == ["not enough data"] * 4
    left, _ = (line for line in done.stdout.splitlines() if line.startswith("a new epoch on "))
    assert left.startswith("a new epoch on left: kernel 4.19.0 → ")
    assert " % across it (median of 2 cells), which no gate judges; 0 nights of it before tonight" in left
    assert [item["nights"] for item in night["epochs"]] == [0, 0]


def test_with_few_nights_a_gate_says_so(lab: NightLab) -> None:
    lab.night()
    remember(lab, 8)
    slow_fp16(lab, 1.1)
    done, _ = lab.night()
    assert done.returncode == 3, done.stdout
    assert "regression, 9 of 20 nights: +" in crossed(done.stdout)[0]


def test_below_five_nights_the_pairs_with_the_baselines_model_decide(lab: NightLab) -> None:
    lab.own_models()
    text = lab.suite.read_text().replace("iterations = 1000", "iterations = 100")
    start, end = text.index("gates = "), text.index("[plans")
    lab.suite.write_text(f'{text[:start]}gates = ["p50 history"]\n{text[end:]}')
    lab.night()
    assert lab.run("baseline", "accept", "last").returncode == 0
    lab.change(*MODELS)
    lab.behave(
        "left", per_model={f"{MODELS[0]} (baseline)": {"seed": 1}, MODELS[0]: {"latency": {"factor": 1.1}}}
    )
    done, night = lab.night()
    assert done.returncode == 3, done.stdout
    assert labels(night) == ["not enough data"] * 4
    assert [cell["state"] for cell in night["cells"]] == ["fail", "pass", "pass", "pass"]
    assert "; in turns with the baseline's model" in crossed(done.stdout)[0]


def test_a_suite_may_ask_for_both_words(lab: NightLab) -> None:
    lab.suite.write_text(lab.suite.read_text().replace('"p50 history"', '"p50 within 20% of history"'))
    lab.night()
    remember(lab, 24)
    slow_fp16(lab, 1.1)
    done, night = lab.night()
    assert done.returncode == 0, done.stdout
    assert labels(night)[1:] == ["no regression"] * 3
    assert labels(night)[0] == "suspicious"


def test_a_step_on_a_virtual_board_is_red_by_history(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, "left", MODELS[1:])
    lab.night()
    remember(lab, 20)
    lab.behave("left", seed=0, latency={"factor": 1.1})
    done, night = lab.night()
    assert done.returncode == 3, done.stdout
    assert crossed(done.stdout)[0].startswith(f"crossed: {MODELS[1]} on left (simulated): p50 history: ")
    assert night["cells"][0]["gates"][0]["history"]["label"] == "regression"
