"""What a file would be plainly: weights at their dtype and the commands of its layers on one core.

Undivided, without padding and without tables; what describes the layers is not counted either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rkbench.inspection.causes.cause import Cause, Claim, Finding, Fix
from rkbench.inspection.causes.command_lists import PLAIN_TASK_BYTES
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.causes.weights import unpadded_bytes
from rkbench.inspection.formatting import count
from rkbench.language.said import clause, say
from rkbench.rknn.file_format import TASK_BYTES
from rkbench.rknn.placement import WEIGHT_BLOCKS, runs_on_cpu
from rkbench.units import format_bytes

HEALTHY_RATIO = 1.5
"""A file of less than this many times its plain size needs no cause."""
LARGE_SHARE = 0.10
SMALLEST_BYTES = 4096
"""Less than this beyond what a layer needs is not looked into: it is about one more task or table."""
_SECTIONS = ("weights", "cpu_constants", "compiler_constants", "register_commands", "tasks", "kind7")
#: No excess: what every file of the SoC has, what remains of layers that have no other cause, and what the
#: network adds in its attention: a file does not say whether the ONNX has it whole too.
PLAIN_CAUSES = {"compiler_fixed", "many_small_layers", "attention_bias"}

SMALL_FILE_BYTES = 200_000
_COMMANDS = ("register_commands", "tasks", "kind7")
_PLAIN_SECTIONS = ("weights", "cpu_constants", *_COMMANDS)
_NEEDED = PLAIN_CAUSES - {"compiler_fixed"}


def plain_bytes(size_bytes: int, ordinary: Mapping[str, int], causes: Iterable[Cause]) -> int:
    """Return what weights and commands take that no cause owns; `ordinary` is that by section.

    Layers that are many and small are no excess: their commands count, what describes them does not. So do
    constants that attention adds. Of a file of few layers the format's own structure is a large part, and
    counts as plain.
    """
    causes = list(causes)
    if size_bytes < SMALL_FILE_BYTES:
        return size_bytes - sum(cause.bytes for cause in causes if cause.code not in PLAIN_CAUSES)
    needed = [cause for cause in causes if cause.code in _NEEDED]
    counted = sum(cause.sections.get(section, 0) for cause in needed for section in _PLAIN_SECTIONS)
    return max(1, counted + sum(ordinary.get(section, 0) for section in _PLAIN_SECTIONS))


def layer_structure(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """What describes layers and tensors: a tenth of the file or more where weights are few."""
    claims = ledger.everything((*(site.index for site in facts.sites), None), ("structure",))
    size = facts.size_bytes
    if size < SMALL_FILE_BYTES or sum(claim.size_bytes for claim in claims) < LARGE_SHARE * size:
        return None
    layers, tensors = len(facts.sites), len(facts.model.tensors)
    return Finding(
        code="layer_structure",
        title=say("names, shapes and addresses of the layers"),
        because=clause(
            "what describes {layers} layers and {tensors} tensors takes {bytes} ({share})",
            layers=layers,
            tensors=tensors,
        ),
        explanation=say(
            "Each layer and tensor has a name and shapes in the file, and each address in its commands an "
            "entry that says of what it is: that grows with layers, tasks and commands, not with weights."
        ),
        layers=(),
        claims=claims,
        evidence=(
            say(
                "{layers} layers, {tensors} tensors, {commands} of register commands",
                layers=layers,
                tensors=tensors,
                commands=format_bytes(facts.model.sections.register_commands),
            ),
        ),
        fixes=(Fix("nothing", say("it goes with the layers and commands that go")),),
    )


def oversized_layers(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """What is left of a layer though it is a tenth of the file and twice what the layer needs."""
    found = [(site, *_left_and_needed(ledger, site)) for site in facts.sites]
    large = [
        (site, left - needed, needed)
        for site, left, needed in found
        if left > LARGE_SHARE * facts.size_bytes and left - needed > max(needed, SMALLEST_BYTES)
    ]
    if not large:
        return None
    site, beyond, needed = max(large, key=lambda item: item[1])
    return Finding(
        code="oversized_layers",
        title=say("layers that are larger than they need, for a reason that is not known"),
        because=clause(
            "{large} {take_} {bytes} ({share}) beyond what weights and one task need, most {site} "
            "({type}: {beyond} in {tasks} on one core, where {needed} are needed); why is not known",
            large=count(len(large), "layer"),
            take_="takes" if len(large) == 1 else "take",
            site=site.base,
            type=site.node.type,
            beyond=format_bytes(beyond + needed),
            tasks=count(site.tasks[0], "task"),
            needed=format_bytes(needed),
        ),
        explanation=say("No rule of rkbench knows what these bytes are for."),
        layers=tuple(site.base for site, _, _ in large),
        claims=tuple(claim for site, beyond, _ in large for claim in _claims(ledger, site, beyond)),
        evidence=tuple(
            say(
                "{site} ({type}): {beyond}, needed {needed}",
                site=site.base,
                type=site.node.type,
                beyond=format_bytes(beyond + needed),
                needed=format_bytes(needed),
            )
            for site, beyond, needed in large[:4]
        ),
        fixes=(Fix("nothing", say("not known; a report with the file and its ONNX helps")),),
    )


def _left_and_needed(ledger: Ledger, site: Site) -> tuple[int, int]:
    left = sum(ledger.left(section, site.index) for section in _SECTIONS)
    kernel = 0
    if runs_on_cpu(site.node):
        kernel = sum(tensor.buffer_bytes for tensor in site.constants if len(tensor.shape) > 2)
    elif site.is_recurrent:
        kernel = sum(tensor.buffer_bytes for tensor in site.constants if tensor.layout == WEIGHT_BLOCKS)
    elif site.kernel and site.kernel in site.constants:
        kernel = unpadded_bytes(site.kernel) or site.kernel.buffer_bytes
    small = sum(tensor.buffer_bytes for tensor in site.constants if len(tensor.shape) < 3)
    return left, kernel + small + PLAIN_TASK_BYTES + TASK_BYTES


def _claims(ledger: Ledger, site: Site, beyond: int) -> tuple[Claim, ...]:
    """Return claims to `beyond` bytes of a layer, of the sections that hold most."""
    claims = []
    for section in sorted(_SECTIONS, key=lambda name: -ledger.left(name, site.index)):
        size = min(beyond, ledger.left(section, site.index))
        if size > 0:
            claims.append(Claim(section, site.index, size))
            beyond -= size
    return tuple(claims)
