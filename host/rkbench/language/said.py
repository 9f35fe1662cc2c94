"""Sentences that can be told in another language: English text that remembers what it was made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any


class Said(str):
    """An English sentence, and the template and values that it was made of.

    It is the English text wherever text is wanted (JSON, a comparison); `Language.tell` makes another
    language of it. A value that is Said is told too, any other text (a name, a size) stays as it is.
    """

    __slots__ = ("template", "values")
    template: str
    values: dict[str, Any]


def say(template: str, /, **values: object) -> Said:
    """Return the template with its values filled in, as `str.format` does.

    A placeholder whose name ends with `_` is a word that only English inflects (`is`, `are`): a translation
    may leave it out. Templates are literals, so that `tools/messages.py` finds them.
    """
    said = Said(template.format(**values))
    said.template, said.values = template, values
    return said


def literal(text: str) -> Said:
    """Return a sentence that stands in data of ours as it is said, without placeholders."""
    return say(text.replace("{", "{{").replace("}", "}}"))


def clause(template: str, /, **values: object) -> Callable[..., Said]:
    """Return a sentence that waits for the rest of its values."""
    return partial(say, template, **values)


#: What is said where there is nothing to say.
NOTHING = say("")


def together(*sentences: Said) -> Said:
    """Return sentences one after the other; those that are empty are left out."""
    told = [each for each in sentences if each]
    whole = told[0] if told else NOTHING
    for sentence in told[1:]:
        whole = say("{before} {sentence}", before=whole, sentence=sentence)
    return whole


def listed(items: Sequence[str], separator: str = ", ") -> Said:
    """Return `a, b, c`, told item by item; "" of none."""
    said = NOTHING
    for number, item in enumerate(items):
        said = _after(said, item, separator) if number else say("{item}", item=item)
    return said


def _after(said: Said, item: str, separator: str) -> Said:
    if separator == "; ":
        return say("{items}; {item}", items=said, item=item)
    if separator == " then ":
        return say("{items} then {item}", items=said, item=item)
    return say("{items}, {item}", items=said, item=item)
