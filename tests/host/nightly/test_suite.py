"""Suites: what is wrong in one is named, with its place and with what was meant."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from rkbench.boards.provider import open_boards
from rkbench.errors import BenchError, UsageError
from rkbench.nightly.cells import fingerprint, make_cells
from rkbench.nightly.suite import NIGHTLY, NightPlan, load_suite

DEMO = Path(__file__).parents[3] / "host/rkbench/demo/data"
INVENTORY = """
[boards.a]
host = "virtual"
soc = "rk3588"
tags = ["shelf"]
[boards.b]
host = "virtual"
soc = "rk3568"
tags = ["shelf"]
[boards.c]
host = "virtual"
soc = "rk3588"
"""
SUITE = """
boards = ["shelf"]
gates = ["p50 within 5%"]
[[models]]
files = "models/*.rknn"
gates = ["size <= 10MB"]
"""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder with two models of the RK3588 and an inventory of three boards."""
    (tmp_path / "models").mkdir()
    for name in ("digits.int8.rknn", "digits.fp16.rknn"):
        shutil.copy(DEMO / name, tmp_path / "models" / name)
    (tmp_path / "bench.toml").write_text(INVENTORY)
    return tmp_path


def cells(lab: Path, text: str) -> list[tuple[str, str, str]]:
    (lab / "suite.toml").write_text(text)
    made = make_cells(load_suite(lab / "suite.toml"), open_boards(lab / "bench.toml").find)
    return [cell.key for cell in made]


def refused(lab: Path, text: str) -> str:
    with pytest.raises(BenchError) as caught:
        cells(lab, text)
    return f"{caught.value.message} | {caught.value.hint}"


def test_a_tag_means_every_board_that_the_model_fits(lab: Path) -> None:
    assert cells(lab, SUITE) == [("digits.fp16", "a", "default"), ("digits.int8", "a", "default")]
    by_soc = cells(lab, SUITE.replace('"shelf"', '"rk3588", "a"'))
    assert by_soc == [(name, board, "default") for name in ("digits.fp16", "digits.int8") for board in "ac"]


def test_every_plan_is_a_cell_of_its_own(lab: Path) -> None:
    plans = (
        "[plans.quick]\niterations = 100\nduration = 0\n[plans.core0]\ncores = '0'\nwait = 5\npin = true\n"
    )
    (lab / "suite.toml").write_text(SUITE + plans)
    entry = load_suite(lab / "suite.toml").entries[0]
    assert entry.plans == (
        NightPlan("quick", replace(NIGHTLY, min_iterations=100, min_duration_s=0)),
        NightPlan("core0", replace(NIGHTLY, core_mask="0", pin=True), wait_s=5),
    )
    assert [gate.text for gate in entry.gates] == ["p50 within 5%", "size <= 10MB"]
    assert len(cells(lab, SUITE + plans)) == 4


@pytest.mark.parametrize(
    ("gate", "iterations", "blocks"),
    [
        ("size <= 1MB", 300, 12),
        ("mean <= 1ms", 300, 12),
        ("p99 <= 12ms", 1000, 20),
        ("p99.9 <= 12ms", 6636, 20),
    ],
)
def test_a_plan_has_what_its_gates_need(lab: Path, gate: str, iterations: int, blocks: int) -> None:
    (lab / "suite.toml").write_text(SUITE.replace("p50 within 5%", gate))
    (plan,) = load_suite(lab / "suite.toml").entries[0].plans
    assert (plan.settings.min_iterations, plan.settings.min_blocks) == (iterations, blocks)
    (lab / "suite.toml").write_text(
        SUITE.replace("p50 within 5%", gate).replace("[[models]]", "[plans.x]\niterations = 300\n[[models]]")
    )
    assert load_suite(lab / "suite.toml").entries[0].plans[0].settings == plan.settings


