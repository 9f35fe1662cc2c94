"""A Pad that no convolution can do itself: the NPU copies it row by row."""

from __future__ import annotations

from rkbench.inspection.causes.cause import Finding, Fix
from rkbench.inspection.causes.command_lists import command_bytes, single_core
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count, dims
from rkbench.language.said import Said, clause, say


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
        fixes=(
            Fix("network", say("pad with zeros, in the convolution (the border changes: train with it)")),
            *single_core(facts, layers, claims),
        ),
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
