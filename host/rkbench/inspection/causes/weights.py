"""Weights that are stored larger than they need be: padding, float layers, metadata."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import prod

from rkbench.inspection.causes.cause import QUANTIZE, Claim, Finding, Fix
from rkbench.inspection.causes.elsewhere import chosen_by_toolkit, float_reason
from rkbench.inspection.causes.kernel_groups import ELEMENT_BYTES
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count, listing
from rkbench.language.said import Said, clause, say
from rkbench.rknn.contents import Tensor
from rkbench.units import format_bytes

INT8_NAME = re.compile(r"(?<![a-z0-9])(int8|i8|w8a8|quant\w*)(?![a-z0-9])", re.IGNORECASE)
ORDINARY_JSON_BYTES = 4096
ORDINARY_TEXT_BYTES = 2048


def float_layers(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Layers of an int8 model that stayed float: their weights are twice as large."""
    if facts.dtype != "int8":
        return None
    layers = [site for site in facts.sites if site.layer.dtype == "FLOAT16" and site.kernel]
    claims = _half_of_kernels(layers)
    converts = [site for site in facts.sites if site.node.type == "exDataConvert"]
    claims += ledger.everything((site.index for site in converts), COMMAND_SECTIONS)
    if not layers:
        return None
    stored = sum(site.kernel.buffer_bytes for site in layers if site.kernel)
    return Finding(
        code="float_layers",
        title=say("float layers inside an int8 model"),
        because=clause(
            "{layers} ({site}) {stay_} FLOAT16 in an int8 model: {bytes} ({share})",
            layers=count(len(layers), "layer"),
            site=listing([site.base for site in layers]),
            stay_="stays" if len(layers) == 1 else "stay",
        ),
        explanation=say(
            "A float layer stores two bytes per weight instead of one, and needs conversions around it."
        ),
        layers=tuple(site.base for site in layers),
        claims=claims,
        evidence=(
            say(
                "kernels of {stored} in FLOAT16, {half} in INT8",
                stored=format_bytes(stored),
                half=format_bytes(stored / 2),
            ),
            *(say("{site}: {why}", site=site.base, why=float_reason(facts, site)) for site in layers[:6]),
        ),
        fixes=_float_fixes(all(chosen_by_toolkit(facts, site) for site in layers)),
        not_helping=(say("hybrid quantization as a way to shrink: every float layer makes the file larger"),),
    )


def _float_fixes(by_toolkit: bool) -> tuple[Fix, ...]:
    if by_toolkit:
        return (Fix("nothing", say("no setting made them float: the toolkit does it by itself")),)
    return (
        Fix(
            "config",
            say(
                "take these layers out of the hybrid configuration, or convert without auto_hybrid; then "
                "compare the output error: bench push BOTH --golden FILE.npz --board BOARD"
            ),
            "custom_quantize_layers: {}",
        ),
    )


def float_file(facts: ModelFacts, _ledger: Ledger) -> Finding | None:
    """A file whose name promises int8 and that holds float weights only."""
    if facts.dtype == "int8" or not INT8_NAME.search(facts.model.file.path.stem):
        return None
    layers = [site for site in facts.sites if site.layer.dtype == "FLOAT16" and site.kernel]
    if not layers:
        return None
    return Finding(
        code="float_file",
        title=say("float weights where the name says int8"),
        because=clause(
            "none of its {layers} weight layers is quantized although its name says int8: {bytes} ({share})",
            layers=len(layers),
        ),
        explanation=say("build(do_quantization=False), or a calibration that did not happen."),
        layers=tuple(site.base for site in layers),
        claims=_half_of_kernels(layers),
        evidence=(say("{layers} of {layers} layers with weights compute in FLOAT16", layers=len(layers)),),
        fixes=(
            Fix(
                "config",
                say("quantize with a calibration list"),
                QUANTIZE,
            ),
        ),
    )


def unpadded_bytes(kernel: Tensor) -> int:
    """Return what the weights take without padding; 0 where the dtype is not known."""
    if kernel.dtype == "INT4":
        return (prod(kernel.shape) + 1) // 2
    return prod(kernel.shape) * ELEMENT_BYTES.get(kernel.dtype, 0)


def metadata(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Text and vectors that describe inputs: one mean and std per channel, long names, the JSON."""
    extra = max(0, facts.description_bytes - ORDINARY_TEXT_BYTES)
    json = max(0, ledger.left("json", None) - ORDINARY_JSON_BYTES)
    trailing = ledger.left("trailing", None)
    if extra + json + trailing == 0:
        return None
    behind = say(", {trailing} after the JSON", trailing=format_bytes(trailing)) if trailing else ""
    return Finding(
        code="metadata",
        title=say("text and tables that describe the model"),
        because=_what_describes(facts, extra, json, trailing),
        explanation=say(
            "Per-channel mean and std are stored as text and as vectors; an input whose channel axis "
            "is mistaken (a sequence of 2048) gets thousands of them. Bytes after the JSON are read "
            "by nobody."
        ),
        layers=(),
        claims=(
            Claim("structure", None, extra),
            Claim("json", None, json),
            Claim("trailing", None, trailing),
        ),
        evidence=(
            say(
                "text and vectors of {description_bytes} in the structure, JSON of {json}{behind}",
                description_bytes=format_bytes(facts.description_bytes),
                json=format_bytes(facts.model.sections.json),
                behind=behind,
            ),
        ),
        fixes=_description_fixes(extra + json, trailing),
    )


def _what_describes(facts: ModelFacts, extra: int, json: int, trailing: int) -> Callable[..., Said]:
    if trailing > extra + json:
        return clause("{bytes} ({share}) stand behind the end of the model, where nothing reads them")
    channels = max((tensor.shape[1] for tensor in facts.model.inputs if len(tensor.shape) > 1), default=0)
    return clause(
        "metadata takes {bytes} ({share}); an input has {channels:,} channels, each with mean and std",
        channels=channels,
    )


def _description_fixes(described: int, trailing: int) -> tuple[Fix, ...]:
    axis = Fix(
        "network", say("give the input four dimensions with the channels on axis 1 (NCHW), or few channels")
    )
    tail = Fix("network", say("copy or convert the file again: no converter writes bytes there"))
    return (*((axis,) if described else ()), *((tail,) if trailing else ()))


def _half_of_kernels(layers: list[Site]) -> tuple[Claim, ...]:
    return tuple(
        Claim(
            "weights" if site.kernel.kind == "weight" else "compiler_constants",
            site.index,
            site.kernel.buffer_bytes // 2,
        )
        for site in layers
        if site.kernel
    )
