"""rkbench: benchmark RKNN models on RK3568/RK3588 boards, and explain every byte of a .rknn file.

>>> import rkbench
>>> rkbench.inspect("model.rknn")  # doctest: +SKIP
>>> rkbench.push(["a.rknn", "b.rknn"], board="desk")  # doctest: +SKIP
>>> rkbench.runs(board="desk", since="7d").to_pandas()  # doctest: +SKIP

What `__all__` names is the public surface (docs/python.md); the rest may change with any version.
"""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["BenchError", "Inspected", "Push", "Run", "Runs", "__version__", "inspect", "push", "runs"]

#: Where each name is: imported when it is asked for, so that `import rkbench` costs nothing.
#: Type checkers read `__init__.pyi`, which says the same.
_HOMES = {
    "BenchError": "errors",
    "Inspected": "api.inspecting",
    "Push": "api.pushing",
    "Run": "api.stored",
    "Runs": "api.stored",
    "inspect": "api.inspecting",
    "push": "api.pushing",
    "runs": "api.stored",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'rkbench' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"rkbench.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
