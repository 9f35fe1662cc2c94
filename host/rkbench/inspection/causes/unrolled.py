"""Operators that the compiler unrolls into many NPU tasks: dilation, recurrence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.command_lists import beyond_plain, command_bytes
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, ModelFacts
from rkbench.inspection.causes.single_core import further_bytes, single_core
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count, dims, listing
from rkbench.language.said import Said, clause, say
from rkbench.units import format_bytes

_PLAIN_TASKS = (1, 4, 6)
"""Tasks for 1, 2 and 3 cores that layers without dilation have too."""


def dilation(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A dilated convolution is cut into one task per few rows, or even per row and channel block."""
    layers = [site for site in facts.sites if site.dilation > 1 and _is_cut(site)]
    claims = tuple(claim for site in layers for claim in _beyond_twin(facts, ledger, site))
    pads = [
        before.index
        for site in layers
        for before in facts.before(site)
        if before.node.type == "Pad" and facts.after(before) == (site,)
    ]
    claims += ledger.everything(pads, COMMAND_SECTIONS)
    if not claims:
        return None
    worst = max(layers, key=command_bytes)
    return Finding(
        code="dilation_commands",
        title=say("dilated convolutions cut into many NPU tasks"),
        because=clause(
            "{layers} {take_} {bytes} ({share}) of NPU commands, {command_bytes} of it {worst} alone "
            "(dilation {dilation}, {tasks:,} NPU tasks)",
            layers=count(len(layers), "dilated convolution"),
            take_="takes" if len(layers) == 1 else "take",
            command_bytes=format_bytes(command_bytes(worst)),
            worst=worst.base,
            dilation=worst.dilation,
            tasks=sum(worst.tasks),
        ),
        explanation=say(
            "The NPU reads a dilated kernel's rows far apart; where the rows between do not fit its "
            "on-chip buffer the compiler cuts the layer into many tasks, each with its own register "
            "commands."
        ),
        layers=tuple(site.base for site in layers),
        claims=claims,
        evidence=tuple(
            say(
                "{site}: dilation {dilation}, {tasks:,} tasks (lists for 1, 2, 3 cores: {lists}), "
                "{command_bytes} of commands",
                site=site.base,
                dilation=site.dilation,
                tasks=sum(site.tasks),
                lists=", ".join(str(tasks) for tasks in site.tasks),
                command_bytes=format_bytes(command_bytes(site)),
            )
            for site in sorted(layers, key=command_bytes, reverse=True)[:6]
        ),
        fixes=_dilation_fixes(facts, layers, claims),
        not_helping=(say("compress_weight and optimization_level: commands are no weights"),),
    )


def _beyond_twin(facts: ModelFacts, ledger: Ledger, site: Site) -> tuple[Claim, ...]:
    """Return the claims to what a dilated convolution takes beyond its like without dilation, if any."""
    twins = [command_bytes(other) for other in facts.sites if _is_twin(site, other)]
    claims, own = beyond_plain(ledger, [site]), command_bytes(site)
    share = max(0.0, 1 - max(twins) / own) if twins and own else 1.0
    left = (replace(claim, size_bytes=int(claim.size_bytes * share)) for claim in claims)
    return tuple(claim for claim in left if claim.size_bytes)


def _is_twin(site: Site, other: Site) -> bool:
    """Return whether a layer is another one without its dilation: the same sizes of weights and maps."""
    kernels = site.kernel, other.kernel
    return (
        other.is_convolution
        and other.dilation == 1
        and all(kernel is not None for kernel in kernels)
        and sorted(kernels[0].shape) == sorted(kernels[1].shape)  # type: ignore[union-attr] # seen just now
        and site.layer.input_shapes[:1] == other.layer.input_shapes[:1]
        and site.output_shape == other.output_shape
    )


def _is_cut(site: Site) -> bool:
    """Return whether a layer has more tasks than one a core, or the two that many plain ones have there."""
    return any(tasks > most for tasks, most in zip(site.tasks, _PLAIN_TASKS, strict=True))


def _dilation_fixes(facts: ModelFacts, layers: list[Site], claims: tuple[Claim, ...]) -> tuple[Fix, ...]:
    """The list for two cores is often the one that explodes: then one core is the first thing to try."""
    single = single_core(facts, layers, claims)
    if single and single[0].kind == "config" and further_bytes(layers) > facts.size_bytes / 3:
        tried = say("{action}; 1.81 MB became 90.5 kB on the reference case", action=single[0].action)
        single = (replace(single[0], action=tried),)
    network = Fix(
        "network",
        say(
            "use smaller dilations (the cost jumps rather than grows: compare the layers), or reach "
            "the same receptive field with stride or a smaller map"
        ),
    )
    return (*single, network)


_SHORTER_SEQUENCE = say(
    "convert with a shorter sequence and call the model once per chunk, feeding the state (a recurrence in "
    "both directions answers differently then: its second state comes from the chunks behind)"
)
_NO_RECURRENCE = say("replace the recurrence by convolutions over time, or run it on the CPU outside the NPU")


def recurrence(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """GRU and LSTM are unrolled: commands for every step of the sequence."""
    layers = [site for site in facts.sites if site.is_recurrent]
    if not layers:
        return None
    steps = max(
        (tensor.shape[0] for site in layers for tensor in site.outputs[:1] if tensor.shape), default=0
    )
    claims = ledger.everything((site.index for site in layers), (*COMMAND_SECTIONS, "compiler_constants"))
    tasks = sum(sum(site.tasks) for site in layers)
    return Finding(
        code="recurrent_commands",
        title=say("recurrent layers unrolled step by step"),
        because=clause(
            "{layers} ({site}) {are_} unrolled over {steps} steps into {tasks:,} NPU tasks: {bytes} "
            "({share}) of commands and constants",
            layers=count(len(layers), "recurrent layer"),
            site=listing([site.base for site in layers]),
            are_="is" if len(layers) == 1 else "are",
            steps=steps,
            tasks=tasks,
        ),
        explanation=say(
            "The NPU has no recurrence: every time step gets tasks of its own, and those of a GRU register "
            "commands too; an LSTM's share theirs from the third step on."
        ),
        layers=tuple(site.base for site in layers),
        claims=claims,
        evidence=_recurrent_evidence(layers),
        fixes=(
            Fix("network", _SHORTER_SEQUENCE),
            *single_core(facts, layers, claims),
            Fix("network", _NO_RECURRENCE),
        ),
    )


def _recurrent_evidence(layers: list[Site]) -> tuple[Said, ...]:
    floats = [site for site in layers if site.layer.dtype == "FLOAT16"]
    in_float = (say("{floats} of {layers} compute in FLOAT16", floats=len(floats), layers=len(layers)),)
    return (
        *(
            say(
                "{site} ({type}): {tasks:,} tasks, {command_bytes}",
                site=site.base,
                type=site.node.type,
                tasks=sum(site.tasks),
                command_bytes=format_bytes(command_bytes(site)),
            )
            for site in layers[:4]
        ),
        *in_float[: len(floats)],
    )


def shape_of(tensors: Iterable[object]) -> str:
    """Return the first shape of four dimensions, in words; "?" where there is none."""
    for tensor in tensors:
        shape = getattr(tensor, "shape", ())
        if len(shape) == 4:
            return dims(shape)
    return "?"
