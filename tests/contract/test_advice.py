"""What we tell people to type is there: every command and option in any text of host, agent and catalogue."""

from __future__ import annotations

import re

import pytest
from advice_words import OF_BENCH, ROOT, Text, all_options, commands_in, options_in, options_of, texts
from rkbench.cli.app import COMMANDS
from rkbench.cli.lazy import Command

#: Texts that are no advice: pages, and the command line of the exporter.
NO_ADVICE = ("views/inspect/html", "boards/exporter", "rkbench_agent/exporter")
#: Options of docker, patchelf, gdb, pip and labgrid-client.
OF_OTHERS = {"--device", "--privileged", "--security-opt", "--clear-execstack", "--args"}
OF_OTHERS |= {"--disable-pip-version-check", "--no-input", "--no-deps", "--kick"}
#: Rules whose advice is to push again: an option that they name is one of `bench push`.
PUSH_AGAIN = re.compile(r"^(host/rkbench/results/|agent/rkbench_agent/(run|board)/)")

#: `deploy/x`, `docs/x.md`: files that texts send people to.
FILE = re.compile(r"(?<![\w/.])(?:deploy|docs)/[\w./-]*\w")


def advice() -> list[Text]:
    return [text for text in texts() if not any(part in text.place for part in NO_ADVICE)]


def test_texts_are_found() -> None:
    assert len(advice()) > 5000
    assert sum(bool(commands_in(text.text)) for text in advice()) > 100


def test_every_command_in_a_text_can_be_typed() -> None:
    found = [(text, typed) for text in advice() for typed in commands_in(text.text)]
    assert [(text, typed) for text, typed in found if typed.wrong] == []


def test_every_option_in_a_text_is_there() -> None:
    known = all_options() | OF_OTHERS | OF_BENCH
    found = [(text, option) for text in advice() for option, _ in options_in(text.text)]
    assert [(text, option) for text, option in found if option not in known] == []


def test_every_option_that_a_doubt_names_is_of_push_and_takes_its_number() -> None:
    push = COMMANDS["push"]
    assert isinstance(push, Command)
    known, wrong = options_of(push), []
    for text in advice():
        for option, value in options_in(text.text) if PUSH_AGAIN.search(text.place) else ():
            if option not in known:
                wrong.append((text, f"push has no {option}"))
            elif known[option].takes_value and value is not None and value[0].isdigit():
                why = known[option].refuses(value.rstrip(",;:.)`'"))
                wrong += [(text, why)] if why else []
    assert wrong == []


def test_every_option_that_a_doubt_names_is_typed_by_a_test() -> None:
    files = [path for room in ("e2e", "emulated") for path in (ROOT / "tests" / room).glob("*.py")]
    typed = "\n".join(path.read_text("utf-8") for path in files)
    told = [text for text in advice() if PUSH_AGAIN.search(text.place)]
    named = {option for text in told for option, _ in options_in(text.text)}
    assert {"--iterations", "--pin", "--runtime", "--placement"} <= named
    assert [option for option in sorted(named) if not re.search(rf"[\"' ]{option}[\"' =]", typed)] == []


def test_every_file_of_ours_that_a_text_names_is_there() -> None:
    named = {(text.place, name) for text in advice() for name in FILE.findall(text.text)}
    assert len(named) >= 5
    assert [(place, name) for place, name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("then: bench boards check desk", ""),
        ("bench pull MODEL.rknn", "no such command"),
        ("bench boards mend NAME", ""),
        ("bench export --row", "it has no --row"),
        ("bench push M.rknn --iterations many; or wait", "--iterations does not take 'many'"),
        ("bench export --raw --csv", "--csv needs a value"),
    ],
)
def test_a_text_that_is_wrong_is_seen(text: str, wrong: str) -> None:
    (typed,) = commands_in(text)
    assert typed.wrong.startswith(wrong) if wrong else typed.wrong == ""
