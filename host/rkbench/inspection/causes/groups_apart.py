"""Grouped convolutions that stay grouped: one small convolution per group, with commands for each."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict

from rkbench.inspection.causes.cause import Finding, Fix
from rkbench.inspection.causes.grouped import NOT_ACCEPTED, is_measured, sizes_of
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count
from rkbench.language.said import clause, say
from rkbench.units import format_bytes

_GROUP = re.compile(r"^(?P<source>.+)_group_\d+$")


def groups_kept_apart(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Grouped convolutions that stay grouped run as Split + one convolution per group: commands for each."""
    by_source: dict[str, list[Site]] = defaultdict(list)
    for site in facts.sites:
        found = _GROUP.match(site.base)
        if site.is_convolution and found:
            by_source[found["source"]].append(site)
    if not by_source:
        return None
    extra: list[int] = []
    for groups in by_source.values():
        extra += [site.index for site in groups[1:]]
        extra += _around(facts, groups)
    sites = [site for groups in by_source.values() for site in groups]
    total = len(sites)
    commands = sum(ledger.left("register_commands", site.index) for site in sites)
    return Finding(
        code="groups_kept_apart",
        title=say("grouped convolutions run as one convolution per group"),
        because=clause(
            "{by_source} {run_} as {total:,} small ones: {bytes} ({share}) is their NPU commands and "
            "structure",
            by_source=count(len(by_source), "grouped convolution"),
            run_="runs" if len(by_source) == 1 else "run",
            total=total,
        ),
        explanation=say(
            "These groups are kept (their kernels are not padded with zeros), but the NPU has no "
            "grouped convolution: each group is a layer with commands, tasks, tensors and names of "
            "its own."
        ),
        layers=tuple(by_source),
        claims=ledger.everything(dict.fromkeys(extra), COMMAND_SECTIONS),
        evidence=(
            say(
                "{total} group layers of {commands_times} commands each, {extra} Split and Concat layers "
                "around them",
                total=total,
                commands_times=format_bytes(commands / total),
                extra=len(extra) - total + len(by_source),
            ),
            *(
                say("{name}: {groups} groups", name=name, groups=len(groups))
                for name, groups in list(by_source.items())[:4]
            ),
        ),
        fixes=_apart_fixes(facts, list(by_source.values())),
        not_helping=(say("regrouping below the NPU's alignment: the kernels become dense"), *NOT_ACCEPTED),
    )


def _apart_fixes(facts: ModelFacts, sources: list[list[Site]]) -> tuple[Fix, ...]:
    """Whether zeros between groups weigh less than their commands, the ONNX has to tell."""
    counts = sorted({len(groups) for groups in sources})
    prime = [count for count in counts if all(count % factor for factor in range(2, count))]
    merged = Fix(
        "command",
        say(
            "merge neighbouring groups, or all of them into a dense convolution, where the zeros weigh less "
            "than the commands (exact)"
        ),
        f"bench inspect {shlex.quote(facts.model.file.path.name)} --onnx MODEL.onnx",
        ("regroup", "padded_groups"),
    )
    filled = Fix(
        "network",
        say(
            "{sizes} groups cannot be halved: groups of zero filters make it a number that can be (exact; "
            "202 -> 145 kB on a sample of 11 groups for rk3588)",
            sizes=sizes_of(prime),
        ),
        rewrites=("padded_groups",),
    )
    known = (merged, *((filled,) if prime else ())) if is_measured(facts) else ()
    return (*known, Fix("network", say("train with fewer, wider groups")))


def _around(facts: ModelFacts, groups: list[Site]) -> list[int]:
    before = {site.index for group in groups for site in facts.before(group) if site.node.type == "Split"}
    after = {site.index for group in groups for site in facts.after(group) if site.node.type == "Concat"}
    return sorted(before | after)
