"""The four questions of everyone whose .rknn grew, answered from the file itself."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from rkbench.inspection.causes.cause import Attribution, Cause
from rkbench.inspection.causes.constants import pooling_source
from rkbench.inspection.causes.elsewhere import cpu_reason, float_reason
from rkbench.inspection.causes.model_facts import CONSTANT_SECTIONS, ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.causes.unfused import coarse_sigmoids
from rkbench.inspection.formatting import count, listing, percent
from rkbench.rknn.placement import computes_in_float, runs_on_cpu
from rkbench.units import format_bytes


@dataclass(frozen=True)
class PoolingConvolution:
    """One convolution that was made from an average pooling."""

    name: str
    source: str
    """The pooling or mean of the source model that it was made from."""
    kernel: tuple[int, ...]
    channels: int
    bytes: int
    """Its constants in the file."""


@dataclass(frozen=True)
class LayerElsewhere:
    """One layer that is float in a quantized model, on the CPU, or coarser in int8 than it need be."""

    name: str
    type: str
    bytes: int
    """Its constants in the file."""
    reason: str
    """What the shape, the dtype or the layers around it show; "not known: ..." where they show nothing."""


@dataclass(frozen=True)
class PoolingAnswer:
    """Which convolutions were made from a GlobalAveragePool or ReduceMean."""

    answer: str
    convolutions: tuple[PoolingConvolution, ...]


@dataclass(frozen=True)
class PrecisionAnswer:
    """Which layers stayed float, which run on the CPU, and which are coarse in int8."""

    answer: str
    float: tuple[LayerElsewhere, ...]
    """Empty in an all-float model: there every layer is float."""
    cpu: tuple[LayerElsewhere, ...]
    coarse: tuple[LayerElsewhere, ...] = ()
    """Sigmoids that are not fused with the convolution before them: int8 scores in steps."""


@dataclass(frozen=True)
class SizeAnswer:
    """Why the file is as big as it is."""

    answer: str
    causes: tuple[str, ...]
    """The causes as sentences, the largest first."""


@dataclass(frozen=True)
class ChangeAnswer:
    """What exactly has to change."""

    answer: str
    steps: tuple[str, ...]
    """What to do, the best first: commands, config lines, changes to the network."""


@dataclass(frozen=True)
class FourAnswers:
    """The four answers: a sentence each, with the layers and steps behind it."""

    convolutions_from_pooling: PoolingAnswer
    float_or_cpu_layers: PrecisionAnswer
    why_this_big: SizeAnswer
    what_to_change: ChangeAnswer


def answer(facts: ModelFacts, attribution: Attribution) -> FourAnswers:
    """Return the four answers for a file; before the model is closed."""
    pooling = tuple(_pooling(site) for site in facts.averages)
    floats = _float_layers(facts)
    on_cpu = tuple(
        _elsewhere(site, cpu_reason(facts, site)) for site in facts.sites if runs_on_cpu(site.node)
    )
    coarse = tuple(_elsewhere(site, why) for site, why in coarse_sigmoids(facts))
    steps = _steps(attribution)
    return FourAnswers(
        PoolingAnswer(_pooling_answer(facts, pooling), pooling),
        PrecisionAnswer(_precision_answer(facts, floats, on_cpu) + _coarse(coarse), floats, on_cpu, coarse),
        SizeAnswer(attribution.sentence, tuple(_named(cause) for cause in attribution.causes)),
        ChangeAnswer(_change_answer(attribution, steps), steps),
    )


def _named(cause: Cause) -> str:
    return f"{cause.title}: {format_bytes(cause.bytes)} ({percent(cause.share)})"


def _pooling(site: Site) -> PoolingConvolution:
    convolution, kernel = site.node.convolution, site.kernel
    window = convolution.kernel if convolution else (kernel.shape[2:] if kernel else ())
    channels = kernel.shape[1] if kernel else (site.output_shape[1] if len(site.output_shape) > 1 else 0)
    return PoolingConvolution(site.base, pooling_source(site), window, channels, _constants(site))


def _constants(site: Site) -> int:
    sections = site.layer.sections()
    return sum(sections[name] for name in CONSTANT_SECTIONS)


def _pooling_answer(facts: ModelFacts, pooling: tuple[PoolingConvolution, ...]) -> str:
    if not pooling:
        return "None: no convolution of this file was made from a GlobalAveragePool or ReduceMean."
    total = sum(item.bytes for item in pooling)
    sources = len({item.source for item in pooling})
    widest = "x".join(map(str, max((item.kernel for item in pooling), key=prod)))
    return (
        f"{count(len(pooling), 'convolution')}, from {count(sources, 'pooling layer')}: kernels up to "
        f"{widest}, together {format_bytes(total)} ({percent(total / facts.size_bytes)} of "
        f"the file)."
    )


def _float_layers(facts: ModelFacts) -> tuple[LayerElsewhere, ...]:
    if facts.dtype != "int8":
        return ()
    floats = (site for site in facts.sites if computes_in_float(site.node, site.layer.dtype))
    return tuple(_elsewhere(site, float_reason(facts, site)) for site in floats)


def _elsewhere(site: Site, reason: str) -> LayerElsewhere:
    return LayerElsewhere(site.base, site.node.type, _constants(site), reason)


def _precision_answer(
    facts: ModelFacts, floats: tuple[LayerElsewhere, ...], on_cpu: tuple[LayerElsewhere, ...]
) -> str:
    if facts.precision == "w4a16":
        precision = "The weights have 4 bits (w4a16), every layer computes in float."
    elif facts.dtype != "int8":
        precision = "This is a float model: no layer is quantized."
    elif floats:
        names = listing([item.name for item in floats], 4)
        size = format_bytes(sum(item.bytes for item in floats))
        precision = f"{count(len(floats), 'layer')} stayed float: {names} ({size} of constants)."
    else:
        precision = "Every layer that computes is quantized; none stayed float."
    if not on_cpu:
        return f"{precision} No layer that computes runs on the CPU."
    kinds = listing(sorted({item.type for item in on_cpu}), 4)
    names = listing([item.name for item in on_cpu], 4)
    return f"{precision} {count(len(on_cpu), 'layer')} on the CPU ({kinds}): {names}."


def _coarse(layers: tuple[LayerElsewhere, ...]) -> str:
    if not layers:
        return ""
    names = listing([item.name for item in layers], 4)
    return f" {count(len(layers), 'Sigmoid')} not fused, with scores in coarse steps: {names}."


def _steps(attribution: Attribution) -> tuple[str, ...]:
    """Return the steps of all causes, the largest cause first; one command or line once."""
    steps: dict[str, str] = {}
    for cause in attribution.causes:
        for fix in cause.fix:
            if fix.kind != "nothing":
                text = f"{fix.snippet}  ({fix.action})" if fix.snippet else fix.action
                steps.setdefault(fix.snippet or fix.action, text)
    return tuple(steps.values())


def _change_answer(attribution: Attribution, steps: tuple[str, ...]) -> str:
    if attribution.verdict == "healthy":
        return "Nothing has to change." + (" What would still save bytes is listed." if steps else "")
    return steps[0] if steps else "Nothing is known that cures it."
