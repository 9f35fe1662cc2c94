"""The console view of bench inspect: the answer first, no line too long, no escapes of others."""

from __future__ import annotations

import pytest
from inspect_samples import hostile_model, sample_inspection
from rkbench.inspection.inspect_model import inspect_model
from rkbench.units import printable
from rkbench.views.inspect.console import render_console
from rkbench.views.inspect.terminal import bar, shorten, wants_colour

NAMES = ("dw_dilated_rk3588_fp", "hybrid_some_rk3588", "dyn3_rk3588_fp", "g1_c512_cpg4_rk3568_fp")


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("name", NAMES)
def test_the_first_line_is_the_answer_and_no_other_is_too_long(name: str, width: int) -> None:
    inspection = sample_inspection(name)
    lines = render_console(inspection, width, myths=True).splitlines()
    assert lines[0] == inspection.sentence
    commands = [fix.snippet for cause in inspection.causes for fix in cause.fix]
    too_long = [line for line in lines[1:] if len(line) > width and line.strip() not in commands]
    assert too_long == []


def test_sections_have_a_bar_each() -> None:
    text = render_console(sample_inspection("dw_dilated_rk3588_fp"), 80)
    assert "  register commands         1.58 MB    88 %  ██████████████████████████████▋\n" in text
    assert "  all                       1.81 MB\n" in text


def test_layers_are_listed_by_size() -> None:
    text = render_console(sample_inspection("dw_dilated_rk3588_fp"), 100, layers=2)
    assert "Layers by size (first 2 of 13; --layers all)" in text
    first = next(line for line in text.splitlines() if line.startswith("  Conv:Conv_8"))
    assert first.split() == ["Conv:Conv_8", "1.55", "MB", "2.30", "kB", "1.47", "MB", "FLOAT16", "NPU"]
    assert "Gemm_17#2  " not in text.split("Causes")[0].split("Layers by size")[1]


def test_all_layers_are_listed_when_asked() -> None:
    text = render_console(sample_inspection("dw_dilated_rk3588_fp"), 100, layers=None)
    assert "OutputOperator:Gemm_17" in text


def test_a_cause_shows_evidence_neighbours_fix_and_what_does_not_help() -> None:
    text = render_console(sample_inspection("grouped_c64_g16_rk3588_fp"), 100)
    assert " 1 grouped convolutions stored as dense ones" in text
    assert "· kernels of 147 kB where the groups need 9.22 kB (16x)" in text
    assert "· around it: x → Conv_0#1 → Conv_2#1" in text
    assert "          bench fix MODEL.onnx --target rk3588 --dtype fp16 -o FIXED.onnx\n" in text
    assert "   no help: compress_weight" in text


def test_the_four_questions_are_asked_and_answered() -> None:
    text = render_console(sample_inspection("hybrid_some_rk3588"), 100)
    assert "  Which convolutions average, as a GlobalAveragePool or ReduceMean does?\n" in text
    assert (
        "  Which layers stayed float, and which run on the CPU?\n    2 layers stayed float: Conv_71" in text
    )
    assert "  Why is the file as big as it is?\n" in text
    assert "  What exactly has to change?\n    custom_quantize_layers: {}" in text


def test_memory_says_what_it_means_for_a_small_board() -> None:
    text = " ".join(render_console(sample_inspection("mb_gap7_rk3588_i8"), 100).split())
    assert "1.80 MB on the NPU for every loaded copy: weights 447 kB, activations 1.35 MB; " in text
    assert "; 0.1 % of a 2 GB board, fits with room for several copies" in text


def test_names_cannot_reach_the_terminal_as_escapes() -> None:
    with hostile_model() as model:
        text = render_console(inspect_model(model), 80, layers=None, myths=True)
    assert "\x1b" not in text
    assert "\\x1b[31m" in text


def test_colour_is_for_terminals_and_can_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert (wants_colour(True), wants_colour(False)) == (True, False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_colour(True)
    inspection = sample_inspection("mb_gap7_rk3588_i8")
    assert "\x1b[1m" in render_console(inspection, 80, colour=True)
    assert "\x1b" not in render_console(inspection, 80)


def test_bars_and_names_keep_their_width() -> None:
    assert (bar(0.5, 10), bar(0.0, 10), bar(2.0, 3), bar(0.05, 10)) == ("█████", "", "███", "▌")
    assert shorten("a_very_long_layer_name", 10) == "a_ve…_name"
    assert printable("a\x1b[31m\n") == "a\\x1b[31m\\n"


def test_the_answer_is_one_line_for_scripts_and_folded_for_a_terminal() -> None:
    inspection = sample_inspection("grouped_c64_g16_rk3588_fp")
    sentence = inspection.sentence
    assert render_console(inspection, 60).splitlines()[0] == sentence
    folded = render_console(inspection, 60, fold=True).split("\n\n")[0].splitlines()
    assert " ".join(folded) == sentence
    assert len(folded) > 1
    assert max(map(len, folded)) <= 60
