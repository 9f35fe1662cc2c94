"""Layers that are cut into several tasks, for one reason each: large maps, many weights, products, copies."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Literal

from rkbench.inspection.causes.cause import Finding, Fix
from rkbench.inspection.causes.command_lists import beyond_plain
from rkbench.inspection.causes.kernel_groups import ELEMENT_BYTES
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count, dims
from rkbench.language.said import Said, clause, say
from rkbench.rknn.tiles import Tile

SMALL_MAP_BYTES = 32 * 1024
"""A map of no more than this fits one bank of the on-chip buffer (8 on rk3568, 12 on rk3588)."""
LONGEST_ROW = 2047
"""The register of a row's length holds no more: a longer one is cut, whether or not it fits the buffer."""
_WHOLE_SHARE = 0.95
"""A task that fetches more of the map is not one of several stripes: a stride may leave the last rows out."""
_PRODUCTS = ("exMatMul", "exSDPAttention")
_COPIES = (
    *("Gather", "Expand", "Tile", "Split", "Slice", "Pad", "Reshape", "Transpose", "Concat", "exWindow"),
    *("Squeeze", "Unsqueeze", "Flatten", "exDataConvert"),
)
Reason = Literal["stripes", "kernels", "products", "copies", "other"]


def cut_layers(facts: ModelFacts, ledger: Ledger, reason: Reason) -> list[Site]:
    """Return the layers that are cut for one reason, those with most commands left first."""
    work = (site for site in facts.sites if site.node.type != "OutputOperator")
    large = (site for site in work if site.map_tasks > _pieces(site) and _map_bytes(site) > SMALL_MAP_BYTES)
    found = [site for site in large if beyond_plain(ledger, [site]) and why_cut(facts, site) == reason]
    return sorted(found, key=lambda site: -ledger.left("register_commands", site.index))


def why_cut(facts: ModelFacts, site: Site) -> Reason:
    """Return why a layer has several tasks, as these fetch the map and the weights.

    Where no task can be read (an NPU whose registers nobody knows) a large map is taken for the reason.
    """
    tiles = None if site.node.type in _PRODUCTS else facts.tiles_of(site)
    if tiles and site.kernel and _is_striped(site, tiles):
        return "stripes"
    if site.node.type in _PRODUCTS:
        return "products"
    if site.node.type in _COPIES:
        return "copies"
    if tiles is None:
        return "stripes"
    kernels = site.kernel.shape[0] if site.kernel else 0
    return "kernels" if tiles and max(tile.kernels for tile in tiles) < kernels else "other"


def _is_striped(site: Site, tiles: tuple[Tile, ...]) -> bool:
    """Return whether no task fetches the whole map that a layer reads, for it does not fit."""
    read = next((shape for shape in site.layer.input_shapes if len(shape) == 4), ())
    if not read or max(tile.width for tile in tiles) >= LONGEST_ROW:
        return False
    if max(tile.positions for tile in tiles) < _WHOLE_SHARE * prod(read[2:]):
        return True
    # A depthwise convolution may take some channels at a time.
    depthwise = site.node.convolution is not None and site.node.convolution.groups > 1
    return depthwise and max(tile.channels for tile in tiles) < read[1]


