"""What is cut from the agent before it travels."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import rkbench_agent
from rkbench.boards.agent.docstrings import without_docstrings

#: The exporter travels as it is: it is sent once, when it is installed.
FOLDER = Path(rkbench_agent.__file__).parent
SOURCES = sorted(path for path in FOLDER.rglob("*.py") if path.parent != FOLDER / "exporter")


BEFORE = '''"""Doc
of two lines."""
# a comment
x = "# no comment"


class Nothing(Exception):
    """Why."""
'''
AFTER = """""


x = "# no comment"


class Nothing(Exception):
    ""
"""


def test_comments_and_docstrings_go_and_lines_stay() -> None:
    assert without_docstrings(BEFORE) == AFTER


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_module_of_the_agent_keeps_its_statements_and_their_lines(path: Path) -> None:
    before, after = path.read_text(), without_docstrings(path.read_text())
    assert before.count("\n") == after.count("\n")
    assert _statements(before) == _statements(after)


def _statements(source: str) -> list[str]:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and ast.get_docstring(node, False) is not None
        ):
            node.body[0] = ast.Pass(lineno=node.body[0].lineno)
    return [f"{node.lineno} {ast.dump(node)}" for node in ast.walk(tree) if isinstance(node, ast.stmt)]
