"""Activation functions that the NPU reads from a table: the table, and the commands that fill it."""

from __future__ import annotations

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import ModelFacts
from rkbench.inspection.formatting import count, listing
from rkbench.units import format_bytes

_NO_TABLE = "ReLU, ReLU6 and LeakyReLU need no table; another activation wants another training"


def table_commands(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A layer with such an activation fills the table anew: one command an entry, however small its map."""
    layers = [site for site in facts.sites if sum(site.table_fills)]
    claims = tuple(
        Claim(
            "register_commands",
            site.index,
            min(sum(site.table_fills), ledger.left("register_commands", site.index)),
        )
        for site in layers
    )
    if not layers:
        return None
    largest = max(layers, key=lambda site: sum(site.table_fills))
    return Finding(
        code="table_commands",
        title="commands that fill the activation table",
        because=f"{count(len(layers), 'layer')} {'fills' if len(layers) == 1 else 'fill'} the activation "
        f"table (513 + 513 entries) before {'it runs' if len(layers) == 1 else 'they run'}: "
        "{bytes} ({share}) of commands",
        explanation="Sigmoid, Tanh, SiLU, HardSwish, Mish and others are read from a table on the chip. Each "
        "layer with one fills it first, one command for every entry, in the list of every core. That "
        "costs the same whatever the size of its map.",
        layers=tuple(site.base for site in layers[:10]),
        claims=claims,
        evidence=tuple(
            f"{site.base} ({site.node.type}): {format_bytes(sum(site.table_fills))} of its "
            f"{format_bytes(site.layer.register_command_bytes)} of commands"
            for site in dict.fromkeys((largest, *layers[:3]))
        ),
        fixes=(
            Fix("nothing", "no cure needed: a fixed price for each such layer, it grows with nothing"),
            Fix("network", _NO_TABLE),
        ),
        not_helping=("a smaller input, int8: the table has as many entries",),
    )


def lookup_tables(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Tables of activation functions that the NPU does not compute."""
    claims = tuple(
        Claim("lookup_tables", site.index, ledger.left("lookup_tables", site.index))
        for site in facts.sites
        if ledger.left("lookup_tables", site.index)
    )
    if not claims:
        return None
    names = [facts.sites[claim.layer].base for claim in claims if claim.layer is not None]
    return Finding(
        code="lookup_tables",
        title="tables of activation functions",
        because=f"{count(len(claims), 'lookup table')} of activation functions "
        f"{'takes' if len(claims) == 1 else 'take'} {{bytes}} ({{share}})",
        explanation="HardSwish, Sigmoid, SiLU and others are read from a table of about 9 kB each; "
        "layers may share one.",
        layers=tuple(names),
        claims=claims,
        evidence=(listing(names, 4),),
        fixes=(Fix("network", _NO_TABLE),),
    )
