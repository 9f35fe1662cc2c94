"""Which golden says what an ONNX expects: the one beside it if it still fits, else one kept in the cache.

Nothing is written beside a user's model: only `bench golden` does that.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rkbench.errors import GoldenError
from rkbench.files import cache_folder
from rkbench.variants.golden import evict, make_folder
from rkbench.variants.golden_file import read_metadata
from rkbench.variants.golden_onnx import SCHEMA, Shapes, described, golden_beside, made_of, make_golden

#: Of an ONNX's name so much is in the name of its golden: the rest of it has to fit, too.
_NAME_CHARACTERS = 60
#: What a golden can have been made of otherwise, as its metadata has it, and what that is to people.
_DIFFERENCES = {
    "onnx_sha256": "another version of the ONNX",
    "inputs_sha256": "other inputs",
    "seed": "other inputs",
    "input_shapes": "inputs of other sizes",
}


def golden_from_onnx(
    onnx: Path,
    inputs: Path | None,
    shapes: Shapes | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Path:
    """Return a golden of `onnx`: MODEL.golden.npz beside it where that was made of the same, else our own.

    Ours is computed once and lies in the cache. `shapes` are of inputs that the ONNX leaves open. `tell`
    hears of what is computed, and of a golden beside the ONNX that is left aside. Raises what `make_golden`
    raises.
    """
    wanted = made_of(onnx, inputs, shapes)
    own = golden_beside(onnx)
    if _is_there(own):
        if (difference := _difference(own, wanted)) is None:
            return own
        tell(f"{own.name} beside {onnx.name} is not used, it {difference}; to use it: --golden {own}")
    kept = cache_folder("expected") / f"{onnx.stem[:_NAME_CHARACTERS]}.{_key(wanted)}.npz"
    if not kept.exists():
        make_folder(kept.parent)
        make_golden(onnx, inputs, kept, shapes=shapes)
        evict(kept.parent, keep=kept)
        tell(f"{described(kept)}; kept for the next push in {kept}")
    os.utime(kept)
    return kept


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # the ONNX's own name leaves no room for more
        return False


def _key(wanted: Mapping[str, Any]) -> str:
    return hashlib.sha256(repr(sorted(wanted.items())).encode()).hexdigest()[:16]


def _difference(golden: Path, wanted: Mapping[str, Any]) -> str | None:
    """Return what of a golden is not as `wanted`; None where all is."""
    try:
        known = read_metadata(golden)
    except GoldenError:
        return "cannot be read"
    if known.get("schema") != SCHEMA:
        return "is none that bench made"
    for key, words in _DIFFERENCES.items():
        if known.get(key) != wanted.get(key):
            return f"was made of {words}"
    return None
