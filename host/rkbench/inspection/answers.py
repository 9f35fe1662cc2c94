"""The four questions of everyone whose .rknn grew, answered from the file itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from rkbench.inspection.causes.cause import Attribution, Cause, Verdict
from rkbench.inspection.causes.elsewhere import cpu_reason, float_reason
from rkbench.inspection.causes.model_facts import CONSTANT_SECTIONS, ModelFacts
from rkbench.inspection.causes.pooling import pooling_source
from rkbench.inspection.causes.site import Site
from rkbench.inspection.causes.unfused import coarse_sigmoids
from rkbench.inspection.formatting import count, listing, percent
from rkbench.language.said import NOTHING, Said, say, together
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
    reason: Said
    """What the shape, the dtype or the layers around it show; "not known: ..." where they show nothing."""


@dataclass(frozen=True)
class PoolingAnswer:
    """Which convolutions average, as a GlobalAveragePool or ReduceMean does: one weight throughout."""

    answer: Said
    convolutions: tuple[PoolingConvolution, ...]


@dataclass(frozen=True)
class PrecisionAnswer:
    """Which layers stayed float, which run on the CPU, and which are coarse in int8."""

    answer: Said
    float: tuple[LayerElsewhere, ...]
    """Empty in an all-float model: there every layer is float."""
    cpu: tuple[LayerElsewhere, ...]
    coarse: tuple[LayerElsewhere, ...] = ()
    """Sigmoids that are not fused with the convolution before them: int8 scores in steps."""


@dataclass(frozen=True)
class SizeAnswer:
    """Why the file is as big as it is."""

    answer: Said
    causes: tuple[Said, ...]
    """The causes as sentences, the largest first."""


@dataclass(frozen=True)
class ChangeAnswer:
    """What exactly has to change."""

    answer: Said
    steps: tuple[Said, ...]
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
    return FourAnswers(
        PoolingAnswer(_pooling_answer(facts, pooling), pooling),
        PrecisionAnswer(
            together(_precision_answer(facts, floats, on_cpu), _coarse(coarse)), floats, on_cpu, coarse
        ),
        SizeAnswer(attribution.sentence, tuple(_named(cause) for cause in attribution.causes)),
        what_to_change(attribution.verdict, attribution.causes),
    )


def _named(cause: Cause) -> Said:
    return say(
        "{title}: {bytes} ({share})",
        title=cause.title,
        bytes=format_bytes(cause.bytes),
        share=percent(cause.share),
    )


def _pooling(site: Site) -> PoolingConvolution:
    convolution, kernel = site.node.convolution, site.kernel
    window = convolution.kernel if convolution else (kernel.shape[2:] if kernel else ())
    channels = kernel.shape[1] if kernel else (site.output_shape[1] if len(site.output_shape) > 1 else 0)
    return PoolingConvolution(site.base, pooling_source(site), window, channels, _constants(site))


def _constants(site: Site) -> int:
    sections = site.layer.sections()
    return sum(sections[name] for name in CONSTANT_SECTIONS)


def _pooling_answer(facts: ModelFacts, pooling: tuple[PoolingConvolution, ...]) -> Said:
    if not pooling:
        return say(
            "None: no convolution of this file has one weight throughout that is not 1, as an average has."
        )
    total = sum(item.bytes for item in pooling)
    sources = len({item.source for item in pooling})
    widest = "x".join(map(str, max((item.kernel for item in pooling), key=prod)))
    return say(
        "{pooling}, with one weight throughout, from averages in {sources}: kernels up to {widest}, "
        "together {total} ({total_share} of the file).",
        pooling=count(len(pooling), "convolution"),
        sources=count(sources, "layer"),
        widest=widest,
        total=format_bytes(total),
        total_share=percent(total / facts.size_bytes),
    )


def _float_layers(facts: ModelFacts) -> tuple[LayerElsewhere, ...]:
    if facts.dtype != "int8":
        return ()
    floats = (site for site in facts.sites if computes_in_float(site.node, site.layer.dtype))
    return tuple(_elsewhere(site, float_reason(facts, site)) for site in floats)


def _elsewhere(site: Site, reason: Said) -> LayerElsewhere:
    return LayerElsewhere(site.base, site.node.type, _constants(site), reason)


def _precision_answer(
    facts: ModelFacts, floats: tuple[LayerElsewhere, ...], on_cpu: tuple[LayerElsewhere, ...]
) -> Said:
    if facts.precision == "w4a16":
        precision = say("The weights have 4 bits (w4a16), every layer computes in float.")
    elif facts.dtype != "int8":
        precision = say("This is a float model: no layer is quantized.")
    elif floats:
        names = listing([item.name for item in floats], 4)
        size = format_bytes(sum(item.bytes for item in floats))
        precision = say(
            "{floats} stayed float: {names} ({size} of constants).",
            floats=count(len(floats), "layer"),
            names=names,
            size=size,
        )
    else:
        precision = say("Every layer that computes is quantized; none stayed float.")
    if not on_cpu:
        return say("{precision} No layer that computes runs on the CPU.", precision=precision)
    kinds = listing(sorted({item.type for item in on_cpu}), 4)
    names = listing([item.name for item in on_cpu], 4)
    return say(
        "{precision} {on_cpu} on the CPU ({kinds}): {names}.",
        precision=precision,
        on_cpu=count(len(on_cpu), "layer"),
        kinds=kinds,
        names=names,
    )


def _coarse(layers: tuple[LayerElsewhere, ...]) -> Said:
    if not layers:
        return NOTHING
    names = listing([item.name for item in layers], 4)
    return say(
        "{layers} not fused, with scores in coarse steps: {names}.",
        layers=count(len(layers), "Sigmoid"),
        names=names,
    )


def what_to_change(
    verdict: Verdict, causes: Iterable[Cause], command: str = "", does: Said = NOTHING
) -> ChangeAnswer:
    """Return what exactly has to change, the cures of all causes behind it.

    `command` runs `bench fix`, which `does` more than one cause may speak of; it is the last step where none
    does.
    """
    steps = _steps(causes, command, does)
    if verdict == "healthy":
        saving = say("What would still save bytes is listed.") if steps else NOTHING
        return ChangeAnswer(together(say("Nothing has to change."), saving), steps)
    return ChangeAnswer(steps[0] if steps else say("Nothing is known that cures it."), steps)


def _steps(causes: Iterable[Cause], command: str, does: Said) -> tuple[Said, ...]:
    """Return the steps of all causes, the largest cause first; one command or line once.

    `command` is as in `what_to_change`.
    """
    steps: dict[str, Said] = {}
    for fix in (fix for cause in causes for fix in cause.fix):
        if fix.kind != "nothing":
            action = does if does and fix.snippet == command else fix.action
            text = say("{snippet}  ({action})", snippet=fix.snippet, action=action) if fix.snippet else action
            steps.setdefault(fix.snippet or fix.action, text)
    if command:
        steps.setdefault(command, say("{snippet}  ({action})", snippet=command, action=does))
    return tuple(steps.values())
