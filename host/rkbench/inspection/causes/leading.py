"""Which causes are the answer, and the sentence that says it."""

from __future__ import annotations

from rkbench.inspection.causes import plain
from rkbench.inspection.causes.cause import Cause
from rkbench.inspection.causes.model_facts import ModelFacts
from rkbench.inspection.formatting import count, listing, percent
from rkbench.language.said import Said, listed, say
from rkbench.rknn.placement import runs_on_cpu
from rkbench.units import format_bytes

# What every file has some of: such a cause is the answer only when it is large.
GENERAL = {
    *("core_lists", "batched_layers", "large_maps", "cut_weights", "map_products"),
    *("copied_maps", "cut_joins", "padding", "pooling_convolution", "lookup_tables"),
    *("metadata", "many_small_layers", "compiler_constants"),
    *("table_commands", "output_layout", "idle_statistics", "attention_bias"),
    "layer_structure",
}
# Of these, what the network's own shapes make. The rest comes with a SoC, a size or an output, and with any
# layer that a cure removes: it explains no file where a cause of its own is told.
OF_ITS_SHAPES = {"batched_layers", "map_products", "copied_maps", "cut_joins"}
# The floor of the format for a SoC: told, but never why this file is larger than another.
FLOOR = {"compiler_fixed"}
_NEVER_LEADS = FLOOR | plain.PLAIN_CAUSES | {"layer_structure"}
NOTABLE_SHARE = 0.10
LARGE_SHARE = 0.25


def lead_of(facts: ModelFacts, causes: list[Cause], needed: int) -> Cause | None:
    """Return the cause that is the answer: the first of those that are told.

    A file of 1.5 times its plain size or more has one in any case: many causes may share what is too much.
    """
    told = _notable(causes)
    if told:
        return told[0]
    too_large = facts.size_bytes >= plain.HEALTHY_RATIO * needed
    excess = [cause for cause in causes if cause.code not in FLOOR | plain.PLAIN_CAUSES]
    return excess[0] if too_large and excess else None


def _notable(causes: list[Cause]) -> list[Cause]:
    """Return the causes that the answer names, in its order; none where none is notable by itself.

    A cause that every file has some of is notable only when large, but is named where it takes more than
    another that is notable: before that, where the network's own shapes make it.
    """
    answers = [cause for cause in causes if cause.code not in FLOOR]
    for cause in answers:
        if cause.code not in GENERAL and cause.share >= NOTABLE_SHARE:
            larger = [each for each in answers if each.bytes > cause.bytes and each.code not in _NEVER_LEADS]
            first = [each for each in larger if each.code in OF_ITS_SHAPES]
            return [*first, cause, *(each for each in larger if each not in first)]
    return answers[:1] if answers and answers[0].share >= LARGE_SHARE else []


def sentence(facts: ModelFacts, causes: list[Cause], lead: Cause | None, needed: int) -> Said:
    """Return the answer in one sentence; `needed` is what the layers need plainly, in bytes."""
    file = facts.model.file
    name = say(
        "{file} ({target} {precision})",
        file=file.path.name,
        target=file.target or say("no target"),
        precision=facts.precision,
    )
    if lead is None:
        return _healthy(facts, causes, name)
    told = _notable(causes)
    if not told:
        return _many(facts, causes, name, needed)
    shown = {
        "name": name,
        "size_bytes": format_bytes(file.size_bytes),
        "because": listed([cause.because for cause in told], "; "),
        "without": format_bytes(file.size_bytes - sum(cause.bytes for cause in told)),
    }
    if len(told) > 1:
        return say("{name} is {size_bytes} because {because}; without all of that, {without}.", **shown)
    return say("{name} is {size_bytes} because {because}; without that, {without}.", **shown)


def _many(facts: ModelFacts, causes: list[Cause], name: str, needed: int) -> Said:
    """Return the sentence of a file whose excess many causes share."""
    excess = [cause for cause in causes if cause.code not in plain.PLAIN_CAUSES][:3]
    shares = [say("{title} {size}", title=cause.title, size=format_bytes(cause.bytes)) for cause in excess]
    return say(
        "{name} is {size_bytes}, {times:.1f} times the {needed} that its layers need plainly: {shares}.",
        name=name,
        size_bytes=format_bytes(facts.size_bytes),
        times=facts.size_bytes / needed,
        needed=format_bytes(needed),
        shares=listed(shares),
    )


def _healthy(facts: ModelFacts, causes: list[Cause], name: str) -> Said:
    size, sections = facts.size_bytes, facts.model.sections
    if facts.weights_removed:
        return say(
            "{name} holds no weights (converted with remove_weight=True): its {size} are commands, "
            "structure and pooling constants.",
            name=name,
            size=format_bytes(size),
        )
    floor = [cause for cause in causes if cause.code in FLOOR and cause.share >= NOTABLE_SHARE]
    stored = sections.weights + sections.cpu_constants - sum(c.sections.get("weights", 0) for c in floor)
    weights = listed(
        [
            say("{size} ({share}) are weights", size=format_bytes(stored), share=percent(stored / size)),
            *(say("{size} {title}", size=format_bytes(cause.bytes), title=cause.title) for cause in floor),
        ]
    )
    commands_bytes = sections.register_commands + sections.tasks + sections.kind7
    on_cpu = [site.node.type for site in facts.sites if runs_on_cpu(site.node)]
    cpu = (
        say(
            "; {on_cpu} ({on_cpu_types}) on the CPU",
            on_cpu=count(len(on_cpu), "layer"),
            on_cpu_types=listing(sorted(set(on_cpu))),
        )
        if on_cpu
        else ""
    )
    return say(
        "{name} is healthy: of its {size}, {weights}, "
        "{commands_bytes} NPU commands, {structure} structure{cpu}.",
        name=name,
        size=format_bytes(size),
        weights=weights,
        commands_bytes=format_bytes(commands_bytes),
        structure=format_bytes(sections.structure),
        cpu=cpu,
    )
