"""Average poolings and means that the compiler made depthwise convolutions, in stages of kernels up to 7."""

from __future__ import annotations

import re
from collections import defaultdict

from rkbench.inspection.causes.averages import WIDEST_POOL
from rkbench.inspection.causes.cause import Finding, Fix
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, CONSTANT_SECTIONS, SECTION_OF, ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count
from rkbench.language.said import Said, clause, listed, say
from rkbench.units import format_bytes

_STAGE = re.compile(r"_2conv(\d+)$")
_TILE = re.compile(r"_tile\d+$")
"""Of the compiler's, where a long row is averaged in parts."""


_AVERAGED = say(
    "The NPU averages by depthwise convolutions: a whole map by kernels of up to 7, two or three in a row, a "
    "window that moves over a map by a kernel of its own size, cut into several where it is too wide. The "
    "weights are C x k x k, never C x C."
)
_THINNED = say(
    "{averaged} A wider window that moves on by its own width is one convolution of smaller steps, and one "
    "that takes every nth position.",
    averaged=_AVERAGED,
)


def pooling_source(site: Site) -> str:
    """Return the name of the pooling or mean that a convolution was made from."""
    if _STAGE.search(site.base):
        return _STAGE.sub("", site.base).removesuffix("_gavg")
    name = re.sub(r"(#\d+)?_i1$", "", site.kernel.name) if site.kernel else site.base
    return _TILE.sub("", name)


def pooling(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """GlobalAveragePool and ReduceMean run as depthwise convolutions, in stages of kernel <= 7."""
    layers = [site for site in facts.averages if site.kernel and site.kernel.shape[2:] != (1, 1)]
    if not layers:
        return None  # a mean over channels is a dense convolution of few bytes
    sources: dict[str, list[Site]] = defaultdict(list)
    for site in layers:
        sources[pooling_source(site)].append(site)
    further = [site for stages in sources.values() for site in stages[1:]]
    wide = [site for site in layers if site.kernel and max(site.kernel.shape[2:]) > WIDEST_POOL]
    thinning = [after for site in wide for after in facts.after(site) if after.thinning > 1]
    gone = {site.index: site for site in (*further, *wide, *thinning)}
    claims = ledger.everything({site.index for site in (*layers, *thinning)}, CONSTANT_SECTIONS)
    claims += ledger.everything(gone, COMMAND_SECTIONS)
    return Finding(
        code="pooling_convolution",
        title=say("average pooling run as depthwise convolutions"),
        because=clause(
            "{sources} became {layers} of {bytes} ({share})",
            sources=count(len(sources), "average pooling"),
            layers=count(len(layers), "depthwise convolution"),
        ),
        explanation=_THINNED if thinning else _AVERAGED,
        layers=tuple(sources),
        claims=claims,
        evidence=tuple(
            say("{name}: {stages}", name=name, stages=listed([_kernel(stage) for stage in stages], " then "))
            for name, stages in list(sources.items())[:6]
        ),
        fixes=_pooling_fixes(any(len(stages) > 1 for stages in sources.values())),
        not_helping=(
            say(
                "torch.mean or AdaptiveAvgPool2d(1) instead: the same rewriting, within 1,216 B over 66 pairs"
            ),
        ),
    )


def _pooling_fixes(in_stages: bool) -> tuple[Fix, ...]:
    """Return what makes an average smaller: pools or two means, fewer stages where there are some."""
    halves = Fix(
        "network",
        say(
            "a global average by pools of at most 7 pixels, or over the height, then over the width, where "
            "that pays (exact; 140 -> 87.9 kB on a head of 1,280 channels, 7x7, for rk3588 in int8)"
        ),
        rewrites=("pooled_average", "two_means"),
    )
    stages = Fix("nothing", say("a map of 7x7 or smaller is averaged in one stage"))
    return (halves, *((stages,) if in_stages else ()))


def _kernel(site: Site) -> Said:
    kernel = site.kernel
    size = sum(tensor.buffer_bytes for tensor in site.inputs if tensor.kind in SECTION_OF)
    window = f"{kernel.shape[2]}x{kernel.shape[3]}" if kernel else "?"
    return say("{window} ({size})", window=window, size=format_bytes(size))
