"""The table of a sweep: recipes go on below, behind a comma."""

from __future__ import annotations

import pytest
from rkbench.views.sweep import broken


@pytest.mark.parametrize(
    ("recipe", "width", "lines"),
    [
        ("fix,single-core,int8-mmse", 80, ["fix,single-core,int8-mmse"]),
        ("fix,single-core,int8-mmse", 17, ["fix,single-core,", "int8-mmse"]),
        ("fix,single-core,int8-mmse", 1, ["fix,", "single-core,", "int8-mmse"]),
        ("fp16", 0, ["fp16"]),
    ],
)
def test_a_recipe_that_is_too_long_goes_on_behind_a_comma(recipe: str, width: int, lines: list[str]) -> None:
    assert broken(recipe, width).split("\n") == lines
