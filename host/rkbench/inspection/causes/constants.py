"""Constants that the network does not have: folded maps, and what the compiler invents."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from math import prod

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.kernel_groups import ELEMENT_BYTES
from rkbench.inspection.causes.ledger import Key, Ledger
from rkbench.inspection.causes.model_facts import SECTION_OF, ModelFacts
from rkbench.inspection.causes.site import IN_BLOCKS, Site
from rkbench.inspection.formatting import count, dims
from rkbench.language.said import Said, clause, say
from rkbench.rknn.contents import Tensor
from rkbench.rknn.model import RknnModel
from rkbench.units import format_bytes

# Operators that read a map beside an activation; what others read are weights.
BROADCASTING = {"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Where", "Equal", "Less"}
MAP_READERS = BROADCASTING | {"Concat", "Expand"}
IN_BLOCKS_RANK = 5
"""Of the stored shape of a map in blocks of channels: N, blocks, height, width, channels of a block."""
Held = tuple[Site, Tensor]
LARGE_CONSTANT_BYTES = 4096
SAMPLE_BYTES = 16384
REPETITIVE_RATIO = 0.05


_NO_CONCAT = Fix(
    "network",
    say(
        "a constant map that is concatenated before a convolution is that convolution on the "
        "rest plus a bias: drop the Concat (exact for 1x1; for 3x3 up to the border)"
    ),
    rewrites=("constant_part",),
)
_BROADCAST = Fix(
    "network",
    say("where the map is added or multiplied, keep it as [1, C, 1, 1] and let it broadcast"),
)
_BRANCH = Fix(
    "network",
    say(
        "take the branch of an If over sizes, as torch writes LocalResponseNorm: the converter computes it "
        "once, on a map of its own, and stores the outcome; the results are wrong then (exact; 2.47 MB -> "
        "212 kB on the first stage of a network for rk3588)"
    ),
    rewrites=("taken_branch",),
)
MAP_AS_INPUT = Fix("network", say("feed the map as an input of the model"))


def _map_fixes(facts: ModelFacts, found: list[Held]) -> tuple[Fix, ...]:
    """Return what cures these maps: one broadcasts that says the same at every position."""
    joined = any(site.node.type == "Concat" for site, _ in found)
    flat = any(site.node.type in BROADCASTING and _is_flat(facts.model, tensor) for site, tensor in found)
    scaled = any(
        site.node.type in ("Mul", "Div") and tensor.shape == site.output_shape for site, tensor in found
    )
    fixes = ((_BRANCH, scaled), (_NO_CONCAT, joined), (_BROADCAST, flat), (MAP_AS_INPUT, True))
    return tuple(fix for fix, applies in fixes if applies)


def _is_flat(model: RknnModel, tensor: Tensor) -> bool:
    """Return whether each channel of a stored map has one value: over all positions of its block."""
    native, element = tensor.native_shape or tensor.shape, ELEMENT_BYTES.get(tensor.dtype, 0)
    blocks, inner = prod(native[:2]), native[4] if len(native) == IN_BLOCKS_RANK else 1
    positions = prod(native[2:]) // max(inner, 1)
    stride, one = tensor.buffer_bytes // max(blocks, 1), inner * element
    if len(native) < 4 or min(native) < 1 or not one or positions < 2 or positions * one > stride:
        return False
    with model.read_buffer(tensor.buffer_index) as view:
        starts = range(0, blocks * stride, stride)
        return all(view[at : at + positions * one] == bytes(view[at : at + one]) * positions for at in starts)


_IN_LAYOUT = say(
    "What depends on no input the converter computes once, and stores the outcome as a whole map, in "
    "the layout of an activation: a ConstantOfShape, an Expand, a constant part of a Concat, a table "
    "looked up at stored places, a product by zeros. The ONNX has a few bytes of it, or less."
)
_AS_THEY_ARE = say(
    "What depends on no input the converter computes once, and stores the outcome as a whole map: a "
    "ConstantOfShape, an Expand, a constant part of a Concat, a table looked up at stored places, a product "
    "by zeros. The ONNX has a few bytes of it, or less."
)


def folded_constants(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Maps that the ONNX computes from a few bytes (ConstantOfShape, Expand, Tile) are stored whole."""
    found = _unpaid(_generated(facts), ledger)
    if not found:
        return None
    largest = max((tensor for _, tensor in found), key=lambda tensor: tensor.buffer_bytes)
    return Finding(
        code="folded_constant",
        title=say("constant maps stored whole"),
        because=clause(
            "{found} ({largest}, {shape}) of repeated values {are_} stored whole: {bytes} ({share})",
            found=count(len(found), "constant map"),
            largest=largest.name,
            shape=dims(largest.shape),
            are_="is" if len(found) == 1 else "are",
        ),
        explanation=_IN_LAYOUT if any(tensor.layout for _, tensor in found) else _AS_THEY_ARE,
        layers=tuple(dict.fromkeys(site.base for site, _ in found)),
        claims=tuple(
            Claim(SECTION_OF[tensor.kind], site.index, tensor.buffer_bytes) for site, tensor in found
        ),
        evidence=tuple(
            say(
                "{tensor} {shape} ({dtype}), {buffer_bytes}, read by {site} ({type}); {repeats}",
                tensor=tensor.name,
                shape=dims(tensor.shape),
                dtype=tensor.dtype or say("no dtype"),
                buffer_bytes=format_bytes(tensor.buffer_bytes),
                site=site.base,
                type=site.node.type,
                repeats=_repeats(facts.model, tensor),
            )
            for site, tensor in found[:4]
        ),
        fixes=_map_fixes(facts, found),
        not_helping=(say("compress_weight: nothing on rk3588, 0.04 % of a file on rk3568 (measured)"),),
    )


