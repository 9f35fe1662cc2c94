"""What people write into tables of TOML is typed strictly; what is wrong is told in words, with its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from rkbench.decoding.tables import Word, read_table
from rkbench.errors import UsageError


@dataclass(frozen=True)
class Form:
    """Every kind of value that a table of ours may hold."""

    word: Word = "w"
    count: int | None = None
    limit: float = 0.0
    on: bool = False
    home: Path | None = None
    words: tuple[Word, ...] = ()
    paths: tuple[Path, ...] = ()
    files: Word | tuple[Word, ...] = ()
    parts: dict[str, Any] | None = None
    tables: tuple[dict[str, Any], ...] = ()
    anything: tuple[Any, ...] = ()
    clock: Annotated[int | str, "a clock, as '600MHz'"] = 0


def read(value: object) -> Form:
    return read_table(Form, value, "lab.toml: [form]", UsageError)


def test_values_have_the_type_of_their_key() -> None:
    found = read({"limit": 3, "words": ["a"], "paths": ["~", "/x"], "files": "f", "clock": "600MHz"})
    assert found == Form(limit=3.0, words=("a",), paths=(Path.home(), Path("/x")), files="f", clock="600MHz")
    assert isinstance(found.limit, float)
    assert read({}) == Form()


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("word", "", "a string"),
        ("word", 3, "a string"),
        ("count", 3.0, "a whole number"),
        ("count", True, "a whole number"),
        ("count", "3", "a whole number"),
        ("limit", "3", "a number"),
        ("on", 1, "true or false"),
        ("home", 3, "a string"),
        ("words", "a", "a list of strings"),
        ("words", ["a", ""], "a list of strings"),
        ("paths", [3], "a list of strings"),
        ("files", [3], "a string or a list of strings"),
        ("parts", [], "a table"),
        ("tables", [3], "a list of tables"),
        ("anything", {}, "a list"),
        ("clock", 6.5, "a clock, as '600MHz'"),
    ],
)
def test_another_type_is_told_in_words(key: str, value: object, kind: str) -> None:
    with pytest.raises(UsageError) as caught:
        read({key: value})
    what = "a table" if isinstance(value, dict) else repr(value)
    assert caught.value.message == f"lab.toml: [form]: {key} must be {kind}, not {what}"


def test_an_unknown_key_says_what_was_meant() -> None:
    with pytest.raises(UsageError, match=r"lab\.toml: \[form\]: key 'wrods' is unknown") as caught:
        read({"wrods": []})
    assert caught.value.hint == "did you mean words or word?"
    with pytest.raises(UsageError) as caught:
        read({"zzz": []})
    assert caught.value.hint.startswith("known: word, count, limit")


def test_what_is_no_table_is_told() -> None:
    with pytest.raises(UsageError, match=r"\[form\] must be a table, not 3"):
        read(3)
