"""Constants that some maps share and the file holds for every map of a batch: biases of heads, masks."""

from __future__ import annotations

from dataclasses import dataclass

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.constants import BROADCASTING
from rkbench.inspection.causes.kernel_groups import ELEMENT_BYTES
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import SECTION_OF, ModelFacts
from rkbench.inspection.causes.site import IN_BLOCKS, Site
from rkbench.inspection.formatting import count, dims
from rkbench.language.said import Said, clause, say
from rkbench.rknn.contents import Tensor
from rkbench.units import format_bytes

SMALLEST_BYTES = 4096
_READERS = (*sorted(BROADCASTING), "exMatMul", "exSDPAttention")
"""Operators that combine a constant with the maps of a batch; products of attention have it fused."""
_ROW = 4
"""The positions of a map are filled up to a multiple of this."""

AS_INPUT = Fix(
    "network",
    say(
        "feed it as an input of the model, in its own shape (in float16 869 -> 705 kB on a sample of 16 "
        "windows with 2 heads for rk3588, 438 -> 271 kB for rk3568); the program then sets one input more"
    ),
)
_FIXES = (
    AS_INPUT,
    Fix("network", say("fewer and larger windows: one copy for each of them")),
)


@dataclass(frozen=True)
class _Tiled:
    """A constant over many maps of which few differ."""

    site: Site
    tensor: Tensor
    kinds: int
    """Maps that differ."""
    again_bytes: int
    """Bytes of the maps that are the same as one before."""


def tiled_constants(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A constant that broadcasts over windows or heads is laid out anew for every one of them."""
    found = [tiled for site, tensor in facts.owned if (tiled := _tiled(facts, ledger, site, tensor))]
    if not found:
        return None
    found.sort(key=lambda tiled: -tiled.again_bytes)
    worst = found[0]
    return Finding(
        code="tiled_constants",
        title=say("constants of one map stored anew for every window or head"),
        because=clause(
            "{found} that {repeat_} from map to map {are_} stored for each: {bytes} ({share}), most {worst} "
            "of {site} ({shape}, {kinds} distinct in {maps:,} maps)",
            found=count(len(found), "constant"),
            repeat_="repeats" if len(found) == 1 else "repeat",
            are_="is" if len(found) == 1 else "are",
            worst=worst.tensor.name,
            site=worst.site.base,
            shape=dims(worst.tensor.shape),
            kinds=worst.kinds,
            maps=worst.tensor.shape[0],
        ),
        explanation=say(
            "What is added to the maps of all windows or heads (a position bias, the mask of shifted "
            "windows) is the same for many of them. The NPU takes one map at a time, each with its own "
            "operand, so the compiler writes the same bytes once for every map."
        ),
        layers=tuple(tiled.site.base for tiled in found),
        claims=tuple(
            Claim(SECTION_OF[tiled.tensor.kind], tiled.site.index, tiled.again_bytes) for tiled in found
        ),
        evidence=tuple(_shown(tiled) for tiled in found[:4]),
        fixes=_FIXES,
        not_helping=(
            say(
                "one attention for each window that reads the same initializer: 869 -> 1,007 kB on that "
                "sample"
            ),
        ),
    )


def _shown(tiled: _Tiled) -> Said:
    return say(
        "{tensor} {shape} of {site} ({type}): {buffer_bytes}, {kinds} distinct in {maps:,} maps",
        tensor=tiled.tensor.name,
        shape=dims(tiled.tensor.shape),
        site=tiled.site.base,
        type=tiled.site.node.type,
        buffer_bytes=format_bytes(tiled.tensor.buffer_bytes),
        kinds=tiled.kinds,
        maps=tiled.tensor.shape[0],
    )


def _tiled(facts: ModelFacts, ledger: Ledger, site: Site, tensor: Tensor) -> _Tiled | None:
    """Return a constant of which half the maps or more are again, where no other cause owns it.

    Weights have no maps, and what no operator combines with the maps of a batch is none of theirs.
    """
    if not site.node.type.startswith(_READERS):
        return None
    maps = tensor.shape[0] if len(tensor.shape) == 4 else 0
    map_bytes = _map_bytes(tensor) if maps > 1 and tensor.layout == IN_BLOCKS else 0
    if not map_bytes or tensor.buffer_bytes < SMALLEST_BYTES:
        return None
    if 2 * ledger.left(SECTION_OF[tensor.kind], site.index) < tensor.buffer_bytes:
        return None
    with facts.model.file.path.open("rb", buffering=0) as stream:
        stream.seek(facts.model.buffers[tensor.buffer_index].offset)
        data = stream.read(maps * map_bytes)
    if not any(data):
        return None  # a table that was not trained yet: all of its maps are alike by chance
    again = maps - len({data[at : at + map_bytes] for at in range(0, len(data), map_bytes)})
    return _Tiled(site, tensor, maps - again, again * map_bytes) if 2 * again >= maps else None


def _map_bytes(tensor: Tensor) -> int:
    """Return what one map takes of a constant in blocks of channels; 0 where its bytes do not add up."""
    native = tensor.native_shape
    if len(native) != 5 or native[0] != tensor.shape[0]:
        return 0
    maps, blocks, height, width, block = native
    positions = height * width
    for filled in (positions + -positions % _ROW, positions):
        size = blocks * filled * block * ELEMENT_BYTES.get(tensor.dtype, 0)
        if 0 < maps * size <= tensor.buffer_bytes < (maps + 1) * size:
            return size
    return 0
