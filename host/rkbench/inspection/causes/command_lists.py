"""Command lists: for every core count, for every input shape, for many small layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.many_maps import ONE_SIDE, could_be_joined, is_batched, largest_map, maps_of
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, ModelFacts
from rkbench.inspection.causes.single_core import by_layer, single_core
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count, dims, listing
from rkbench.language.said import Said, clause, say
from rkbench.rknn.file_format import TASK_BYTES
from rkbench.units import format_bytes

# One NPU task of a convolution takes up to 1,152 B of commands (1,088 on rk3588): what an ordinary layer
# needs per list. Measured on every file at hand.
PLAIN_TASK_BYTES = 1152
MANY_SMALL_SHARE = 0.4
MANY_LAYERS = 6
SMALL_LAYER_BYTES = 4096
BATCHED_SHARE = 0.25
"""From this share of the further lists on, it is said that they are those of layers over many maps."""


def dynamic_shapes(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Every further input shape has its own graph and commands; weights are shared."""
    graphs = facts.model.graphs
    if len(graphs) < 2:
        return None
    further = [site.index for site in facts.sites if site.layer.graph > 0]
    shapes = [" ".join(dims(tensor.shape) for tensor in graph.inputs) for graph in graphs]
    return Finding(
        code="dynamic_shapes",
        title=say("one graph with its own commands for every input shape"),
        because=clause(
            "{graphs} input shapes ({shapes}) each have their own graph and commands: {bytes} "
            "({share}) for the further ones",
            graphs=len(graphs),
            shapes=listing(shapes),
        ),
        explanation=say(
            "dynamic_input stores one compiled graph per shape. Weights are shared, commands, tasks, "
            "structure and the constants of pooling are not."
        ),
        layers=(),
        claims=ledger.everything(
            further, (*COMMAND_SECTIONS, "compiler_constants", "weights", "cpu_constants")
        ),
        evidence=tuple(
            say(
                "graph {index}: input {shape}, {nodes} layers",
                index=graph.index,
                shape=shape,
                nodes=len(graph.nodes),
            )
            for graph, shape in zip(graphs[:6], shapes, strict=False)
        ),
        fixes=(Fix("config", say("list only the shapes that you feed"), "rknn.config(dynamic_input=[...])"),),
    )


