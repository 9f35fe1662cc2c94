"""Keeps the catalogues of languages: `make messages` adds what is said anew, and compiles them.

A sentence is a literal in `say("...")`, `clause("...")` or `something.say("...")`, a noun one in
`count(n, "noun")`; so are cause and advice of a known failure, what the agent advises, and why a fit is
provisional. A catalogue is a .po beside its .mo under host/rkbench/language/locale; both are kept.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

import agent_words
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from rkbench.views.inspect.html import SAID_BY_SCRIPTS

SOURCES = Path(__file__).parents[1] / "host" / "rkbench"
LOCALES = SOURCES / "language" / "locale"
SAYING = ("say", "clause")
COUNTING = "count"
#: Of a known failure: what is told of it.
MEANING = ("cause", "advice")
#: What says sentences has this; others may have a `say` of their own.
IMPORTED = "rkbench.language"
WIDTH = 100


def templates(source: str) -> Iterator[str]:
    """Yield what a module says, as templates."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        literals = [each.value if isinstance(each, ast.Constant) else None for each in node.args]
        if name in SAYING and isinstance(literals[0], str) and literals[0]:
            yield literals[0]
        elif name == COUNTING and len(literals) == 2 and isinstance(literals[1], str):
            yield f"{{number:,}} {literals[1]}"


def said(sources: Path = SOURCES) -> dict[str, list[str]]:
    """Return every template with the modules that say it."""
    found: dict[str, list[str]] = {}
    for path in sorted(sources.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        for template in templates(source) if IMPORTED in source or path.parent == LOCALES.parent else ():
            found.setdefault(template, []).append(path.relative_to(sources).as_posix())
    for path in sorted(sources.glob("views/inspect/page/*.js")):
        for template in SAID_BY_SCRIPTS.findall(path.read_text(encoding="utf-8")):
            found.setdefault(template, []).append(path.relative_to(sources).as_posix())
    for path in sorted(agent_words.AGENT.rglob("*.py")):
        for advice in agent_words.advised(path.read_text(encoding="utf-8")):
            found.setdefault(advice, []).append(f"agent/{path.relative_to(agent_words.AGENT).as_posix()}")
    fitted = sources / "npu" / "reference" / "latency_models.json"
    for provisional in re.findall(r'"provisional": "([^"]*)"', fitted.read_text(encoding="utf-8")):
        found.setdefault(provisional, []).append(fitted.relative_to(sources).as_posix())
    for path in sorted(sources.glob("catalogue/messages/*.toml")):
        for row in tomllib.loads(path.read_text(encoding="utf-8"))["row"]:
            for text in (
                each[kind] for each in (row, *row.get("when", ())) for kind in MEANING if kind in each
            ):
                found.setdefault(text, []).append(path.relative_to(sources).as_posix())
    return found


def updated(before: Catalog, found: dict[str, list[str]]) -> Catalog:
    """Return the catalogue of exactly what is said now; what is new has no translation yet."""
    after = Catalog(locale=before.locale, project="rkbench", version="", charset="utf-8", fuzzy=False)
    after.revision_date = after.creation_date = before.revision_date
    for template, places in sorted(found.items(), key=lambda item: (item[1][0], item[0])):
        known = before.get(template)
        after.add(
            template,
            known.string if known else "",
            locations=[(place, None) for place in dict.fromkeys(places)],
        )
    return after


def read(path: Path) -> Catalog:
    """Return a catalogue as it is checked in."""
    return read_po(BytesIO(path.read_bytes()), locale=path.parents[1].name)


def text_of(catalogue: Catalog) -> bytes:
    """Return a catalogue as its .po."""
    out = BytesIO()
    write_po(out, catalogue, width=WIDTH, include_lineno=False, omit_header=False)
    return out.getvalue()


def compiled(catalogue: Catalog) -> bytes:
    """Return a catalogue as its .mo."""
    out = BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def main() -> None:
    """Bring every catalogue up to date and compile it."""
    for path in sorted(LOCALES.glob("*/LC_MESSAGES/*.po")):
        catalogue = updated(read(path), said())
        path.write_bytes(text_of(catalogue))
        path.with_suffix(".mo").write_bytes(compiled(catalogue))
        missing = sum(not message.string for message in catalogue if message.id)
        sys.stdout.write(f"{path}: {len(catalogue)} sentences, {missing} without a translation\n")


if __name__ == "__main__":
    main()
