"""Weights that are stored larger than they need be: padding, float layers, metadata."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import prod

from rkbench.inspection.causes.cause import QUANTIZE, Claim, Finding, Fix
from rkbench.inspection.causes.elsewhere import chosen_by_toolkit, float_reason
from rkbench.inspection.causes.kernel_groups import ELEMENT_BYTES
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, SECTION_OF, ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count, dims, listing
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


def padding(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Channels filled up to the NPU's blocks."""
    claims, padded = list[Claim](), list[tuple[int, Site, Tensor]]()
    for site in facts.sites:
        kernel = site.kernel
        if kernel is None or kernel not in site.constants or site.is_recurrent:
            continue
        needed = unpadded_bytes(kernel)
        section = SECTION_OF[kernel.kind]
        beside = sum(
            each.buffer_bytes
            for each in site.constants
            if each is not kernel and SECTION_OF[each.kind] == section
        )
        unclaimed = ledger.left(section, site.index) - needed - beside
        extra = min(kernel.buffer_bytes - needed, unclaimed)
        if needed > 0 and extra > 0:
            claims.append(Claim(section, site.index, extra))
            padded.append((extra, site, kernel))
    if not padded:
        return None
    _, worst, widest = max(padded, key=lambda item: item[0])
    return Finding(
        code="padding",
        title=say("channels filled up to the NPU's blocks"),
        because=clause(
            "padding of channels takes {bytes} ({share}), most for {worst} ({kernel})",
            worst=worst.base,
            kernel=dims(widest.shape),
        ),
        explanation=say(
            "Input channels are filled up to blocks of 8, 16 or 32; more than 2x only with 1-3 channels."
        ),
        layers=(),
        claims=tuple(claims),
        evidence=(
            say(
                "{claims} padded, most {worst} by {times:.2f}x",
                claims=count(len(claims), "layer"),
                worst=worst.base,
                times=widest.buffer_bytes / unpadded_bytes(widest),
            ),
        ),
        fixes=_padding_fixes([(site, kernel) for _, site, kernel in padded]),
    )


FEW_CHANNELS = 4
"""Input channels of an image or a signal, which nobody can choose."""
_MULTIPLE = Fix("network", say("channels that are a multiple of 16"))
_GIVEN = Fix("nothing", say("an input of 1 to 4 channels fills no block; nothing is known that avoids it"))
_HALVED = Fix(
    "network",
    say(
        "a strided kernel over one channel: SpaceToDepth(2), then a kernel half as wide over 4 channels with "
        "half the stride (exact; 1.37 -> 1.05 MB on a network for rk3588 in float16)"
    ),
    rewrites=("halved_stride",),
)


def _padding_fixes(padded: list[tuple[Site, Tensor]]) -> tuple[Fix, ...]:
    """Return what can be done about channels that are to be filled up: of an input's nothing, or half."""
    chosen = any(kernel.shape[1] > FEW_CHANNELS for _, kernel in padded)
    halved = any(_can_be_halved(site, kernel) for site, kernel in padded)
    found = (*((_HALVED,) if halved else ()), *((_MULTIPLE,) if chosen else ()))
    return found or (_GIVEN,)


def _can_be_halved(site: Site, kernel: Tensor) -> bool:
    strides = site.node.convolution.strides if site.node.convolution else ()
    return (
        kernel.shape[1] == 1
        and len(strides) == 2
        and all(stride % 2 == 0 for stride in strides)
        and min(kernel.shape[2:], default=0) > 2
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
