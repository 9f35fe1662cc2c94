"""Means of zeros and variances of ones that a BatchNormalization keeps which no convolution takes."""

from __future__ import annotations

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import SECTION_OF, ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count
from rkbench.language.said import clause, say
from rkbench.rknn.contents import Tensor
from rkbench.units import format_bytes

_MEAN, _VARIANCE = 3, 4
"""Their places among the inputs of a BatchNormalization: map, scale, offset, mean, variance."""
_ONE = {
    "FLOAT32": b"\0\0\x80\x3f",
    "FLOAT16": b"\0\x3c",
    "BFLOAT16": b"\x80\x3f",
    "INT32": b"\1\0\0\0",
    "INT16": b"\1\0",
    "INT8": b"\1",
}


def idle_statistics(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A BatchNormalization that stays a layer is a scale and an offset, and stores mean and variance too."""
    found = [(site, held) for site in facts.sites if (held := statistics_of(facts, site))]
    claims = tuple(
        Claim(section, site.index, min(tensor.buffer_bytes, ledger.left(section, site.index)))
        for site, held in found
        for tensor in held
        for section in [SECTION_OF[tensor.kind]]
        if ledger.left(section, site.index)
    )
    if not claims:
        return None
    return Finding(
        code="idle_statistics",
        title=say("means of zeros and variances of ones"),
        because=clause(
            "{found} that no convolution takes {store_} a mean of zeros and a variance of ones: {bytes} "
            "({share})",
            found=count(len(found), "BatchNormalization"),
            store_="stores" if len(found) == 1 else "store",
        ),
        explanation=say(
            "The compiler folds a BatchNormalization into the convolution before it. One that stays a layer, "
            "or that it makes of another operator (a Neg), becomes a scale and an offset, and its mean and "
            "variance are stored beside them all the same."
        ),
        layers=tuple(site.base for site, _ in found),
        claims=claims,
        evidence=tuple(
            say(
                "{site}: {mean} of zeros, {variance} of ones",
                site=site.base,
                mean=format_bytes(held[0].buffer_bytes),
                variance=format_bytes(held[1].buffer_bytes),
            )
            for site, held in found[:4]
        ),
        fixes=(Fix("nothing", say("no cure known: every BatchNormalization that stays a layer has them")),),
    )


def statistics_of(facts: ModelFacts, site: Site) -> tuple[Tensor, ...]:
    """Return mean and variance of a BatchNormalization where they say nothing, else ()."""
    held = site.inputs[_MEAN : _VARIANCE + 1]
    if not site.node.type.startswith("BatchNormalization") or len(held) != 2:
        return ()
    if any(tensor not in site.constants or len(tensor.shape) != 1 for tensor in held):
        return ()
    one = _ONE.get(held[1].dtype, b"")
    is_idle = one and _holds(facts, held[0], b"\0") and _holds(facts, held[1], one)
    return held if is_idle else ()


def _holds(facts: ModelFacts, tensor: Tensor, value: bytes) -> bool:
    """Return whether a constant holds nothing but one value."""
    with facts.model.read_buffer(tensor.buffer_index) as view:
        return bytes(view) == value * (tensor.buffer_bytes // len(value))
