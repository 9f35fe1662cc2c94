"""Values that are picked at stored places: by products with matrices of zeros and ones."""

from __future__ import annotations

from math import prod

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import SECTION_OF, ModelFacts
from rkbench.inspection.causes.one_hot import elements_of
from rkbench.inspection.causes.site import IN_BLOCKS
from rkbench.inspection.formatting import count, dims
from rkbench.language.said import clause, say
from rkbench.rknn.contents import Tensor
from rkbench.rknn.model import RknnModel
from rkbench.units import format_bytes

_MOST_VALUES = 3
"""Zero, one, and what blocks are filled up with."""
_FEWEST_CHOICES = 4


def picked_values(facts: ModelFacts, _ledger: Ledger) -> Finding | None:
    """A GatherElements by stored places is a product with matrices of single ones, stored in full."""
    found = [
        (site, tensor)
        for site in facts.sites
        if site.node.type.startswith("exMatMul")
        for tensor in site.constants
        if tensor in site.inputs[:2] and _picks(facts.model, tensor)
    ]
    if not found:
        return None
    worst, largest = max(found, key=lambda held: held[1].buffer_bytes)
    return Finding(
        code="picked_values",
        title=say("values picked at stored places, by products with zeros and ones"),
        because=clause(
            "{found} of zeros and ones {pick_} values at stored places: {bytes} ({share}), most for {worst} "
            "({shape})",
            found=count(len(found), "map"),
            pick_="picks" if len(found) == 1 else "pick",
            worst=worst.base,
            shape=dims(largest.shape),
        ),
        explanation=say(
            "A GatherElements by stored places, or a Gather with places of its own for each row, is written "
            "as products: each row times a matrix that has a 1 for each value that is picked."
        ),
        layers=tuple(dict.fromkeys(site.base for site, _ in found)),
        claims=tuple(
            Claim(SECTION_OF[tensor.kind], site.index, tensor.buffer_bytes) for site, tensor in found
        ),
        evidence=tuple(
            say(
                "{tensor} {shape}, {size}: a single one among every {choices}",
                tensor=tensor.name,
                shape=dims(tensor.shape),
                size=format_bytes(tensor.buffer_bytes),
                choices=tensor.shape[1],
            )
            for _, tensor in found[:4]
        ),
        fixes=(Fix("network", say("pick them outside the model, or compute what is picked for all places")),),
    )


def _picks(model: RknnModel, tensor: Tensor) -> bool:
    """Return whether a map has a single one among the values of each position along its second axis."""
    if tensor.layout != IN_BLOCKS or len(tensor.shape) != 4 or tensor.shape[1] < _FEWEST_CHOICES:
        return False
    elements = elements_of(model, tensor)
    if elements is None:
        return False
    positions, values = prod(tensor.shape) // tensor.shape[1], set(elements)
    return 2 <= len(values) <= _MOST_VALUES and any(elements.count(value) == positions for value in values)
