"""Which language is spoken: what `--lang` says, else the locale, else English."""

from __future__ import annotations

import os
from collections.abc import Mapping

from rkbench.errors import UsageError
from rkbench.language.language import ENGLISH, Language, load

#: What `--lang` takes besides `en`, and the folder of its catalogue.
FOLDERS = {"zh": "zh_CN"}
#: Locales that a catalogue is for; those of Taiwan and Hong Kong write otherwise, and have to ask.
_TERRITORIES = {"zh": ("", "cn", "sg", "hans")}
#: The first that is set says which language messages have.
_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")

_asked: list[str] = []
"""What `--lang` of the command that runs has said: one code at most."""


def ask(word: str) -> None:
    """Let a language be spoken from here on; raises UsageError for one that there is not."""
    forget()
    _asked.append(code_of(word))


def forget() -> None:
    """Let the locale decide again."""
    _asked.clear()


def code_of(word: str) -> str:
    """Return the code of a language that was typed: `zh`, `zh_CN` or `zh-cn`; raises UsageError."""
    language, _, territory = word.lower().replace("-", "_").partition("_")
    if language == ENGLISH.code or (language in FOLDERS and territory in _TERRITORIES[language]):
        return language
    known = ", ".join((ENGLISH.code, *FOLDERS))
    raise UsageError(f"--lang {word}: no such language", hint=f"there are: {known}")


def spoken(encoding: str | None = "utf-8", environment: Mapping[str, str] = os.environ) -> Language:
    """Return the language to tell things in; English where `encoding` lacks the other's characters."""
    code = _asked[0] if _asked else _of_locale(environment)
    if code == ENGLISH.code:
        return ENGLISH
    language = load(code, FOLDERS[code])
    return language if _can_write(encoding, language.say("Layers by size")) else ENGLISH


def _of_locale(environment: Mapping[str, str]) -> str:
    """Return the language of the locale; English where it is of another, or of none."""
    locale = next((environment[name] for name in _VARIABLES if environment.get(name)), "")
    try:
        return code_of(locale.partition(".")[0].partition("@")[0])
    except UsageError:
        return ENGLISH.code


def _can_write(encoding: str | None, text: str) -> bool:
    try:
        text.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
