"""Conditions of a Where that are constants, such as the masks of shifted windows: stored as maps."""

from __future__ import annotations

from rkbench.inspection.causes.cause import Claim, Finding
from rkbench.inspection.causes.constants import LARGE_CONSTANT_BYTES, MAP_AS_INPUT
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import SECTION_OF, ModelFacts
from rkbench.inspection.formatting import count, dims
from rkbench.language.said import clause, say
from rkbench.units import format_bytes


def stored_masks(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A mask of truth values is laid out like a map, each value as wide as those it chooses between."""
    found = [
        (site, tensor)
        for site, tensor in facts.owned
        if site.node.type == "Where" and tensor in site.inputs[:1]
        if ledger.left(SECTION_OF[tensor.kind], site.index) >= tensor.buffer_bytes >= LARGE_CONSTANT_BYTES
    ]
    if not found:
        return None
    site, largest = max(found, key=lambda held: held[1].buffer_bytes)
    return Finding(
        code="stored_masks",
        title=say("masks of truth values, stored as maps"),
        because=clause(
            "{found} of truth values, by which a Where chooses, {are_} stored whole: {bytes} ({share}), "
            "most {largest} of {site} ({shape})",
            found=count(len(found), "mask"),
            are_="is" if len(found) == 1 else "are",
            largest=largest.name,
            site=site.base,
            shape=dims(largest.shape),
        ),
        explanation=say(
            "A Where that chooses by a constant, such as which positions of shifted windows belong together, "
            "has its condition in the file as a map: a value of the file's dtype for each truth value (a "
            "byte in the ONNX), with its channels filled up to blocks."
        ),
        layers=tuple(site.base for site, _ in found),
        claims=tuple(Claim(SECTION_OF[t.kind], site.index, t.buffer_bytes) for site, t in found),
        evidence=tuple(
            say(
                "{tensor} {shape} ({dtype}): {size}, read by {site}",
                tensor=t.name,
                shape=dims(t.shape),
                dtype=t.dtype or say("no dtype"),
                size=format_bytes(t.buffer_bytes),
                site=site.base,
            )
            for site, t in found[:4]
        ),
        fixes=(MAP_AS_INPUT,),
    )
