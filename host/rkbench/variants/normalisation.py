"""Mean and standard deviation that a conversion baked into a model, which then wants raw values.

`rknn.config(mean_values, std_values)` makes the .rknn compute (x - mean) / std itself. A golden made from the
ONNX holds x as the ONNX is fed; for such a model it must be turned back to x * std + mean.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rkbench.rknn import RknnModel

if TYPE_CHECKING:
    from rkbench.variants.npz import Array


@dataclass(frozen=True)
class Normalisation:
    """What the model does to one input, channel by channel: (x - mean) / std."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def undone(self, case: Array, channel_axis: int) -> Array:
        """Return `case` as the raw values that the model would normalise to it, float32."""
        mean, std = self._along(case, channel_axis)
        raw: Array = (case * std + mean).astype("float32")
        return raw

    def done(self, case: Array, channel_axis: int) -> Array:
        """Return raw values as the model normalises them, float32."""
        mean, std = self._along(case, channel_axis)
        normalised: Array = ((case - mean) / std).astype("float32")
        return normalised

    def _along(self, case: Array, channel_axis: int) -> tuple[Array, Array]:
        import numpy as np  # a tenth of a second that a push without a golden needs not

        shape = [1] * case.ndim
        shape[channel_axis] = len(self.mean)
        mean, std = (np.array(values, np.float64).reshape(shape) for values in (self.mean, self.std))
        return mean, std

    def __str__(self) -> str:
        return f"mean {_short(self.mean)}, std {_short(self.std)}"


def normalisations(model: RknnModel) -> dict[str, Normalisation]:
    """Return the normalisation of each input that has one; {} where the file does not say."""
    try:
        attributes = ast.literal_eval(model.file.description)["attrs"]
        found = {
            str(name): Normalisation(tuple(map(float, each["mean"])), tuple(map(float, each["std"])))
            for name, each in attributes.items()
            if not each["is_output"]
        }
    except (ValueError, SyntaxError, TypeError, KeyError, AttributeError, RecursionError, MemoryError):
        return {}  # older toolkits write another text there, or none
    return {name: each for name, each in found.items() if any(each.mean) or any(s != 1 for s in each.std)}


def _short(values: tuple[float, ...]) -> str:
    return f"{values[0]:g}" if len(set(values)) == 1 else ", ".join(f"{value:g}" for value in values[:4])
