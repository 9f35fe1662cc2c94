"""What the agent advises, as templates: it has no catalogue, so its texts are read out of its source.

A text is the third argument of `caveat(...)` or `.doubt(...)`: a literal, or a name that is given one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

AGENT = Path(__file__).parents[1] / "agent" / "rkbench_agent"
CALLED = ("caveat", "doubt")
ADVICE = 2


def advised(source: str) -> Iterator[str]:
    """Yield each advice of a module's caveats; what differs from run to run stands as `{name}` in it."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in CALLED and len(node.args) > ADVICE:
            yield from _texts(node.args[ADVICE], tree)


def _texts(node: ast.expr, tree: ast.Module) -> Iterator[str]:
    """Yield what an expression may be: the text itself, both of two, or what a name is given anywhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield from _joined(node, tree)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _texts(value, tree)
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body, tree)
        yield from _texts(node.orelse, tree)
    elif isinstance(node, ast.Name):
        for value in _given(node.id, tree):
            yield from _texts(value, tree)


def _joined(node: ast.JoinedStr, tree: ast.Module) -> Iterator[str]:
    template = ""
    for part in node.values:
        if isinstance(part, ast.Constant):
            template += str(part.value).replace("{", "{{").replace("}", "}}")
        elif isinstance(part, ast.FormattedValue):
            template += f"{{{_name(part.value).strip('_').lower()}}}"
            yield from _texts(part.value, tree)
    yield template


def _given(name: str, tree: ast.Module) -> Iterator[ast.expr]:
    """Yield what a name is given: in assignments, and in a loop over a table of the module."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if name in map(_name, targets):
                yield node.value
        elif isinstance(node, ast.For) and isinstance(node.target, ast.Tuple):
            names = [_name(target) for target in node.target.elts]
            if name in names and isinstance(node.iter, ast.Name):
                yield from _column(node.iter.id, names.index(name), tree)


def _column(table: str, index: int, tree: ast.Module) -> Iterator[ast.expr]:
    for value in _given(table, tree):
        for row in value.elts if isinstance(value, ast.Tuple) else ():
            if isinstance(row, ast.Tuple) and len(row.elts) > index:
                yield row.elts[index]


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