@pytest.mark.parametrize(("gate", "needs"), [("p99 <= 12ms", 1000), ("p99.9 <= 12ms", 6636)])
def test_a_plan_that_cannot_carry_its_gate_is_refused(lab: Path, gate: str, needs: int) -> None:
    short = "[plans.x]\nmax_duration_s = 0.09\n[[models]]"
    said = refused(lab, SUITE.replace("p50 within 5%", gate).replace("[[models]]", short, 1))
    assert f"plan 'x' has too little time for '{gate}': max_duration = 0.09 |" in said
    assert said.endswith(f"its interval needs {needs} iterations; give it more")


@pytest.mark.parametrize("word", ["inference_timeout", "inference_timeout_s"])
def test_a_plan_for_a_slow_model_may_say_so_in_old_words_too(lab: Path, word: str) -> None:
    (lab / "suite.toml").write_text(SUITE + f"[plans.x]\n{word} = 90\n")
    (found,) = load_suite(lab / "suite.toml").entries[0].plans
    assert found.settings.inference_timeout_s == 90.0


def test_a_plan_says_how_two_models_take_turns(lab: Path) -> None:
    plan = "[plans.x]\nloads = 9\nquads = 1\nprecision = 0.5\nunread_iterations = 1\nduration = '1min'\n"
    (lab / "suite.toml").write_text(SUITE + plan)
    (found,) = load_suite(lab / "suite.toml").entries[0].plans
    asked = {"loads": 9, "quads": 1, "precision_percent": 0.5, "unread_iterations": 1, "min_duration_s": 60.0}
    assert found.settings == replace(NIGHTLY, **asked)


def test_files_that_score_lie_beside_the_suite_and_say_what_top1_means(lab: Path) -> None:
    for name in ("g.npz", "labels.txt"):
        (lab / name).write_text("")
    (lab / "own.py").write_text("def f(outputs, labels): return 1")
    scored = "golden = 'g.npz'\nlabels = 'labels.txt'\nmetric = 'own.py:f'\n"
    (lab / "suite.toml").write_text(SUITE.replace("size <= 10MB", "top1 >= 70%") + scored)
    entry = load_suite(lab / "suite.toml").entries[0]
    assert (entry.labels, entry.metric) == (lab / "labels.txt", f"{lab}/own.py:f")
    assert entry.gates[-1].quantity.word == "top-1 accuracy"


def test_a_suite_whose_nights_are_history_needs_no_loads(lab: Path) -> None:
    plan = SUITE.replace("boards", 'compare = "history"\nboards', 1) + "[plans.x]\nloads = 3\n"
    assert len(cells(lab, plan)) == 2


