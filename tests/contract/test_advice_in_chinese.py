"""What is advised against each doubt is told in Chinese: as it is said, and as a store or an agent has it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from caveat_cases import RUNS, TESTS
from rkbench.language.choice import FOLDERS
from rkbench.language.language import Language, load
from rkbench_agent.wire.caveats import WEIGHTS
from test_advice_table import PRINTED
from test_every_caveat import NO_MORE_SAID

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
import agent_words
import messages

#: Two words of English one after the other, outside of what is typed.
ENGLISH = re.compile(r"(?<![-\w./=$*])[a-z]{2,} [a-z]{2,}(?![-\w./=])")
TYPED = re.compile(
    r"bench [a-z]+(?: [a-z]+)?\b|for d in .*; done|mount -t debugfs none|sudo -n|systemctl list-timers"
    r"|timedatectl set-ntp true|top, systemctl"
)
#: What a text of the source leaves open: options, and texts that have a translation of their own.
OPEN = {"more_s": "--max-duration 60", "by_hand": "", "command": "echo 1"}


@pytest.fixture(scope="module")
def chinese() -> Language:
    return load("zh", FOLDERS["zh"])


def assert_chinese(text: str, told: str) -> None:
    assert re.search("[\u4e00-\u9fff]", told), (text, told)
    assert not ENGLISH.search(TYPED.sub("", told)), (text, told)
    assert re.findall(r"--[a-z][\w-]*|\bbench [a-z]+\b", text) == re.findall(
        r"--[a-z][\w-]*|\bbench [a-z]+\b", told
    )


@pytest.mark.parametrize("code", sorted(RUNS))
def test_advice_is_told_as_it_is_said_and_as_it_is_stored(code: str, chinese: Language) -> None:
    advice = RUNS[code].raising()[code]
    if advice:
        plain = "".join(advice)
        assert type(plain) is str
        assert_chinese(plain, chinese.known(plain))
        assert chinese.known(advice) == chinese.known(plain)


def advised() -> list[str]:
    files = sorted(agent_words.AGENT.rglob("*.py"))
    return sorted({text for path in files for text in agent_words.advised(path.read_text(encoding="utf-8"))})


@pytest.mark.parametrize("template", advised())
def test_what_an_agent_advises_is_told(template: str, chinese: Language) -> None:
    text = template.format(**OPEN) if "{" in template else template
    if text.startswith(";"):  # which stands behind another
        return
    assert_chinese(text, chinese.known(text))


def test_the_agents_advice_is_found_in_its_source() -> None:
    """Of every caveat that only an agent raises; three say nothing to be done."""
    found = set(advised())
    of_agent = {code: text for code, text in PRINTED.items() if code in TESTS}
    missing = {
        code: text
        for code, text in of_agent.items()
        if text.replace("{}", "{more_s}") not in found | set(messages.said())
        and code not in ("dead_part", "outputs_beside")
    }
    assert missing == {}
    assert len(found) > 25
    assert {*RUNS, *TESTS} == WEIGHTS.keys() - NO_MORE_SAID
