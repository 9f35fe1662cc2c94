"""A string that stands alone in a function says nothing to anybody: it is a sentence that lost its end."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
WITH_FIELDS = (ast.Module, ast.ClassDef)


def lone_strings(tree: ast.Module) -> Iterator[int]:
    """Yield the lines of strings that are statements, but neither docstrings nor what documents a field."""
    for parent in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            body = getattr(parent, name, None)
            if isinstance(body, list):
                for before, statement in zip([None, *body], body, strict=False):
                    if _is_text(statement) and not _documents(parent, before):
                        yield statement.lineno


def _documents(parent: ast.AST, before: ast.stmt | None) -> bool:
    if before is None:
        return isinstance(parent, DOCUMENTED)
    return isinstance(parent, WITH_FIELDS) and isinstance(before, ast.Assign | ast.AnnAssign)


def _is_text(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Expr):
        return False
    value = statement.value
    return isinstance(value, ast.JoinedStr) or (
        isinstance(value, ast.Constant) and isinstance(value.value, str)
    )


def test_no_string_stands_alone() -> None:
    files = [*(ROOT / "host").rglob("*.py"), *(ROOT / "agent").rglob("*.py")]
    found = {str(file.relative_to(ROOT)): list(lone_strings(ast.parse(file.read_bytes()))) for file in files}
    assert len(found) > 200
    assert {file: lines for file, lines in found.items() if lines} == {}


def test_a_lost_end_is_found() -> None:
    code = 'def f(x):\n    """Say it."""\n    why = "a" if x else "half "\n    "or less"\n    return why\n'
    assert list(lone_strings(ast.parse(code))) == [4]
