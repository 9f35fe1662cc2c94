"""Dilated kernels that reach beyond the map: taps that only ever read padding."""

from __future__ import annotations

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.command_lists import beyond_plain
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count, dims
from rkbench.language.said import Said, clause, say

_LARGER = say("convert for the larger input that the dilations were chosen for")
_AS_RUN = say(
    "convert for the size that the network is run at: rknn.load_onnx(inputs=..., input_size_list=[...]), "
    "where the ONNX leaves its sizes open"
)


def dead_taps(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Where the dilation is no less than the map, only the centre of a 3x3 kernel lies on it."""
    layers = [site for site in facts.sites if _is_dead(facts, site)]
    if not layers:
        return None
    around = {before.index for site in layers for before in _made_for(facts, site)}
    claims = tuple(claim for site in layers for claim in _weights(ledger, site))
    claims += ledger.everything(sorted(around), COMMAND_SECTIONS)
    claims += beyond_plain(ledger, layers)
    largest = max(layers, key=lambda site: site.layer.weight_bytes)
    return Finding(
        code="dead_taps",
        title=say("kernels that reach beyond the map"),
        because=clause(
            "{layers} {reach_} beyond the map ({largest}: dilation {dilation} on {map}), so that all "
            "taps but the centre read padding only: {bytes} ({share}) of weights and commands",
            layers=_counted(layers, largest),
            reach_="reaches" if len(layers) == 1 else "reach",
            largest=largest.base,
            dilation=largest.dilation,
            map=dims(_map(facts, largest)[2:]),
        ),
        explanation=say(
            "A tap that lies a whole map away reads zeros wherever the kernel stands: its weights "
            "are stored and multiplied for nothing, and the padded map is cut into many tasks."
        ),
        layers=tuple(site.base for site in layers),
        claims=claims,
        evidence=tuple(
            say(
                "{site}: kernel {shape}, dilation {dilation}, map {map}",
                site=site.base,
                shape=dims(site.kernel.shape) if site.kernel else "?",
                dilation=site.dilation,
                map=dims(_map(facts, site)[2:]),
            )
            for site in layers[:4]
        ),
        fixes=(
            Fix(
                "network",
                say(
                    "replace it by a 1x1 convolution of the centre taps (exact; 185 -> 37.3 kB on a sample "
                    "for rk3588)"
                ),
                rewrites=("dead_taps",),
            ),
            Fix("network", _LARGER if largest.dilation > 1 else _AS_RUN),
        ),
    )


def _counted(layers: list[Site], largest: Site) -> Said:
    if largest.dilation > 1:
        return count(len(layers), "dilated convolution")
    return count(len(layers), "convolution")


def _is_dead(facts: ModelFacts, site: Site) -> bool:
    kernel, options = site.kernel, site.node.convolution
    if not (site.is_convolution and kernel and options and len(site.output_shape) == 4):
        return False
    sides, read = kernel.shape[2:], _map(facts, site)
    if min(sides) < 1 or any(side % 2 == 0 for side in sides) or len(read) != 4:
        return False
    steps = options.dilations if len(options.dilations) == 2 else (1, 1)
    wide = [(side, step, size) for side, step, size in zip(sides, steps, read[2:], strict=True) if side > 1]
    keeps_size = site.output_shape[2:] == read[2:]
    return keeps_size and bool(wide) and all(step >= size for _, step, size in wide)


def _map(facts: ModelFacts, site: Site) -> tuple[int, ...]:
    """Return the shape of the map that a convolution reads, before a Pad of its own."""
    pads = [before for before in _made_for(facts, site) if before.node.type == "Pad"]
    shapes = (pads[0] if pads else site).layer.input_shapes
    return shapes[0] if shapes else ()


def _made_for(facts: ModelFacts, site: Site) -> list[Site]:
    """Return the Pad before a convolution, and the Split between where it was cut in parts by channels."""
    found = [before for before in facts.before(site) if before.node.type in ("Pad", "Split")]
    further = [other for before in found if before.node.type == "Split" for other in facts.before(before)]
    return [*found, *(other for other in further if other.node.type == "Pad")]


def _weights(ledger: Ledger, site: Site) -> tuple[Claim, ...]:
    kernel = site.kernel
    if kernel is None or kernel not in site.constants:
        return ()
    taps = kernel.shape[2] * kernel.shape[3]
    section = "weights" if kernel.kind == "weight" else "compiler_constants"
    dead = kernel.buffer_bytes * (taps - 1) // taps
    return (Claim(section, site.index, min(dead, ledger.left(section, site.index))),)
