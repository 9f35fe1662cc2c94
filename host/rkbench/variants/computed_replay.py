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
from rkbench.files import local_file
from rkbench.rknn import open_model
from rkbench.variants.computation import compute
from rkbench.variants.golden import cache_folder, evict, make_folder
from rkbench.variants.variant import PreparedVariant

NPU_SOURCES = Path(__file__).parents[1] / "npu"
"""The NPU's model: a replay of another version of it is made again."""


def with_computed_outputs(variant: PreparedVariant, tell: Callable[[str], None]) -> PreparedVariant:
    """Return the variant with outputs for its golden's inputs, computed now or found in the cache.

    What has a replay, or no golden, is returned as it is; what is not covered too, once told why.
    """
    if variant.replay is not None or variant.golden is None:
        return variant
    name = variant.description.name
    target = cache_folder("replays") / f"{_key(variant.model.sha256, variant.golden.sha256)}.npz"
    try:
        if not target.exists():
            tell(f"computing the outputs of {name}: no simulator's are beside it")
            make_folder(target.parent)
            with open_model(variant.model.path) as model:
                compute(model, variant.golden.path, target)
            evict(target.parent, keep=target)
        os.utime(target)
    except (ModelError, GoldenError) as error:
        tell(f"no outputs of {name} on a virtual board: {error.message}")
        return variant
    return replace(variant, replay=local_file(target, f"{name}.replay.npz"))


def _key(model: str, golden: str) -> str:
    digest = hashlib.sha256(f"{model} {golden}".encode())
    for path in sorted(NPU_SOURCES.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
