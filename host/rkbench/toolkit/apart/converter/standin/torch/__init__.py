"""A stand-in for torch: `import rknn.api` imports it, ONNX work touches only what stands here.

Only what runs in a toolkit's environment sees this folder (the converter names it last on its path), and a
real torch in that environment wins over it. `load_pytorch` needs the real one and says so.
"""

from __future__ import annotations

import functools
import typing

import numpy

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
    """What `arange` makes: numbers that are given other shapes and orders, and then to numpy.

    The toolkit asks `isinstance(value, torch.Tensor)` of much else, which none of it is.
    """

    def __init__(self, array: typing.Any) -> None:
        self._array = array

    def reshape(self, *shape: typing.Any) -> Tensor:
        """Return it in another shape; sizes may come one by one or as one sequence."""
        return Tensor(self._array.reshape(*shape))

    def permute(self, *order: typing.Any) -> Tensor:
        """Return it with its axes in another order."""
        return Tensor(self._array.transpose(*order))

    def flatten(self) -> Tensor:
        """Return it as one row."""
        return Tensor(self._array.ravel())

    def numpy(self) -> typing.Any:
        """Return the numbers."""
        return self._array

    def tolist(self) -> typing.Any:
        """Return the numbers as lists."""
        return self._array.tolist()

    def __getattr__(self, name: str) -> typing.NoReturn:
        raise AttributeError(f"torch.Tensor.{name}: {_LACKING}")


def arange(*bounds: typing.Any) -> Tensor:
    """Return the numbers from a first to before a last one, in steps, as torch does."""
    return Tensor(numpy.arange(*bounds))


def split(tensor: Tensor, size: typing.Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Return pieces of `size` (one number, or one for each piece) along an axis."""
    array = tensor.numpy()
    sizes = [size] * -(-array.shape[dim] // size) if isinstance(size, int) else list(size)
    ends = numpy.cumsum(sizes)[:-1]
    return tuple(Tensor(piece) for piece in numpy.split(array, ends, axis=dim))


def cat(tensors: typing.Sequence[Tensor], dim: int = 0) -> Tensor:
    """Return tensors joined along an axis."""
    return Tensor(numpy.concatenate([tensor.numpy() for tensor in tensors], axis=dim))


def __getattr__(name: str) -> typing.NoReturn:
    if name.startswith("__"):
        raise AttributeError(name)
    raise AttributeError(f"torch.{name}: {_LACKING}")


_LACKING = "this is rkbench's stand-in, enough for ONNX; install the real torch"