def test_a_pattern_may_be_absolute(lab: Path) -> None:
    found = cells(lab, SUITE.replace("models/*.rknn", f"{DEMO}/digits.int8.rknn"))
    assert found == [("digits.int8", "a", "default")]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("boards =", "bords =", "key 'bords' is unknown | did you mean boards?"),
        ("boards =", "compare = 'pairs'\nboards =", "compare 'pairs' is unknown | did you mean paired?"),
        ("files =", "file =", "[[models]] 1: key 'file' is unknown | did you mean files?"),
        ("files =", "zzz =", "known: name, files, onnx, recipes, calibration,"),
        ("[[models]]", "[plans.x]\niteration = 3\n[[models]]", "did you mean iterations"),
        ("[[models]]", "[plans.x]\ncores = '7'\n[[models]]", "no core mask '7'"),
        ("[[models]]", "[plans.x]\ncores = 'sweep'\n[[models]]", "no core mask 'sweep'"),
        ("[[models]]", "[plans.x]\npin = 1\n[[models]]", "pin must be true or false, not 1"),
        ("[[models]]", "[plans.x]\nwarmup = true\n[[models]]", "warmup must be a whole number, not True"),
        ("[[models]]", "[plans.x]\niterations = 0\n[[models]]", "iterations 0: must be 1 or more"),
        ("[[models]]", f"[plans.x]\nload_cycles = 1{'0' * 400}\n[[models]]", "load_cycles is too large"),
        ("[[models]]", f"[plans.x]\nwarmup = 1{'0' * 5000}\n[[models]]", "cannot be read"),
        ("[[models]]", f"[plans.x]\nnpu_clock = '1{'0' * 400}MHz'\n[[models]]", "is no clock"),
        ("models/*.rknn", ".", "no model fits '.'"),
        ("models/*.rknn", "/", "no model fits '/'"),
        ("models/*.rknn", "**.rknn", "no model fits"),
        ("models/*.rknn", "~nobody-of-that-name/m.rknn", "no model fits"),
        ("[[models]]", "[[models]]\ngolden = '~nobody-of-that-name/g.npz'", "no golden"),
        ("[[models]]", "[plans.x]\ncool_limit = -1\n[[models]]", "[plans.x]: cool_limit -1: must be 0 or"),
        ("[[models]]", "[plans.x]\ncool_below = nan\n[[models]]", "cool_below nan: must be a finite"),
        ("[[models]]", "[plans.x]\nload_timeout_s = 0\n[[models]]", "load_timeout 0: must be more than 0"),
        ("[[models]]", "[plans.x]\ninference_timeout_s = inf\n[[models]]", "must be a finite number"),
        ("[[models]]", "[plans.x]\nnpu_clock = 600\n[[models]]", "npu_clock 600 Hz: is slower than any NPU"),
        ("[[models]]", "[plans.x]\ninterleave = true\n[[models]]", 'here | compare = "history" at the top'),
        ("[[models]]", "[plans.x]\neffect = 1.0\n[[models]]", "effect means nothing here | the gate says"),
        ("[[models]]", "[plans.x]\nquick = true\n[[models]]", "quick means nothing here | loads = 1"),
        (
            "size <= 10MB",
            "goodput >= 9/s",
            "plan 'default' has no random arrivals with",
        ),
        ("size <= 10MB", "cosine >= 0.9", 'has no golden | golden = "FILE.npz" in'),
        (
            "size <= 10MB",
            "interference loss <= 9%",
            "default' has no second model | interfere_with =",
        ),
        (
            "[[models]]",
            "[plans.x]\nscenario = 'interference'\n[[models]]",
            "needs a second model | interfere",
        ),
        (
            "[[models]]",
            "[plans.x]\nscenario = 'soak'\ninterfere_with = 'models/digits.int8.rknn'\n[[models]]",
            "[plans.x]: interfere_with means nothing with scenario = 'soak' | it is a scenario",
        ),
        ("[[models]]", "[plans.x]\ninterfere_with = 'no.rknn'\n[[models]]", "no interfere_with"),
        ("[[models]]", "[plans.x]\ninterfere_with = 'models'\n[[models]]", "no interfere_with"),
        ("[[models]]", "[plans.x]\ninterfere_with = ''\n[[models]]", "no interfere_with"),
        ("[[models]]", "[plans.x]\ninterfere_with = 3\n[[models]]", "interfere_with must be"),
        ("[[models]]", "[[models]]\ninterfere_with = 'x'", "it is of plans: interfere_with = ... in [plans"),
        (
            "[[models]]",
            "[plans.x]\ninterfere_with = 'suite.toml'\n[[models]]",
            "suite.toml is a text file, not a model",
        ),
        ("[[models]]", "[plans.x]\npriority = 3\n[[models]]", "it is an option of bench nightly"),
        ("[[models]]", "[plans.x]\nlabels = 'x'\n[[models]]", "it is of models: labels = ... in [[models]]"),
        ("[[models]]", "[plans.x]\nload = 7\n[[models]]", "key 'load' is unknown | did you mean loads"),
        ("[[models]]", "[plans.x]\nloads = '7'\n[[models]]", "loads must be a whole number, not '7'"),
        ("[[models]]", "[plans.x]\nprecision = 0.0\n[[models]]", "precision 0: must be more than 0"),
        ("[[models]]", "[plans.x]\nduration = '5pc'\n[[models]]", "'5pc' is no duration"),
        (
            "[[models]]",
            "[plans.x]\nloads = 3\n[[models]]",
            "too few loads for 'p50 within 5%': 3 | its interval",
        ),
        ("[[models]]", "[plans.x]\nloads = 1\nquads = 4\n[[models]]", "has too few quads of one load for"),
        ("[[models]]", "[[models]]\nloads = 7", "it is of plans: loads = ... in [plans.NAME]"),
        ("[[models]]", "[[models]]\nonnx = 'm.onnx'", "no onnx"),
        ("[[models]]", "[[models]]\nonnx = 'suite.toml'\nrecipes = ['fp16']", "files and an onnx at once"),
        ("[[models]]", "[[models]]\nrecipes = ['fp16']", "recipes is of an ONNX, and none is named"),
        ("[[models]]", "[[models]]\nbgr = true", "bgr is of an ONNX, and none is named"),
        ("files = ", "onnx = 'suite.toml'\n#", "an onnx needs recipes | recipes = ['fp16'"),
        ("files = ", "onnx = 'suite.toml'\nrecipes = ['fp8']\n#", "no recipe is called 'fp8' | known"),
        ("files = ", "onnx = 'suite.toml'\nrecipes = ['int8']\n#", "recipe int8 needs calibration | cal"),
        ("files = ", "onnx = 'suite.toml'\nrecipes = 'fp16'\n#", "recipes must be a list of recipes"),
        ("files = ", "onnx = 'suite.toml'\nrecipes = ['fp16,toolkit=9']\n#", "toolkit"),
        ("files = ", "onnx = 'suite.toml'\nrecipes = ['fp16']\ntime_limit = nan\n#", "both more than 0"),
        (
            "[[models]]",
            "[plans.x]\nrecipe = 'fp16'\n[[models]]",
            "recipe means nothing here | recipes =",
        ),
        ("files = ", "onnx = 'suite.toml'\nrecipes = ['fp16,target=rk3568']\n#", "its boards say for which"),
        ("[[models]]", "[[models]]\nmetric = 'own.py:f'", "score the outputs of a golden, and there is none"),
        ("[[models]]", "[[models]]\nlabels = 'no.txt'", "no labels"),
        (
            "[[models]]",
            "[plans.x]\niterations = '9'\n[[models]]",
            "iterations must be a whole number, not '9'",
        ),
        ("[[models]]", "[plans.x]\n[[models]]\nplans = ['y']", "plan 'y' is unknown | known: x"),
        ("p50 within", "p51 within", "'p51' is nothing that is measured | did you mean p95 or p50"),
        ("p50 within 5%", "p99 <= 12", "12 of what?"),
        ("models/*.rknn", "models/*.rkn", "no model fits 'models/*.rkn'"),
        ("models/*.rknn", "models", "no model fits 'models'"),
        ('"shelf"', '"shelve"', "no board 'shelve' | did you mean shelf?"),
        ('"shelf"', '"b"', "no board fits digits.fp16.rknn (rk3588): b (rk3568)"),
        ('["shelf"]', "[]", "names no board"),
        ('["shelf"]', '"shelf"', "boards must be a list of strings, not 'shelf' | in brackets: boards = ["),
        ('["shelf"]', "[3]", "boards must be a list of strings"),
        ("[[models]]", "[models]", "models must be a list, not a table | with two brackets: [[models]]"),
        ("[[models]]", "[[models]]\ngolden = 'no.npz'", "no golden"),
        ("[[models]]", "= 3\n[[models]]", "cannot be read"),
        ("[[models]]", f"x = {'[' * 5000}\n[[models]]", "is nested too deep"),
        ("models/*.rknn", "/**/*.rknn", "the whole disk would be looked through"),
        ("models/*.rknn", "x" * 9000, "File name too long"),
        ('"shelf"', '"x\\nProxyCommand y@h"', "no board 'x\\nProxyCommand y@h'"),
        ("[[models]]\nfiles", "[[models]]\nfiles = 'models/digits.fp16.rknn'\n[[models]]\nfiles", "are both"),
    ],
)
def test_what_is_wrong_is_named(lab: Path, old: str, new: str, words: str) -> None:
    assert old in SUITE
    assert words in refused(lab, SUITE.replace(old, new, 1))