def large_maps(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Feature maps that do not fit the on-chip buffer are cut into several tasks per layer."""
    layers = cut_layers(facts, ledger, "stripes")
    claims = beyond_plain(ledger, layers)
    if not claims:
        return None
    largest = layers[0]
    return Finding(
        code="large_maps",
        title=say("large feature maps cut into several tasks per layer"),
        because=clause(
            "{layers} with large maps {are_} cut into several tasks: {bytes} ({share}) of commands, "
            "most for {largest} ({output_shape}, {map_tasks} tasks on 1 core)",
            layers=count(len(layers), "layer"),
            are_="is" if len(layers) == 1 else "are",
            largest=largest.base,
            output_shape=dims(largest.output_shape),
            map_tasks=largest.map_tasks,
        ),
        explanation=say(
            "A map that does not fit the NPU's buffer is worked through in stripes, each with its commands."
        ),
        layers=tuple(site.base for site in layers[:10]),
        claims=claims,
        evidence=_evidence(layers),
        fixes=(Fix("network", say("a smaller input, or an earlier stride")),),
    )


def cut_weights(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Weights that do not fit the on-chip buffer beside the map come in parts: some kernels at a time."""
    layers = cut_layers(facts, ledger, "kernels")
    claims = beyond_plain(ledger, layers)
    if not claims:
        return None
    largest = layers[0]
    return Finding(
        code="cut_weights",
        title=say("weights that come in several tasks per layer"),
        because=clause(
            "{layers} with more weights than fit the NPU's buffer {take_} them in several tasks: {bytes} "
            "({share}) of commands, most {largest} ({kernel}, {map_tasks} tasks on 1 core)",
            layers=count(len(layers), "layer"),
            take_="takes" if len(layers) == 1 else "take",
            largest=largest.base,
            kernel=dims(largest.kernel.shape) if largest.kernel else "",
            map_tasks=largest.map_tasks,
        ),
        explanation=say(
            "Weights that do not fit the NPU's buffer beside the map come some kernels at a time, each time "
            "with its commands."
        ),
        layers=tuple(site.base for site in layers[:10]),
        claims=claims,
        evidence=tuple(
            say(
                "{site}: weights {kernel}, {map_tasks} tasks on 1 core",
                site=site.base,
                kernel=dims(site.kernel.shape) if site.kernel else "",
                map_tasks=site.map_tasks,
            )
            for site in layers[:4]
        ),
        fixes=(Fix("network", say("fewer channels in these layers")),),
    )


def map_products(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A product of two maps (attention) has tasks for strips of rows, however small the maps are."""
    layers = cut_layers(facts, ledger, "products")
    claims = beyond_plain(ledger, layers)
    if not claims:
        return None
    return Finding(
        code="map_products",
        title=say("products of two maps, some rows at a time"),
        because=clause(
            "{layers} of two maps {take_} some rows at a time: {bytes} ({share}) of commands, most {largest} "
            "({output_shape}, {map_tasks} tasks on 1 core)",
            layers=count(len(layers), "product"),
            take_="takes" if len(layers) == 1 else "take",
            largest=layers[0].base,
            output_shape=dims(layers[0].output_shape),
            map_tasks=layers[0].map_tasks,
        ),
        explanation=say(
            "The NPU multiplies a map by stored weights. A product of two maps, as attention has it, is made "
            "of strips of some rows, each with its commands, however small the maps are."
        ),
        layers=tuple(site.base for site in layers[:10]),
        claims=claims,
        evidence=_evidence(layers),
        fixes=(Fix("network", say("fewer positions or tokens: a smaller map, or larger patches")),),
    )


def copied_maps(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """What joins, cuts, repeats or picks parts of a map copies it in pieces, a task for each."""
    layers = cut_layers(facts, ledger, "copies")
    claims = beyond_plain(ledger, layers)
    if not claims:
        return None
    return Finding(
        code="copied_maps",
        title=say("maps copied piece by piece"),
        because=clause(
            "{layers} that only {copy_} a map {take_} a task for each piece: {bytes} ({share}) of commands, "
            "most {largest} ({type} to {output_shape}, {map_tasks} tasks on 1 core)",
            layers=count(len(layers), "layer"),
            copy_="copies" if len(layers) == 1 else "copy",
            take_="takes" if len(layers) == 1 else "take",
            largest=layers[0].base,
            type=layers[0].node.type,
            output_shape=dims(layers[0].output_shape),
            map_tasks=layers[0].map_tasks,
        ),
        explanation=say(
            "Nothing is computed here: what joins, cuts, repeats or picks parts of a map copies it in "
            "pieces, each with a task of its own."
        ),
        layers=tuple(site.base for site in layers[:10]),
        claims=claims,
        evidence=tuple(
            say(
                "{site} ({type}): {shapes}, {map_tasks} tasks on 1 core",
                site=site.base,
                type=site.node.type,
                shapes=shapes_of(site),
                map_tasks=site.map_tasks,
            )
            for site in layers[:4]
        ),
        fixes=(Fix("nothing", say("no cure is known: tasks follow the number of pieces")),),
    )


def _evidence(layers: Iterable[Site]) -> tuple[Said, ...]:
    return tuple(
        say(
            "{site}: {output_shape}, {map_tasks} tasks on 1 core",
            site=site.base,
            output_shape=dims(site.output_shape),
            map_tasks=site.map_tasks,
        )
        for site in list(layers)[:4]
    )


def shapes_of(site: Site) -> str:
    read = site.layer.input_shapes[:1]
    return f"{dims(read[0])} -> {dims(site.output_shape)}" if read else dims(site.output_shape)


def _pieces(site: Site) -> int:
    """Return how many maps a layer joins or cuts: each has a task of its own, however small it is."""
    if site.node.type == "Concat":
        return max(1, len(site.layer.input_shapes))
    return max(1, len(site.outputs)) if site.node.type in ("Split", "Slice") else 1


def _map_bytes(site: Site) -> int:
    """Return the size of the largest map that a layer reads or writes."""
    width = ELEMENT_BYTES.get(site.layer.dtype, 2)
    return width * max(
        (prod(shape) for shape in (*site.layer.input_shapes, *site.layer.output_shapes)), default=0
    )
