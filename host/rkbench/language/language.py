"""A language, and what was said in English told in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from rkbench.language.said import Said, say

LOCALES = Path(__file__).parent / "locale"
DOMAIN = "rkbench"
TAGS = {"zh": "zh-CN"}
_PART = "\\{(\\w+)[^{}]*\\}"
_LATIN, _HAN = "[0-9A-Za-z]", "[\u4e00-\u9fff]"


class Language:
    """A language: `code` is what `--lang` calls it, `template_of` what an English template is in it.

    No dataclass, and `template_of` is None of English: an inspection in English pays nothing for this.
    """

    def __init__(
        self,
        code: str,
        template_of: Callable[[str], str] | None = None,
        templates: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self.code = code
        self._template_of = template_of
        self._templates = templates

    @property
    def tag(self) -> str:
        """What a page's `lang` says."""
        return TAGS.get(self.code, self.code)

    def tell(self, text: str) -> str:
        """Return a sentence in this language; text that is no sentence (a name, a command) as it is."""
        if not isinstance(text, Said) or self._template_of is None:
            return text
        # To gettext "" is the header of its file.
        template = self._template_of(text.template) if text.template else ""
        told = {
            name: self.tell(value) if isinstance(value, str) else value for name, value in text.values.items()
        }
        return _spaced(template, told, text.values).format(**told)

    def known(self, text: str) -> str:
        """Return a sentence told that may have come as plain text, out of a store or from a board.

        It is told where some template of the catalogue has its form, and else stays as it is.
        """
        if isinstance(text, Said) or self._template_of is None or not text:
            return self.tell(text)
        return self._recognised(text)

    def _recognised(self, text: str) -> str:
        from rkbench.language.recognised import recognised  # for stored texts in another language alone

        said = recognised(text, self._templates())
        return text if said is None else self.tell(said)

    def templates(self, english: Iterable[str]) -> dict[str, str]:
        """Return templates in this language, for whoever fills them in: a script of a page."""
        told = self._template_of or str
        return {template: told(template) for template in english}

    def say(self, template: str, /, **values: object) -> str:
        """Return a template filled in, told."""
        return self.tell(say(template, **values))


def _spaced(template: str, told: dict[str, object], values: dict[str, object]) -> str:
    """Return the template with a blank between an ideograph and a part that has a letter or digit there.

    What a part begins and ends with only who fills it in knows: `因为{because}` with `3 层 ...`, or with
    `编译器 ...`.
    """

    def spaced(found: re.Match[str]) -> str:
        part = told.get(found[1])
        if not isinstance(values.get(found[1]), Said) or not isinstance(part, str):
            return found[0]
        start, end = found.span()
        before = " " if re.match(_LATIN, part) and re.match(_HAN, template[:start][-1:]) else ""
        behind = " " if re.match(_LATIN, part[-1:]) and re.match(_HAN, template[end:]) else ""
        return f"{before}{found[0]}{behind}"

    return re.sub(_PART, spaced, template)


ENGLISH = Language("en")


def load(code: str, folder: str) -> Language:
    """Return the language whose compiled catalogue lies in `folder` of the locales."""
    from gettext import translation  # English needs none of it

    from rkbench.language.catalogue import Catalogue

    catalogue = translation(DOMAIN, LOCALES, [folder], class_=Catalogue)
    return Language(code, catalogue.gettext, catalogue.templates)
