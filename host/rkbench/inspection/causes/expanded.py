"""Values that an Expand or a convolution of ones writes out for every position or channel."""

from __future__ import annotations

from collections import Counter

from rkbench.inspection.causes.cause import Finding, Fix
from rkbench.inspection.causes.cut_layers import shapes_of
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count
from rkbench.language.said import clause, say
from rkbench.rknn.contents import Tensor
from rkbench.units import format_bytes

_ELEMENTWISE = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow")
FEWEST_REPEATED = 16
_ONE = {"FLOAT16": b"\x00\x3c", "INT8": b"\x7f"}
BIAS_BYTES = 4
MOST_ALIKE = 6
"""Numbers that a bias and its scales hold where all outputs have the same (3 and 6 in 37 layers); 14 and more
where they were learned."""
_DROPPED = Fix("network", say("drop the Expand: x * y instead of x * y.expand_as(x), the same values"))
_DIVIDED = Fix(
    "nothing",
    say(
        "before a Div the compiler needs it: x * (1 / y) broadcasts, but 1 / y is then a layer on the "
        "CPU (174 -> 171 kB on a sample for rk3588, no smaller on others)"
    ),
)


def expanded_maps(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """An Expand before an operator on two maps: values of channels are written out for all positions.

    What adds or multiplies broadcasts without it; before a Div the compiler puts one where none was.
    """
    layers = [site for site in facts.sites if site.node.type == "Expand" and _only_broadcast(facts, site)]
    claims = ledger.everything((site.index for site in layers), COMMAND_SECTIONS)
    if not claims:
        return None
    worst = max(layers, key=lambda site: site.map_tasks)
    return Finding(
        code="expanded_maps",
        title=say("values written out for every position"),
        because=clause(
            "{layers} {write_} the same values out for every position: {bytes} ({share}), most {worst} "
            "({shapes}, {tasks:,} tasks on 1 core)",
            layers=count(len(layers), "Expand"),
            write_="writes" if len(layers) == 1 else "write",
            worst=worst.base,
            shapes=shapes_of(worst),
            tasks=worst.map_tasks,
        ),
        explanation=say(
            "An Expand (y.expand_as(x)) is a layer of its own, with tasks for some channels each. Additions "
            "and multiplications of maps broadcast without it; before a Div that broadcasts, and before some "
            "subtractions, the compiler makes one."
        ),
        layers=tuple(site.base for site in layers),
        claims=claims,
        evidence=tuple(
            say(
                "{site}: {shapes}, {tasks:,} tasks on 1 core, read by {reader}",
                site=site.base,
                shapes=shapes_of(site),
                tasks=site.map_tasks,
                reader=facts.after(site)[0].base,
            )
            for site in layers[:4]
        ),
        fixes=_fixes(facts, layers),
    )


def spread_values(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A map of one channel that is repeated as many: the compiler multiplies it by a kernel of ones."""
    layers = [site for site in facts.sites if _repeats_one(facts, site)]
    claims = ledger.everything(
        (site.index for site in layers), ("weights", "compiler_constants", *COMMAND_SECTIONS)
    )
    if not claims:
        return None
    worst = max(layers, key=lambda site: site.layer.size_bytes)
    return Finding(
        code="spread_values",
        title=say("one channel repeated by convolutions of ones"),
        because=clause(
            "{layers} {repeat_} one channel as many: {bytes} ({share}), most {worst} ({shapes})",
            layers=count(len(layers), "convolution"),
            repeat_="repeats" if len(layers) == 1 else "repeat",
            worst=worst.base,
            shapes=shapes_of(worst),
        ),
        explanation=say(
            "An operator on two maps that broadcasts along what lies among the channels reads a map that was "
            "written out first: by a 1x1 convolution of ones, whose kernel is filled up to blocks."
        ),
        layers=tuple(site.base for site in layers),
        claims=claims,
        evidence=tuple(
            say("{site}: {shapes}, kernel {kernel}", site=site.base, shapes=shapes_of(site), kernel=size)
            for site in layers[:4]
            if site.kernel
            for size in [format_bytes(site.kernel.buffer_bytes)]
        ),
        fixes=(Fix("nothing", say("no cure known: it grows with the number of channels")),),
    )


def _repeats_one(facts: ModelFacts, site: Site) -> bool:
    """Return whether a convolution reads one channel, its kernel is one 1 for each output, and its bias the
    same for all.

    In int8 the largest weight of every output is the largest number, and a learned kernel of one channel has
    no other (OSNet's gates): there the bias tells.
    """
    kernel = site.kernel
    if kernel is None or not site.is_convolution or kernel not in site.constants:
        return False
    one = _ONE.get(kernel.dtype)
    if one is None or kernel.shape[1:] != (1, 1, 1) or kernel.shape[0] < FEWEST_REPEATED:
        return False
    values = _numbers(facts, kernel, len(one))
    beside = (tensor for tensor in site.constants if tensor is not kernel)
    is_alike = all(len(_numbers(facts, tensor, BIAS_BYTES)) <= MOST_ALIKE for tensor in beside)
    return len(values) == 2 and values[one] == kernel.shape[0] and is_alike


def _numbers(facts: ModelFacts, tensor: Tensor, width: int) -> Counter[bytes]:
    with facts.model.read_buffer(tensor.buffer_index) as view:
        data = bytes(view)
    return Counter(data[start : start + width] for start in range(0, len(data), width))


def _fixes(facts: ModelFacts, layers: list[Site]) -> tuple[Fix, ...]:
    divided = [any(other.node.type.startswith("Div") for other in facts.after(site)) for site in layers]
    return (*(() if all(divided) else (_DROPPED,)), *((_DIVIDED,) if any(divided) else ()))


def _only_broadcast(facts: ModelFacts, site: Site) -> bool:
    """Return whether nothing but operators on two maps reads a layer."""
    after = facts.after(site)
    return len(after) > 0 and all(other.node.type.startswith(_ELEMENTWISE) for other in after)
