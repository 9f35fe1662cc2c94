"""Replays for virtual boards where the vendor's simulator left none: computed here, before the push.

The board gets them by the same path as the simulator's: nothing of the NPU's model is in the agent.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rkbench.errors import GoldenError, ModelError
from rkbench.files import cache_folder, local_file
from rkbench.rknn import open_model
from rkbench.variants.golden import evict, make_folder
from rkbench.variants.npz import GOLDEN
from rkbench.variants.variant import PreparedVariant

ROOMS = Path(__file__).parents[1]
SOURCES = ("npu/**/*.py", "npu/*.tsv", "rknn/**/*.py", "variants/*.py")
"""What computes a replay, reading the file and its inputs included: another version makes it again."""


def with_computed_outputs(
    variant: PreparedVariant, begin: Callable[[str], None], tell: Callable[[str], None]
) -> PreparedVariant:
    """Return the variant with outputs for its golden's inputs, computed now or found in the cache.

    `begin` hears whose outputs are computed before they are. What has a replay, or no golden, is returned as
    it is; what is not covered too, once `tell` was told why.
    """
    if variant.replay is not None or variant.golden is None:
        return variant
    name = variant.description.name
    target = cache_folder("replays") / f"{replay_key(variant.model.sha256, variant.golden.sha256)}.npz"
    try:
        if not target.exists():
            begin(name)
            make_folder(target.parent)
            from rkbench.variants.computation import compute  # numpy, and the model of the NPU

            with open_model(variant.model.path) as model:
                compute(model, variant.golden.path, target, words=GOLDEN)
            evict(target.parent, keep=target)
        os.utime(target)
    except MemoryError:
        tell(f"no outputs of {name} on a virtual board: memory is too short for computing them")
        return variant
    except (ModelError, GoldenError) as error:
        tell(f"no outputs of {name} on a virtual board: {error.message}")
        return variant
    return replace(variant, replay=local_file(target, f"{name}.replay.npz"))


def replay_key(model: str, golden: str, rooms: Path = ROOMS) -> str:
    """Return what a replay is kept under: the digests of model and golden, and the sources in `rooms`."""
    digest = hashlib.sha256(f"{model} {golden}".encode())
    for path in sorted(path for pattern in SOURCES for path in rooms.glob(pattern)):
        digest.update(path.read_bytes())
    return digest.hexdigest()
