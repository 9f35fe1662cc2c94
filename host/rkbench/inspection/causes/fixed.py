"""What the compiler adds to every file of a SoC, whatever the network."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import SECTION_OF, ModelFacts
from rkbench.language.said import NOTHING, clause, say, together
from rkbench.rknn.contents import Tensor

# Two small convolutions of its own (rk3576; of the first one only input and output on rk3588), and the
# settings of a quantized output or of an activation (rk3576). No network has tensors of these names.
_OWN = re.compile(r"^(?:tempMC\d+|fenceConv)_")
_SETTINGS = re.compile(r"_B[NS]cfgTensor$")
_OWN_TEXT = say(
    "Constants of convolutions that the compiler runs for itself: they do not grow with the network."
)
_SETTINGS_TEXT = say("Settings of outputs and activations, 512 B or more for each, are counted with them.")


def compiler_fixed(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Constants that stand in every file of the SoC: 19,200 bytes on rk3576, 2,048 on rk3588."""
    found: dict[int, tuple[Tensor, int | None]] = {}
    owners = {tensor.index: site.index for site, tensor in facts.owned}
    for tensor in facts.model.tensors:
        if tensor.kind not in SECTION_OF or not tensor.buffer_bytes:
            continue
        if _OWN.search(tensor.name):
            found.setdefault(tensor.buffer_index, (tensor, None))
        elif _SETTINGS.search(tensor.name):
            found.setdefault(tensor.buffer_index, (tensor, owners.get(tensor.index)))
    claims = tuple(
        Claim(SECTION_OF[tensor.kind], layer, tensor.buffer_bytes)
        for tensor, layer in found.values()
        if ledger.left(SECTION_OF[tensor.kind], layer) >= tensor.buffer_bytes
    )
    if not claims:
        return None
    target = facts.model.file.target
    return Finding(
        code="compiler_fixed",
        title=say("what the compiler adds to every {target} file", target=target),
        because=clause(
            "the compiler adds {bytes} ({share}) to every {target} file, whatever the network", target=target
        ),
        explanation=together(_OWN_TEXT, _SETTINGS_TEXT if _has_settings(found.values()) else NOTHING),
        layers=(),
        claims=claims,
        evidence=tuple(
            say("{name}: {sizes}", name=name, sizes=sizes)
            for name, sizes in _by_source(found.values()).items()
        ),
        fixes=(Fix("nothing", say("no cure: a fixed price of every file for this SoC")),),
    )


def _has_settings(found: Iterable[tuple[Tensor, int | None]]) -> bool:
    return any(layer is not None for _, layer in found)


def _by_source(found: Iterable[tuple[Tensor, int | None]]) -> dict[str, str]:
    """Return the sizes of the constants by what they belong to."""
    sizes: dict[str, list[str]] = {}
    for tensor, _ in found:
        settings = _SETTINGS.search(tensor.name)
        source = settings[0].lstrip("_") if settings else tensor.name.partition("_")[0]
        sizes.setdefault(source, []).append(f"{tensor.buffer_bytes:,}")
    return {
        source: f"{' + '.join(each[:6])}{' + ...' if len(each) > 6 else ''} B"
        for source, each in sizes.items()
    }
