"""The words without which an expression cannot match: what a large log is searched for first. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

#: Shorter words are in too many lines to be worth a look.
_SHORTEST = 3
_TOKEN = re.compile(
    r"(?P<escape>\\.)|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<flags>\(\?[a-zA-Z]+\))"
    r"|(?P<open>\((?:\?(?:[a-zA-Z]*:|<?[=!]|P?<\w+>))?)|(?P<close>\))|(?P<bar>\|)"
    r"|(?P<repeat>[*+?]\??|\{\d*,?\d*\}\??)|(?P<any>[.^$])|(?P<char>.)",
    re.DOTALL,
)
_AROUND = ("(?=", "(?!", "(?<=", "(?<!")


@dataclass
class _Group:
    """A group while it is read: `branches` are its ended alternatives, `words` those of the present one."""

    opened_by: str = ""
    branches: list[frozenset[str]] = field(default_factory=list)
    words: list[frozenset[str]] = field(default_factory=list)
    run: str = ""

    def end_run(self) -> None:
        """End the letters that stand beside one another."""
        if self.run:
            self.words.append(frozenset({self.run.lower()}))
        self.run = ""

    def end_branch(self) -> None:
        """End an alternative: the best of what it must hold is the one whose shortest word is longest."""
        self.end_run()
        self.branches.append(max(self.words, key=_shortest, default=frozenset()))
        self.words = []

    def drop_last(self) -> None:
        """Take back what may be absent: a letter, or the group before it."""
        if self.run:
            self.run = self.run[:-1]
        elif self.words:
            self.words.pop()
        self.end_run()

    def whole(self) -> frozenset[str]:
        """Return one word of every branch, or an empty set where a branch has none or nothing is consumed."""
        self.end_branch()
        told = all(self.branches) and not self.opened_by.startswith(_AROUND)
        return frozenset().union(*self.branches) if told else frozenset()


@cache
def needles(pattern: str) -> frozenset[str]:
    """Return words in lower case, one of which every text that matches holds; empty where none is sure."""
    groups = [_Group()]
    for token in _TOKEN.finditer(pattern):
        _read(groups, str(token.lastgroup), token.group())
    found = groups[0].whole()
    return found if found and _shortest(found) >= _SHORTEST else frozenset()


def _read(groups: list[_Group], kind: str, text: str) -> None:
    """Add one token to the groups that are open, the innermost of which is the last."""
    here = groups[-1]
    if kind == "char" or (kind == "escape" and not text[1].isalnum()):
        here.run += text[-1]
    elif kind == "repeat" and text[0] != "+":
        here.drop_last()
    elif kind == "bar":
        here.end_branch()
    else:
        here.end_run()
        if kind == "open":
            groups.append(_Group(text))
        elif kind == "close":
            groups.pop()
            groups[-1].words.append(here.whole())
        elif kind in ("set", "escape", "any"):
            here.words.append(frozenset())


def _shortest(words: frozenset[str]) -> int:
    return min(map(len, words), default=0)