def test_a_suite_without_gates_or_models_guards_nothing(lab: Path) -> None:
    assert "has no gates" in refused(lab, 'boards = ["a"]\n[[models]]\nfiles = "models/*.rknn"')
    assert "has no models" in refused(lab, 'boards = ["a"]\ngates = ["size <= 1MB"]')
    with pytest.raises(UsageError, match=r"no suite .*gone\.toml"):
        load_suite(lab / "gone.toml")


def test_a_night_is_resumed_only_with_the_same_suite_models_and_goldens(lab: Path) -> None:
    (lab / "golden.npz").write_bytes(b"one")

    def digest(text: str = SUITE) -> str:
        (lab / "suite.toml").write_text(text.replace("[[models]]", "[[models]]\ngolden = 'golden.npz'"))
        suite = load_suite(lab / "suite.toml")
        return fingerprint(suite, make_cells(suite, open_boards(lab / "bench.toml").find))

    first = digest()
    assert digest() == first
    assert digest(SUITE.replace("5%", "6%")) != first
    (lab / "golden.npz").write_bytes(b"two")
    second = digest()
    assert second != first
    shutil.copy(DEMO / "digits.regrouped.int8.rknn", lab / "models/digits.int8.rknn")
    assert digest() not in (first, second)


def test_a_model_whose_name_is_no_text_has_a_name_that_is(lab: Path) -> None:
    (lab / "models/digits.int8.rknn").rename(lab / "models/odd\udcff.rknn")
    (lab / "suite.toml").write_text(SUITE)
    suite = load_suite(lab / "suite.toml")
    made = make_cells(suite, open_boards(lab / "bench.toml").find)
    assert {cell.variant for cell in made} == {"digits.fp16", "odd\\udcff"}
    assert len(fingerprint(suite, made)) == 64


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SUITE.replace("boards =", "bords ="), "line 2: the suite: key 'bords' is unknown"),
        (SUITE.replace("p50 within", "p51 within"), "line 3: [[models]] 1: gate 'p51 within 5%': 'p51' is"),
        (SUITE.replace("files =", "file ="), "line 5: [[models]] 1: key 'file' is unknown"),
        (SUITE.replace("size <= 10MB", "size <= 10"), "line 6: [[models]] 1:"),
        (SUITE.replace("models/*.rknn", "none/*.rknn"), "line 5: [[models]] 1: no model fits 'none/*.rknn'"),
        (SUITE + "[plans.x]\n# cores = '7'\nwarmup = 3\ncores = '7'\n", "line 10: [plans.x]: no core mask"),
        (SUITE + "[plans.x]\niterations = 0\n", "line 8: [plans.x]: iterations 0: must be"),
        (SUITE + "[plans.x]\nscenario = 'serve'\n", "line 8: [plans.x]: scenario 'serve' is"),
        (SUITE + "[plans.x]\nscenario = 'server'\n", "line 7: [plans.x]: --scenario server needs one of"),
        (SUITE + "[[models]]\nfiles = 'models/*.rknn'\nplans = ['y']\n", "line 9: [[models]] 2: plan 'y' is"),
    ],
)  # fmt: skip
def test_a_complaint_names_its_line(lab: Path, text: str, said: str) -> None:
    assert f"{lab}/suite.toml: {said}" in refused(lab, text)


def test_an_output_that_no_model_has_is_refused_before_the_night(lab: Path) -> None:
    (lab / "g.npz").write_text("")
    text = SUITE.replace("size <= 10MB", "cosine[logit] >= 0.9") + "golden = 'g.npz'\n"
    said = refused(lab, text)
    assert f"{lab}/suite.toml: line 6: [[models]] 1: no output 'logit' in digits.fp16.rknn" in said
    assert "'cosine[logit] >= 0.9' cannot be told | did you mean logits?" in said
    assert len(cells(lab, text.replace("[logit]", "[logits]"))) == 2
