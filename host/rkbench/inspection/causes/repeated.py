"""Constants that the file holds more than once: identical initializers, inventions of the compiler."""

from __future__ import annotations

import re
import zlib
from collections import defaultdict

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.idle_statistics import statistics_of
from rkbench.inspection.causes.kernel_groups import moves_channels
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import SECTION_OF, ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count, dims
from rkbench.language.said import clause, say
from rkbench.rknn.contents import Tensor
from rkbench.units import format_bytes

SMALLEST_BYTES = 1024
_PART = re.compile(r"_tile\d+(_|$)")
"""In the name of a part of a layer that the compiler cut; a layer of the network may be called `_tile`."""
_SAMPLE_BYTES = 4096
_STORED = ("weight", "cpu_constant", "compiler_constant")

_SHARE = Fix(
    "network",
    say(
        "let the layers read one initializer: merge initializers of equal content in the ONNX "
        "(exact; 64.1 -> 45.3 kB on a sample for rk3588)"
    ),
    rewrites=("shared_weights",),
)
_CUT = Fix(
    "network",
    say(
        "cut the convolution in the ONNX: a Slice of the channels, a convolution and an Add for each part, "
        "whose weights are at most 3,072 bytes an output channel (6,144 on the rk3566 and rk3568) and one "
        "initializer for all layers (exact; 961 -> 368 kB on a sample for rk3588)"
    ),
    rewrites=("shared_parts",),
)
_SCALED = Fix(
    "nothing",
    say(
        "where weights differ in the ONNX by a factor of each output channel (shared ones into which each "
        "layer's own batch norm is folded): int8 has a scale for each channel and makes them equal, no cure "
        "is known"
    ),
)
_INVENTED = Fix("nothing", say("the compiler makes one for each layer that needs it"))
Held = tuple[Site, Tensor]


def repeated_constants(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """The compiler stores a constant for each tensor of the ONNX, also where two hold the same bytes."""
    groups = _same_bytes(facts, ledger)
    again = [held for group in groups for held in group[1:]]
    claims = tuple(
        Claim(section, site.index, min(tensor.buffer_bytes, ledger.left(section, site.index)))
        for site, tensor in again
        for section in [SECTION_OF[tensor.kind]]
        if ledger.left(section, site.index)
    )
    if not claims:
        return None
    first, second = max(groups, key=lambda group: group[0][1].buffer_bytes * (len(group) - 1))[:2]
    return Finding(
        code="repeated_constants",
        title=say("constants stored again"),
        because=clause(
            "{again} {are_} stored again, byte for byte: {bytes} ({share}), the largest {second} "
            "({shape}), the same as {first}",
            again=count(len(again), "constant"),
            are_="is" if len(again) == 1 else "are",
            second=second[1].name,
            shape=dims(second[1].shape),
            first=first[1].name,
        ),
        explanation=say(
            "The compiler keeps a constant for each that a layer reads, not for each content: weights that "
            "layers share and an exporter writes twice, or that it cuts along their inputs for each such "
            "layer, maps that the ONNX computes for every layer, and what it makes itself."
        ),
        layers=tuple(dict.fromkeys(site.base for site, _ in again)),
        claims=claims,
        evidence=tuple(
            say(
                "{tensor}: {group} x {buffer_bytes}, identical",
                tensor=" = ".join(tensor.name for _, tensor in group[:3]),
                group=len(group),
                buffer_bytes=format_bytes(group[0][1].buffer_bytes),
            )
            for group in groups[:4]
        ),
        fixes=_fixes(facts, again),
    )


def _fixes(facts: ModelFacts, again: list[Held]) -> tuple[Fix, ...]:
    """Return what to change: what the compiler cuts is one initializer in the ONNX already, or may be."""
    made = [held for held in again if _is_made(facts, held[1])]
    cut = [held for held in again if held not in made and _PART.search(held[0].base)]
    if len(made) == len(again):
        return (_INVENTED,)
    rest = [held for held in again if held not in made and held not in cut]
    scaled = any(_has_own_bias(*held) for held in rest)
    return (_CUT,) * bool(cut) + (_SHARE,) * bool(rest) + (_SCALED,) * scaled


def _has_own_bias(site: Site, kernel: Tensor) -> bool:
    """Return whether a kernel in int8 is that of a convolution with a bias of the network's: a folded norm
    may be in both.
    """
    beside = (each.name for each in site.constants if each is not kernel and each.kind == "weight")
    return kernel.dtype == "INT8" and kernel is site.kernel and any("_bias_" not in name for name in beside)


def _is_made(facts: ModelFacts, tensor: Tensor) -> bool:
    """Return whether the compiler made a constant: it is marked so, or selects channels of a map."""
    return tensor.kind == "compiler_constant" or (
        tensor.kind == "weight" and len(tensor.shape) == len("OIHW") and moves_channels(facts.model, tensor)
    )


def _same_bytes(facts: ModelFacts, ledger: Ledger) -> list[list[Held]]:
    """Return the constants that are identical, in the order of the layers.

    Averages of pooling are left aside, and what another cause owns already: dense kernels are large.
    """
    alike: dict[tuple[object, ...], list[Held]] = defaultdict(list)
    averages = {site.index for site in facts.averages}
    idle = {tensor.index for site in facts.sites for tensor in statistics_of(facts, site)}
    for site, tensor in facts.owned:
        is_large = tensor.kind in _STORED and tensor.buffer_bytes >= SMALLEST_BYTES
        is_left = 2 * ledger.left(SECTION_OF.get(tensor.kind, ""), site.index) >= tensor.buffer_bytes
        if is_large and is_left and site.index not in averages and tensor.index not in idle:
            key = (tensor.kind, tensor.dtype, tensor.native_shape, tensor.buffer_bytes)
            alike[key].append((site, tensor))
    for limit in (_SAMPLE_BYTES, None):
        alike = _parted(facts, alike, limit)
    return list(alike.values())


def _parted(
    facts: ModelFacts, alike: dict[tuple[object, ...], list[Held]], limit: int | None
) -> dict[tuple[object, ...], list[Held]]:
    """Return the groups of two or more, parted by two checksums of their first `limit` bytes.

    No digest of hashlib: it costs milliseconds to import, and nobody forges weights to look shared.
    Bytes are read from the file, not over the map: pages of a map stay in the process's memory.
    """
    parted: dict[tuple[object, ...], list[Held]] = defaultdict(list)
    with facts.model.file.path.open("rb", buffering=0) as stream:
        for key, group in alike.items():
            for site, tensor in group if len(group) > 1 else ():
                stream.seek(facts.model.buffers[tensor.buffer_index].offset)
                data = stream.read(min(tensor.buffer_bytes, limit or tensor.buffer_bytes))
                if limit or data.count(0) < len(data):  # zeros are alike by chance: nothing was trained
                    content = (*key, zlib.crc32(data), zlib.adler32(data))
                    parted[content].append((site, tensor))
    return {key: group for key, group in parted.items() if len(group) > 1}
