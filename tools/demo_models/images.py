"""Write the demo's images into a folder: `python images.py FOLDER`; prints the golden's labels as JSON.

held_out.npz  `inputs/image` (64, 1, 1, 32, 32): the golden's inputs, as the ONNX wants them
fed.npz       the same as a board is fed: NHWC
calibration/  64 training images, one .npy each, as the ONNX wants them
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import digits
import numpy as np

CASES = 64


def main(folder: Path) -> None:
    """Write the three; deterministic."""
    data = digits.load()
    images = data.held_out_images[:CASES, None]
    np.savez(folder / "held_out.npz", **{"inputs/image": images})
    fed = np.ascontiguousarray(images.transpose(0, 1, 3, 4, 2))
    np.savez(folder / "fed.npz", **{"inputs/image": fed})
    (folder / "calibration").mkdir()
    for number, image in enumerate(data.train_images[:CASES]):
        np.save(folder / f"calibration/{number:03}.npy", image[None])
    print(json.dumps(data.held_out_labels[:CASES].tolist()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
