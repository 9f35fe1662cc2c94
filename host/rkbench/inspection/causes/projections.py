"""The projection that the compiler gives an LSTM that has none: a matrix of zeros, stored whole."""

from __future__ import annotations

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import SECTION_OF, ModelFacts
from rkbench.inspection.formatting import count, dims
from rkbench.language.said import clause, say
from rkbench.rknn.contents import Tensor
from rkbench.units import format_bytes

_NO_CURE = Fix(
    "nothing",
    say("no cure known: it grows with the square of the hidden size, not with the number of steps"),
)


def absent_projections(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A recurrent layer without a projection has one of zeros, hidden size by hidden size."""
    held = [
        (site, tensor)
        for site in facts.sites
        if site.is_recurrent
        for tensor in site.constants
        if _is_absent(facts, tensor)
    ]
    if not held:
        return None
    largest = max((tensor for _, tensor in held), key=lambda tensor: tensor.buffer_bytes)
    layers = tuple(dict.fromkeys(site.base for site, _ in held))
    return Finding(
        code="absent_projection",
        title=say("zeros of a projection that the layer does not have"),
        because=clause(
            "{layers} without a projection {store_} zeros for one: {bytes} ({share}), most {largest} "
            "({shape})",
            layers=count(len(layers), "recurrent layer"),
            store_="stores" if len(layers) == 1 else "store",
            largest=largest.name,
            shape=dims(largest.shape),
        ),
        explanation=say(
            "An LSTM may have a projection of its output. Where the network's has none, the compiler stores "
            "one of zeros all the same."
        ),
        layers=layers,
        claims=tuple(
            Claim(SECTION_OF[tensor.kind], site.index, min(tensor.buffer_bytes, left))
            for site, tensor in held
            for left in [ledger.left(SECTION_OF[tensor.kind], site.index)]
        ),
        evidence=tuple(
            say(
                "{tensor} {shape}: {size} of zeros, a projection that the layer does not have",
                tensor=tensor.name,
                shape=dims(tensor.shape),
                size=format_bytes(tensor.buffer_bytes),
            )
            for _, tensor in held[:4]
        ),
        fixes=(_NO_CURE,),
    )


def _is_absent(facts: ModelFacts, tensor: Tensor) -> bool:
    """Return whether a matrix is zeros in plain order: what the compiler adds for a projection."""
    if len(tensor.shape) != 4 or tensor.layout or tensor.kind not in SECTION_OF:
        return False
    with facts.model.read_buffer(tensor.buffer_index) as view:
        return bytes(view).count(0) == tensor.buffer_bytes
