"""The data of the demo: scikit-learn's digits, upscaled to 32x32, split once with a fixed seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

SEED = 20260
HELD_OUT_IMAGES = 360
SIDE_PIXELS = 32


@dataclass(frozen=True)
class Digits:
    """Images are (N, 1, 32, 32) float32 of 0 to 1; labels are (N,) int64 of 0 to 9."""

    train_images: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    held_out_images: NDArray[np.float32]
    held_out_labels: NDArray[np.int64]


def load() -> Digits:
    """Return the digits, shuffled with `SEED`; the last `HELD_OUT_IMAGES` are never trained on."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(SEED).permutation(len(labels))
    large = upscale(images.reshape(-1, 8, 8)[order] / 16.0)[:, None].astype(np.float32)
    shuffled = labels[order].astype(np.int64)
    cut = len(labels) - HELD_OUT_IMAGES
    return Digits(large[:cut], shuffled[:cut], large[cut:], shuffled[cut:])


def upscale(images: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (N, 8, 8) images as (N, 32, 32), interpolated linearly between pixel centres."""
    old = images.shape[-1]
    centres = (np.arange(SIDE_PIXELS) + 0.5) * old / SIDE_PIXELS - 0.5
    # Row i holds the weights with which the old pixels make the new pixel i.
    weights = np.stack([np.interp(centres, np.arange(old), row) for row in np.eye(old)], axis=1)
    return np.asarray(weights @ images @ weights.T)
