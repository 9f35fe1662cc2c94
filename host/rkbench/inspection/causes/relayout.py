"""Maps that are only brought into another order: transposes, reshapes, outputs, and the tables for it."""

from __future__ import annotations

from math import prod

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.command_lists import beyond_plain, command_bytes
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import SECTION_OF, ModelFacts
from rkbench.inspection.causes.norms import POOLED
from rkbench.inspection.causes.single_core import single_core
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count, dims, listing
from rkbench.language.said import clause, say
from rkbench.rknn.contents import Tensor
from rkbench.units import format_bytes

_MOVING = ("Transpose", "Reshape", "exWindow")
_TABLE_BLOCKS = (8, 16)
"""Channels of a block: 8 in float16, 16 in int8 (rk3588)."""


def transposes(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A Transpose of a view with many small parts is unrolled: a task for each of them."""
    layers = [site for site in facts.sites if site.node.type in _MOVING and site.tasks[0] > 1]
    claims = beyond_plain(ledger, layers)
    if not claims:
        return None
    worst = max(layers, key=command_bytes)
    return Finding(
        code="transpose_commands",
        title=say("transposes and reshapes unrolled into many NPU tasks"),
        because=clause(
            "{layers} that only {move_} data {take_} {bytes} ({share}) of commands and tasks, most "
            "{worst} ({shapes}, {tasks:,} NPU tasks)",
            layers=count(len(layers), "layer"),
            move_="moves" if len(layers) == 1 else "move",
            take_="takes" if len(layers) == 1 else "take",
            worst=worst.base,
            shapes=_shapes(worst),
            tasks=sum(worst.tasks),
        ),
        explanation=say(
            "The NPU keeps maps in blocks of channels. A view that cuts them elsewhere is moved "
            "piece by piece, and every piece is a task."
        ),
        layers=tuple(site.base for site in sorted(layers, key=command_bytes, reverse=True)[:10]),
        claims=claims,
        evidence=tuple(
            say(
                "{site} ({type}): {shapes}, {tasks:,} tasks, {command_bytes} of commands",
                site=site.base,
                type=site.node.type,
                shapes=_shapes(site),
                tasks=sum(site.tasks),
                command_bytes=format_bytes(command_bytes(site)),
            )
            for site in sorted(layers, key=command_bytes, reverse=True)[:4]
        ),
        fixes=(
            *_end_before(facts, worst),
            *_block_fix(facts, worst),
            *_order_fixes(facts, layers),
            *single_core(facts, layers, claims),
        ),
    )


def output_layout(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """On SoCs with one core the NPU brings an output into NCHW itself: small ones 8 positions a task."""
    layers = [site for site in facts.sites if site.node.type == "OutputOperator" and site.tasks[0] > 1]
    claims = beyond_plain(ledger, layers)
    claims += ledger.everything((site.index for site in layers), ("compiler_constants",))
    if not claims:
        return None
    worst = max(layers, key=command_bytes)
    shape = worst.inputs[0].shape if worst.inputs else ()
    return Finding(
        code="output_layout",
        title=say("outputs brought into their plain order by the NPU"),
        because=clause(
            "{layers} {are_} brought from blocks of channels into NCHW by {tasks:,} NPU tasks: "
            "{bytes} ({share}), most for {worst} ({shape})",
            layers=count(len(layers), "output"),
            are_="is" if len(layers) == 1 else "are",
            tasks=sum(sum(site.tasks) for site in layers),
            worst=worst.base,
            shape=dims(shape),
        ),
        explanation=say(
            "The NPU keeps maps in blocks of channels. An output is brought into the order in which it is "
            "read by tasks for some of its positions (H x W) each."
        ),
        layers=tuple(site.base for site in layers),
        claims=claims,
        evidence=tuple(
            say(
                "{site}: {shape}, {tasks:,} tasks",
                site=site.base,
                shape=dims(site.inputs[0].shape) if site.inputs else "?",
                tasks=sum(site.tasks),
            )
            for site in layers[:4]
        ),
        fixes=(_fewer_positions(worst) if _in_small_tasks(worst) else _FEW_TASKS,),
    )


_FEW_TASKS = Fix("nothing", say("few tasks do it for an output of this size: fewer positions may take more"))


def _fewer_positions(site: Site) -> Fix:
    action = say(
        "end on fewer positions (H x W): {positions:,} of them take {tasks:,} tasks in {site}",
        positions=prod(site.inputs[0].shape[2:]),
        tasks=site.tasks[0],
        site=site.base,
    )
    return Fix("network", action)


def _in_small_tasks(site: Site) -> bool:
    """Return whether an output has a task for 8 of its positions, or more."""
    return bool(site.inputs) and 8 * site.tasks[0] >= prod(site.inputs[0].shape[2:])


def relayout_tables(facts: ModelFacts, _ledger: Ledger) -> Finding | None:
    """Tables that move data between blocks: the same pair stored again for every layer that needs it."""
    found = [
        (site, tensor)
        for site, tensor in facts.owned
        if _is_relayout_table(tensor) and site.node.type != "OutputOperator"
    ]
    if not found:
        return None
    layers = tuple(dict.fromkeys(site.base for site, _ in found))
    sizes = sorted({tensor.buffer_bytes for _, tensor in found})
    shape = dims(found[0][1].shape)
    return Finding(
        code="relayout_tables",
        title=say("tables that bring maps into another order, stored for every layer"),
        because=clause(
            "{found} of {size} that only move data ({shape}) {are_} stored for {layers}: {bytes} ({share})",
            found=count(len(found), "table"),
            size=listing([format_bytes(size) for size in sizes]),
            shape=shape,
            are_="is" if len(found) == 1 else "are",
            layers=count(len(layers), "layer"),
        ),
        explanation=say(
            "Where maps change from one order of channels and positions to another, the compiler adds "
            "convolutions that only move data. It stores the same kernel once for every layer."
        ),
        layers=layers,
        claims=tuple(
            Claim(SECTION_OF[tensor.kind], site.index, tensor.buffer_bytes) for site, tensor in found
        ),
        evidence=tuple(
            say("{tensor} {shape}, for {site}", tensor=tensor.name, shape=dims(tensor.shape), site=site.base)
            for site, tensor in found[:4]
        ),
        fixes=_table_fixes([site for site, _ in found]),
    )


def _table_fixes(layers: list[Site]) -> tuple[Fix, ...]:
    """Return the cures of norms, and those of what works on other axes than a map's."""
    norms = [site for site in layers if "Norm" in site.node.type]
    others = Fix(
        "network",
        say(
            "four dimensions with the channels on axis 1 around such layers: no Reshape, MatMul or "
            "normalization over other axes"
        ),
    )
    return (*((POOLED,) if norms else ()), *(() if len(norms) == len(layers) else (others,)))


def _is_relayout_table(tensor: Tensor) -> bool:
    """Return whether a constant of the compiler moves n x n positions of a block of n channels each."""
    return tensor.kind == "compiler_constant" and any(
        tensor.shape == (block * block, block, 1, block) for block in _TABLE_BLOCKS
    )


def _order_fixes(facts: ModelFacts, layers: list[Site]) -> tuple[Fix, ...]:
    """Return the cure of what stands beside a norm, which wants another order, and that of others."""
    beside = [site for site in layers if _is_beside_norm(facts, site)]
    others = Fix("network", say("keep four dimensions and the order of axes; transpose outside the model"))
    return (*((POOLED,) if beside else ()), *(() if len(beside) == len(layers) else (others,)))


def _is_beside_norm(facts: ModelFacts, site: Site) -> bool:
    near = (*facts.before(site), *facts.after(site))
    behind = [further for other in near if other.node.type in _MOVING for further in facts.before(other)]
    return any(other.node.type == "exNorm" for other in (*near, *behind))


def _end_before(facts: ModelFacts, worst: Site) -> tuple[Fix, ...]:
    """Return how to be rid of a layer that only gives an output another shape or order."""
    after = facts.after(worst)
    if not after or any(site.node.type != "OutputOperator" for site in after):
        return ()
    action = say(
        "end the model before {layer}, and let the program give the output its shape (1.52 -> 1.25 MB on a "
        "network for rk3588 in int8)",
        layer=worst.base,
    )
    return (Fix("network", action),)


def _block_fix(facts: ModelFacts, worst: Site) -> tuple[Fix, ...]:
    """Return the operator that does a fold of 2x2 in one step; of a view with two sides of 2 only."""
    if facts.model.file.target != "rk3588" or worst.output_shape.count(2) < 2:
        return ()
    return (
        Fix(
            "network",
            say(
                "a fold of 2x2 written as Reshape, Transpose, Reshape is one SpaceToDepth (exact; 384 -> "
                "92 kB on a sample for rk3588; on rk3568 it does not pay)"
            ),
            rewrites=("unfold",),
        ),
    )


def _shapes(site: Site) -> str:
    read = site.layer.input_shapes[0] if site.layer.input_shapes else ()
    return f"{dims(read)} -> {dims(site.output_shape)}"