def core_lists(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """SoCs with several NPU cores get a command list for 1, 2 and 3 cores."""
    layers = [site for site in facts.sites if sum(site.tasks[1:]) and site.lists_known]
    claims: list[Claim] = []
    for site in layers:
        share = sum(site.tasks[1:]) / max(sum(site.tasks), 1)
        beside_tables = sum(site.commands[1:]) - sum(site.table_fills[1:])
        further = min(beside_tables, ledger.left("register_commands", site.index))
        tasks = min(sum(site.tasks[1:]) * TASK_BYTES, ledger.left("tasks", site.index))
        structure = _relocations(ledger, site, share)
        claims += (
            Claim("register_commands", site.index, further),
            Claim("tasks", site.index, tasks),
            Claim("structure", site.index, structure),
        )
    if not claims:
        return None
    owned = by_layer(claims, "register_commands", "tasks")
    commands = sum(claim.size_bytes for claim in claims if claim.section == "register_commands")
    largest = max(layers, key=lambda site: owned[site.index])
    batched = _notable_batches(layers, owned)
    joined = (ONE_SIDE,) if could_be_joined(facts, batched) else ()
    return Finding(
        code="core_lists",
        title=say("command lists for 2 and 3 cores beside the one for 1 core"),
        because=clause(
            "the command lists for 2 and 3 NPU cores take {bytes} ({share}) beside the one that a "
            "single core needs, most for {largest} ({output_shape})",
            largest=largest.base,
            output_shape=dims(largest.output_shape),
        ),
        explanation=_FOR_MORE_CORES if commands >= sum(owned.values()) - commands else _MOSTLY_TASKS,
        layers=_largest_first(layers, owned),
        claims=tuple(claims),
        evidence=(
            say(
                "commands for 1 core {commands}, added for 2 cores {of_two}, for 3 cores {of_three}; lists "
                "of tasks added {tasks}",
                commands=format_bytes(sum(site.commands[0] for site in layers)),
                of_two=format_bytes(sum(site.commands[1] for site in layers)),
                of_three=format_bytes(sum(site.commands[2] for site in layers)),
                tasks=format_bytes(TASK_BYTES * sum(sum(site.tasks[1:]) for site in layers)),
            ),
            *_of_many_maps(batched, owned),
        ),
        fixes=(*joined, *single_core(facts, layers, claims, of_further_lists=True)),
        not_helping=(say("compress_weight: commands are no weights"),),
    )


_MOSTLY_TASKS = say(
    "Beside the list of tasks for 1 core the compiler stores those for 2 and for 3 cores, 40 bytes a task: "
    "here more than the register commands that are stored for them."
)
_FOR_MORE_CORES = say(
    "Beside the commands for 1 core the compiler stores those of the same layers cut for 2 and for 3 cores. "
    "They follow the number of tasks."
)


def _largest_first(layers: Iterable[Site], owned: dict[int | None, int]) -> tuple[str, ...]:
    """Return the layers with the most bytes of further lists here: of some another cause has them."""
    found = sorted((site for site in layers if owned[site.index]), key=lambda site: -owned[site.index])
    return tuple(site.base for site in found[:10])


def _notable_batches(layers: Iterable[Site], owned: dict[int | None, int]) -> list[Site]:
    """Return the layers over many maps, the largest first, if they own a notable part; else none."""
    found = [site for site in layers if is_batched(site)]
    if sum(owned[site.index] for site in found) < BATCHED_SHARE * sum(owned.values()):
        return []
    return sorted(found, key=lambda site: -owned[site.index])


def _of_many_maps(batched: Sequence[Site], owned: dict[int | None, int]) -> tuple[Said, ...]:
    if not batched:
        return ()
    worst = batched[0]
    evidence = say(
        "{commands} of these are of {layers} over many maps at once, most {worst} ({maps:,} maps of {shape}, "
        "{tasks:,} tasks in all lists)",
        commands=format_bytes(sum(owned[site.index] for site in batched)),
        layers=count(len(batched), "layer"),
        worst=worst.base,
        maps=maps_of(worst),
        shape=dims(largest_map(worst)[1:]),
        tasks=sum(worst.tasks),
    )
    return (evidence,)


def many_small_layers(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """What is left of commands and structure dominates the file: many layers, few weights."""
    layers = [site for site in facts.sites if site.node.type not in ("InputOperator", "OutputOperator")]
    claims = ledger.everything((site.index for site in layers), COMMAND_SECTIONS)
    total = sum(claim.size_bytes for claim in claims)
    if len(layers) < MANY_LAYERS or total < MANY_SMALL_SHARE * facts.size_bytes:
        return None
    if total > SMALL_LAYER_BYTES * len(layers):
        return None
    weights = facts.model.sections.weights
    return Finding(
        code="many_small_layers",
        title=say("many layers, few weights: commands and structure dominate"),
        because=clause(
            "{layers} layers of {total_times} commands and structure each make {bytes} ({share}) "
            "against {weights} of weights",
            layers=len(layers),
            total_times=format_bytes(total / len(layers)),
            weights=format_bytes(weights),
        ),
        explanation=say(
            "A layer has commands, tasks, tensors and names in the file however small its weights are."
        ),
        layers=(),
        claims=claims,
        evidence=(
            say(
                "{layers} layers, weights {weights} of {size_bytes}",
                layers=len(layers),
                weights=format_bytes(weights),
                size_bytes=format_bytes(facts.size_bytes),
            ),
        ),
        fixes=(
            Fix("network", say("fewer, wider layers; fold what can be folded before the export (onnxsim)")),
        ),
    )


def beyond_plain(ledger: Ledger, layers: Iterable[Site]) -> tuple[Claim, ...]:
    """Return the claims to what layers take beyond one plain task in each of their lists."""
    claims: list[Claim] = []
    for site in layers:
        lists = sum(1 for tasks in site.tasks if tasks)
        commands = ledger.left("register_commands", site.index)
        beyond = commands - PLAIN_TASK_BYTES * lists
        if beyond <= 0 or not lists:
            continue
        share = beyond / commands
        claims += (
            Claim("register_commands", site.index, beyond),
            Claim("tasks", site.index, int(ledger.left("tasks", site.index) * share)),
            Claim("structure", site.index, int(ledger.left("structure", site.index) * share / 2)),
        )
    return tuple(claims)


def _relocations(ledger: Ledger, site: Site, share: float) -> int:
    """Return the structure bytes of a layer's further lists: about 5 % of their commands are relocations."""
    further = sum(site.commands[1:]) * 0.05
    return min(int(further), int(ledger.left("structure", site.index) * share))


def command_bytes(site: Site) -> int:
    return site.layer.register_command_bytes
