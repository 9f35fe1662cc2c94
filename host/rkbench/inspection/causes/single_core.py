"""What a file saves that is converted for one NPU core: the command lists for two and three."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from rkbench.inspection.causes.cause import Claim, Fix
from rkbench.inspection.causes.model_facts import ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.language.said import Said, say
from rkbench.rknn.file_format import TASK_BYTES
from rkbench.units import format_bytes

SINGLE_CORE_TARGET = "rk3588"
SAVED_STRUCTURE = 0.08
"""Structure that goes with the commands of further lists: 7.7 to 10.1 % of them on seven networks that were
converted for one core too; the whole saving comes out within 1.6 %."""


def by_layer(claims: Iterable[Claim], *sections: str) -> dict[int | None, int]:
    """Return the bytes that are claimed of these sections, by layer."""
    owned: dict[int | None, int] = defaultdict(int)
    for claim in claims:
        if claim.section in sections:
            owned[claim.layer] += claim.size_bytes
    return owned


def further_bytes(sites: Iterable[Site]) -> int:
    """Return the bytes that only the lists for 2 and 3 cores need: commands, task records and structure."""
    known = [site for site in sites if site.lists_known]
    structure = SAVED_STRUCTURE * sum(sum(site.commands[1:]) for site in known)
    return sum(_lists_bytes(site) for site in known) + int(structure)


def _lists_bytes(site: Site) -> int:
    return sum(site.commands[1:]) + TASK_BYTES * sum(site.tasks[1:])


def single_core(
    facts: ModelFacts, sites: Sequence[Site], claims: Sequence[Claim], *, of_further_lists: bool = False
) -> tuple[Fix, ...]:
    """Return the fix that stores the command lists of `sites` for one core only; none where nothing is saved.

    What it saves beyond `claims` is counted under other causes, and said. They are of all lists of a layer,
    or `of_further_lists` alone.
    """
    saved = further_bytes(sites)
    if not saved:
        return ()
    if facts.model.file.target != SINGLE_CORE_TARGET:
        return (
            Fix(
                "nothing",
                say(
                    "single_core_mode is known to work for {single_core_target} only",
                    single_core_target=SINGLE_CORE_TARGET,
                ),
            ),
        )
    return (
        Fix(
            "config",
            say(
                "store the commands for one core only (rk3588): saves {saved}{beyond}; the model then "
                "runs on one NPU core",
                saved=format_bytes(saved),
                beyond=_beyond(facts, sites, claims, of_further_lists),
            ),
            "rknn.config(target_platform='rk3588', single_core_mode=True)",
        ),
    )


def _beyond(
    facts: ModelFacts, sites: Sequence[Site], claims: Sequence[Claim], of_further_lists: bool
) -> Said | str:
    """Return what a saving is beside: less than the whole file's, or partly other causes'."""
    whole, own = further_bytes(facts.sites), further_bytes(sites)
    listed, owned = _owned_lists(sites, claims, of_further_lists)
    here = say(" here") if whole > 1.05 * own else ""
    if 2 * owned < listed:
        here = say(" (most of it counted under other causes)")
    elif not here and owned < listed:
        here = say(", partly of other causes")
    if whole <= 1.05 * own:
        return here
    return say("{here}, {whole} in the whole file", here=here, whole=format_bytes(whole))


def _owned_lists(sites: Sequence[Site], claims: Sequence[Claim], of_further_lists: bool) -> tuple[int, int]:
    """Return the bytes of the further lists of `sites`, and how many of them are among `claims`."""
    claimed = by_layer(claims, "register_commands", "tasks")
    known = [site for site in sites if site.lists_known]
    owned = 0
    for site in known:
        first = 0 if of_further_lists else site.commands[0] + TASK_BYTES * site.tasks[0]
        owned += min(_lists_bytes(site), max(0, claimed.get(site.index, 0) - first))
    return sum(map(_lists_bytes, known)), owned
