"""A whole document told in a language: its sentences, and nothing else of it."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from rkbench.language.language import ENGLISH, Language
from rkbench.language.said import Said

Document = TypeVar("Document")


def translated(document: Document, language: Language) -> Document:
    """Return the document with every sentence told in `language`; names, numbers and commands stay."""
    if language is ENGLISH:
        return document
    told: Document = _told(document, language)
    return told


def _told(value: Any, language: Language) -> Any:
    if isinstance(value, Said):
        return language.tell(value)
    if isinstance(value, tuple):
        return tuple(_told(item, language) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
        changed = {name: _told(part, language) for name, part in parts.items()}
        return replace(value, **{name: part for name, part in changed.items() if part is not parts[name]})
    return value
