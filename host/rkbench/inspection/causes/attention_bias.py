"""What attention adds to its products: a map of positions x positions for each head, stored whole."""

from __future__ import annotations

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import SECTION_OF, ModelFacts
from rkbench.inspection.causes.site import IN_BLOCKS, Site
from rkbench.inspection.causes.tiled import AS_INPUT
from rkbench.inspection.formatting import count, dims
from rkbench.language.said import clause, say
from rkbench.rknn.contents import Tensor
from rkbench.units import format_bytes

SMALLEST_BYTES = 4096
_OPERANDS = {"exMatMul": 2, "exSDPAttention": 3}
"""What these multiply comes first; a constant map behind it is added."""


def attention_biases(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A bias of relative positions is stored as the whole map that is added, of each layer its own."""
    found = [
        (site, tensor, left)
        for site, tensor in facts.owned
        if _is_bias(site, tensor)
        for left in (min(tensor.buffer_bytes, ledger.left(SECTION_OF[tensor.kind], site.index)),)
        if 2 * left >= tensor.buffer_bytes
    ]
    if not found:
        return None
    site, worst, _ = max(found, key=lambda held: held[2])
    return Finding(
        code="attention_bias",
        title=say("biases that attention adds to its products, stored whole"),
        because=clause(
            "{found} that attention adds to its products {are_} stored whole: {bytes} ({share}), most "
            "{worst} of {site} ({shape})",
            found=count(len(found), "constant"),
            are_="is" if len(found) == 1 else "are",
            worst=worst.name,
            site=site.base,
            shape=dims(worst.shape),
        ),
        explanation=say(
            "A bias of relative positions or a mask has a value for each pair of positions and each head: it "
            "grows with the square of the positions. Where the ONNX computes it from a table or a few "
            "weights, the converter folds it to the whole map."
        ),
        layers=tuple(site.base for site, _, _ in found),
        claims=tuple(Claim(SECTION_OF[t.kind], site.index, left) for site, t, left in found),
        evidence=tuple(
            say(
                "{tensor} {shape}: {size}",
                tensor=t.name,
                shape=dims(t.shape),
                size=format_bytes(t.buffer_bytes),
            )
            for _, t, _ in found[:4]
        ),
        fixes=(AS_INPUT, Fix("network", say("attention over fewer positions, or in windows"))),
    )


def _is_bias(site: Site, tensor: Tensor) -> bool:
    """Return whether a product of maps adds a constant that is laid out as a map of its own."""
    added = site.inputs[_OPERANDS.get(site.node.type, len(site.inputs)) :]
    is_map = tensor.layout == IN_BLOCKS and len(tensor.shape) == 4 and tensor.kind in SECTION_OF
    return is_map and tensor in added and tensor.buffer_bytes >= SMALLEST_BYTES
