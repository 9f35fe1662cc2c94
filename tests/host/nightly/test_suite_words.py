"""Every option of a push is a word of a suite, or a suite says what does it instead."""

from __future__ import annotations

from typing import get_type_hints

from rkbench.cli.app import COMMANDS
from rkbench.cli.lazy import Command, load
from rkbench.nightly.suite import ModelTable, SuiteTable
from rkbench.nightly.suite_words import PLAN_TYPES, REFUSED

#: How a command speaks, and where its conversions run, is no setting of a run; `--board NAME` is `boards`.
SPEAKING = {"verbose", "quiet", "debug", "lang"}
CONVERTING = {"jobs", "workers", "toolkit_python"}
ELSEWHERE = {"board", *SPEAKING, *CONVERTING}
#: An `onnx` is of models; in a plan the message says so.
OF_MODELS = {"onnx"}


def options() -> set[str]:
    push = COMMANDS["push"]
    assert isinstance(push, Command)
    typed = [name for item in load(None, push).params for name in item.opts]
    return {name.lstrip("-").replace("-", "_") for name in typed if name.startswith("--")}


def test_no_option_of_a_push_is_unknown_to_a_suite() -> None:
    known = {*PLAN_TYPES, *get_type_hints(ModelTable), *get_type_hints(SuiteTable)}
    assert options() - known - set(REFUSED) - ELSEWHERE == set()
    assert known & set(REFUSED) == OF_MODELS
    assert set(REFUSED) <= options(), "it is no option of a push any more"