def _generated(facts: ModelFacts) -> list[tuple[Site, Tensor]]:
    """Return the large maps that are named or look like generated ones, each with the layer that reads it."""
    return [
        (site, tensor)
        for site in facts.sites
        for tensor in site.constants
        if site.node.type in MAP_READERS or _is_folded_operand(facts.model, site, tensor)
        if tensor.kind in ("weight", "cpu_constant", "compiler_constant")
        and tensor.buffer_bytes >= LARGE_CONSTANT_BYTES
        and ("ConstantOfShape" in tensor.name or is_repetitive(facts.model, tensor))
    ]


def _is_folded_operand(model: RknnModel, site: Site, tensor: Tensor) -> bool:
    """Return whether a product of two maps multiplies by a constant map: attention that was folded.

    Scores of zero make one; zeros themselves may be weights that were never trained.
    """
    if not site.node.type.startswith("exMatMul") or tensor.layout != IN_BLOCKS:
        return False
    with model.read_buffer(tensor.buffer_index) as view:
        return tensor in site.inputs[:2] and any(view)


def compiler_constants(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Weights that the compiler invented for a rewrite, such as Concat to Conv."""
    layers = [site for site in facts.sites if ledger.left("compiler_constants", site.index)]
    everywhere: list[int | None] = [None, *(site.index for site in layers)]
    claims = tuple(
        Claim("compiler_constants", index, ledger.left("compiler_constants", index))
        for index in everywhere
        if ledger.left("compiler_constants", index)
    )
    tensors = _unclaimed(facts, ledger)
    if not claims or not tensors:
        return None
    largest = sorted(tensors, key=lambda tensor: tensor.buffer_bytes, reverse=True)
    return Finding(
        code="compiler_constants",
        title=say("constants that the compiler invented"),
        because=clause(
            "constants invented by the compiler take {bytes} ({share}), the largest {largest} {shape}",
            largest=largest[0].name,
            shape=dims(largest[0].shape),
        ),
        explanation=say(
            "Some rewrites (Concat to Conv, LayerNorm, attention) need weights that the network does "
            "not have; the compiler adds them."
        ),
        layers=tuple(site.base for site in layers),
        claims=claims,
        evidence=sized(largest[:3]),
        fixes=_invention_fixes(largest[0]),
    )


def sized(tensors: Iterable[Tensor]) -> tuple[Said, ...]:
    """Return constants with their shapes and sizes."""
    return tuple(
        say(
            "{tensor} {shape}: {size}",
            tensor=tensor.name,
            shape=dims(tensor.shape),
            size=format_bytes(tensor.buffer_bytes),
        )
        for tensor in tensors
    )


def _unclaimed(facts: ModelFacts, ledger: Ledger) -> list[Tensor]:
    """Return the constants of the compiler that are left of each layer, and those of no layer."""
    owned = {tensor.index: site.index for site, tensor in facts.owned}
    made = [tensor for tensor in facts.model.tensors if tensor.kind == "compiler_constant"]
    made.sort(key=lambda tensor: tensor.buffer_bytes, reverse=True)
    places = [("compiler_constants", owned.get(tensor.index)) for tensor in made]
    return [tensor for tensor, left in zip(made, _are_left(made, places, ledger), strict=True) if left]


def _unpaid(held: list[Held], ledger: Ledger) -> list[Held]:
    """Return the constants whose bytes no other cause has: weights of a layer that realigns are its own."""
    tensors = [tensor for _, tensor in held]
    places = [(SECTION_OF[tensor.kind], site.index) for site, tensor in held]
    return [one for one, left in zip(held, _are_left(tensors, places, ledger), strict=True) if left]


def _are_left(tensors: Iterable[Tensor], places: Iterable[Key], ledger: Ledger) -> list[bool]:
    """Return of each constant whether it fits into what is left of its place beside those before it."""
    left: dict[Key, int] = {}
    found = []
    for tensor, place in zip(tensors, places, strict=True):
        room = left.setdefault(place, ledger.left(*place))
        found.append(0 < tensor.buffer_bytes <= room)
        left[place] -= tensor.buffer_bytes * found[-1]
    return found


def is_repetitive(model: RknnModel, tensor: Tensor) -> bool:
    """Return whether the start of a constant says the same over and over: it compresses 20-fold or better."""
    with model.read_buffer(tensor.buffer_index) as view:
        sample = bytes(view[:SAMPLE_BYTES])
    return len(zlib.compress(sample, 1)) < REPETITIVE_RATIO * len(sample)


def _repeats(model: RknnModel, tensor: Tensor) -> Said:
    with model.read_buffer(tensor.buffer_index) as view:
        sample = bytes(view[:SAMPLE_BYTES])
    return say(
        "its first {sample} compress to {compress}",
        sample=format_bytes(len(sample)),
        compress=format_bytes(len(zlib.compress(sample, 1))),
    )


def _invention_fixes(largest: Tensor) -> tuple[Fix, ...]:
    """Concat to Conv can be avoided; what LayerNorm, attention, recurrence and Resize need cannot."""
    if "concat" not in largest.name.lower():
        return (Fix("nothing", say("the rewritten operators need them")),)
    return (
        Fix(
            "network",
            say(
                "make the channels of every part of the Concat a multiple of 16: it needs no convolution then"
            ),
        ),
    )
