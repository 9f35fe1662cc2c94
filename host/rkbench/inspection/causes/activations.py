"""Activation functions that the NPU reads from a table: the table, and the commands that fill it."""

from __future__ import annotations

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import ModelFacts
from rkbench.inspection.formatting import count, listing
from rkbench.language.said import clause, say
from rkbench.units import format_bytes

_NO_TABLE = say("ReLU, ReLU6 and LeakyReLU need no table; another activation wants another training")


def table_commands(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A layer with such an activation fills the table anew: one command an entry, however small its map."""
    owned = {
        site.index: min(sum(site.table_fills), ledger.left("register_commands", site.index))
        for site in facts.sites
        if sum(site.table_fills)
    }
    claims = tuple(Claim("register_commands", index, size) for index, size in owned.items() if size)
    layers = [facts.sites[index] for index, size in owned.items() if size]
    if not layers:
        return None
    largest = max(layers, key=lambda site: sum(site.table_fills))
    return Finding(
        code="table_commands",
        title=say("commands that fill the activation table"),
        because=clause(
            "{layers} {fill_} the activation table (513 + 513 entries) before {run_}: {bytes} "
            "({share}) of commands",
            layers=count(len(layers), "layer"),
            fill_="fills" if len(layers) == 1 else "fill",
            run_="it runs" if len(layers) == 1 else "they run",
        ),
        explanation=say(
            "Sigmoid, Tanh, SiLU, HardSwish, Mish and others are read from a table on the chip. Each "
            "layer with one fills it first, one command for every entry. The commands are stored once for "
            "all cores, and cost the same whatever the size of the layer's map."
        ),
        layers=tuple(site.base for site in layers[:10]),
        claims=claims,
        evidence=tuple(
            say(
                "{site} ({type}): {table_fills} of its {register_command_bytes} of commands",
                site=site.base,
                type=site.node.type,
                table_fills=format_bytes(sum(site.table_fills)),
                register_command_bytes=format_bytes(site.layer.register_command_bytes),
            )
            for site in dict.fromkeys((largest, *layers[:3]))
        ),
        fixes=(
            Fix("nothing", say("no cure needed: a fixed price for each such layer, it grows with nothing")),
            Fix("network", _NO_TABLE),
        ),
        not_helping=(say("a smaller input: the table has as many entries"),),
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
        title=say("tables of activation functions"),
        because=clause(
            "{claims} of activation functions {take_} {bytes} ({share})",
            claims=count(len(claims), "lookup table"),
            take_="takes" if len(claims) == 1 else "take",
        ),
        explanation=say(
            "HardSwish, Sigmoid, SiLU and others are read from a table of about 9 kB each; layers "
            "may share one."
        ),
        layers=tuple(names),
        claims=claims,
        evidence=(listing(names, 4),),
        fixes=(Fix("network", _NO_TABLE),),
    )
