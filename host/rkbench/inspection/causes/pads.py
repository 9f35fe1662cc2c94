"""A Pad that no convolution can do itself: the NPU copies it row by row, or by a dense convolution."""

from __future__ import annotations

from rkbench.inspection.causes.cause import Finding, Fix
from rkbench.inspection.causes.command_lists import command_bytes
from rkbench.inspection.causes.kernel_groups import extends_border
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, CONSTANT_SECTIONS, ModelFacts
from rkbench.inspection.causes.single_core import single_core
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count, dims, listing
from rkbench.language.said import Said, clause, say
from rkbench.units import format_bytes

_ZEROS = Fix("network", say("pad with zeros, in the convolution (the border changes: train with it)"))


def pad_copies(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A Pad that mirrors or repeats the border (mode reflect) has a task for every row and column it adds.

    It takes the whole layer: with zeros the convolution behind it pads, and there is no layer.
    """
    layers = [site for site in facts.sites if _is_copied(site)]
    claims = ledger.everything((site.index for site in layers), COMMAND_SECTIONS)
    if not claims:
        return None
    worst = max(layers, key=command_bytes)
    return Finding(
        code="pad_copies",
        title=say("paddings copied row by row"),
        because=clause(
            "{layers} that {copy_} the border row by row {take_} {bytes} ({share}) of commands and "
            "structure, most {worst} ({shapes}, {tasks} tasks on 1 core)",
            layers=count(len(layers), "Pad"),
            copy_="copies" if len(layers) == 1 else "copy",
            take_="takes" if len(layers) == 1 else "take",
            worst=worst.base,
            shapes=_shapes(worst),
            tasks=worst.tasks[0],
        ),
        explanation=say(
            "A convolution pads with zeros at no cost. A padding that mirrors or repeats the border (mode "
            "reflect or edge) is a layer of its own, with a task for every row and column that it adds."
        ),
        layers=tuple(site.base for site in layers),
        claims=claims,
        evidence=_evidence(layers),
        fixes=(_ZEROS, *single_core(facts, layers, claims)),
    )


def is_border_kernel(facts: ModelFacts, site: Site) -> bool:
    """Return whether a convolution that the compiler made only mirrors or repeats a border."""
    return site.kernel is not None and extends_border(facts.model, site.kernel)


def border_kernels(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A border mirrored along an axis that lies among the channels: a dense 1x1 convolution."""
    layers = [site for site in facts.moving if is_border_kernel(facts, site)]
    kernels = [site.kernel for site in layers if site.kernel]
    if not layers:
        return None
    return Finding(
        code="border_kernels",
        title=say("borders mirrored or repeated by dense 1x1 convolutions"),
        because=clause(
            "{layers} only {put_} mirrored or repeated positions beside a map ({kernels}): {bytes} ({share})",
            layers=count(len(layers), "1x1 convolution"),
            put_="puts" if len(layers) == 1 else "put",
            kernels=listing(sorted({dims(kernel.shape[:2]) for kernel in kernels})),
        ),
        explanation=say(
            "A padding that mirrors or repeats the border (mode reflect or edge) has no weights. Along an "
            "axis that lies among the channels the compiler writes it as a 1x1 convolution with a single 1 "
            "in each row: it grows with the square of the axis."
        ),
        layers=tuple(site.base for site in layers),
        claims=ledger.everything((site.index for site in layers), (*CONSTANT_SECTIONS, *COMMAND_SECTIONS)),
        evidence=tuple(
            say(
                "{site}: {kernel}, {size}",
                site=site.base,
                kernel=dims(kernel.shape),
                size=format_bytes(kernel.buffer_bytes),
            )
            for site, kernel in zip(layers[:4], kernels, strict=False)
        ),
        fixes=(_ZEROS,),
    )


def _evidence(layers: list[Site]) -> tuple[Said, ...]:
    return tuple(
        say("{site}: {shapes}, {tasks:,} tasks", site=site.base, shapes=_shapes(site), tasks=sum(site.tasks))
        for site in sorted(layers, key=command_bytes, reverse=True)[:4]
    )


def _is_copied(site: Site) -> bool:
    """Return whether a Pad copies rows: by its mode, else by a task for each and one for the map."""
    if site.node.type != "Pad" or site.tasks[0] < 2:
        return False
    if site.node.padding_mode:
        return site.node.padding_mode != "constant"
    read = site.layer.input_shapes[0] if site.layer.input_shapes else ()
    if len(read) != 4 or len(site.output_shape) != 4:
        return False
    added = sum(after - before for before, after in zip(read[2:], site.output_shape[2:], strict=True))
    return added > 1 and site.tasks[0] == added + 1


def _shapes(site: Site) -> str:
    read = site.layer.input_shapes[0] if site.layer.input_shapes else ()
    return f"{dims(read)} -> {dims(site.output_shape)}"
