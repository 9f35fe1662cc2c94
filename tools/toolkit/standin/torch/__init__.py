"""A stand-in for torch: `import rknn.api` imports it, ONNX work touches only what stands here.

Only the toolkit's own environment sees this folder (`tools/toolkit/setup.py` names it in a .pth file there),
and a real torch in that environment wins over it. `load_pytorch` needs the real one and says so.
"""

from __future__ import annotations

import functools
import typing

__version__ = "0.0.0+standin"

_Function = typing.TypeVar("_Function", bound=typing.Callable[..., typing.Any])


class no_grad:  # noqa: N801 - torch's own name
    """Torch's context manager and decorator, which here has no gradients to stop."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *details: object) -> None:
        return None

    def __call__(self, function: _Function) -> _Function:
        @functools.wraps(function)
        def call(*args: typing.Any, **options: typing.Any) -> typing.Any:
            return function(*args, **options)

        return typing.cast(_Function, call)


class Tensor:
    """Never made; the toolkit asks `isinstance(value, torch.Tensor)`."""


def __getattr__(name: str) -> typing.NoReturn:
    if name.startswith("__"):
        raise AttributeError(name)
    raise AttributeError(f"torch.{name}: this is rkbench's stand-in, enough for ONNX; install the real torch")
