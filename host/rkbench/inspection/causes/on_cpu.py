"""Weights of layers that the CPU computes: it keeps some of them in float32."""

from __future__ import annotations

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.constants import sized
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import SECTION_OF, ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count, listing
from rkbench.language.said import clause, say
from rkbench.rknn.contents import Tensor
from rkbench.rknn.placement import runs_on_cpu
from rkbench.rknn.targets import ELEMENT_BYTES

FLOAT_BYTES = 4


def float32_weights(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """An RNN has no form on the NPU: its matrices lie in the file as the ONNX has them, in float32."""
    held = [(site, tensor) for site in facts.sites if runs_on_cpu(site.node) for tensor in matrices_of(site)]
    element = ELEMENT_BYTES[facts.dtype]
    claims = tuple(
        Claim(section, site.index, tensor.buffer_bytes * (FLOAT_BYTES - element) // FLOAT_BYTES)
        for site, tensor in held
        for section in [SECTION_OF[tensor.kind]]
        if ledger.left(section, site.index)
    )
    if not claims:
        return None
    layers = tuple(dict.fromkeys(site.base for site, _ in held))
    return Finding(
        code="float32_weights",
        title=say("weights of the CPU's layers in float32"),
        because=clause(
            "{layers} on the CPU ({names}) {keep_} weights in float32: {bytes} ({share}) more than at "
            "{dtype}",
            layers=count(len(layers), "layer"),
            names=listing(layers),
            keep_="keeps" if len(layers) == 1 else "keep",
            dtype=facts.dtype,
        ),
        explanation=say(
            "The compiler stores weights at the dtype of the file for the NPU. Of an RNN, which it leaves "
            "to the CPU, it stores them as the ONNX has them."
        ),
        layers=layers,
        claims=claims,
        evidence=sized(tensor for _, tensor in held[:4]),
        fixes=(Fix("nothing", say("no cure known: the CPU computes these layers in float32")),),
    )


def matrices_of(site: Site) -> tuple[Tensor, ...]:
    """Return the constants in float32 with two dimensions or more that a layer owns."""
    return tuple(tensor for tensor in site.constants if tensor.dtype == "FLOAT32" and len(tensor.shape) > 1)
