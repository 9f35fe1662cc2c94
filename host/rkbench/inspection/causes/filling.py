"""What filling up the parts of a Concat to whole blocks would add to the layers that make and read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

from rkbench.inspection.causes.kernel_groups import ELEMENT_BYTES
from rkbench.inspection.causes.model_facts import ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.rknn.targets import padded_channels, weight_layout


def filling_bytes(facts: ModelFacts, parts: Sequence[tuple[Site, int, int]]) -> int:
    """Return the bytes of weights that come with more channels; a part is (Concat, index of input, added).

    Convolutions that make a part get more filters, those that read what is joined more channels, in whole
    blocks. Where an Add or Slice makes the part, what it reads is as wide.
    """
    moving = {site.index for site in (*facts.realigning, *facts.moving)}
    filters, channels = dict[int, int](), dict[int, int]()
    for concat, part, added in parts:
        for site in _dense_ahead(facts, _makers(facts, concat, part), moving, back=True):
            filters[site.index] = max(filters.get(site.index, 0), added)
    for concat in {concat.index: concat for concat, _, _ in parts}.values():
        for site in _dense_ahead(facts, facts.after(concat), moving, back=False):
            channels[site.index] = sum(added for other, _, added in parts if other is concat)
    return sum(
        _grown(facts, facts.sites[index], filters.get(index, 0), channels.get(index, 0))
        for index in filters.keys() | channels
    )


def _makers(facts: ModelFacts, concat: Site, part: int) -> list[Site]:
    """Return the layer that makes an input of a Concat."""
    source = concat.node.inputs[part]
    return [site for site in facts.before(concat) if source in site.node.outputs]


def _dense_ahead(facts: ModelFacts, start: Iterable[Site], moving: set[int], *, back: bool) -> list[Site]:
    """Return the next dense convolutions of the network, before some layers or behind them."""
    found, open_sites, seen = list[Site](), list(start), set[int]()
    while open_sites:
        site = open_sites.pop()
        if site.index in seen:
            continue
        seen.add(site.index)
        grouped = site.node.convolution is not None and site.node.convolution.groups > 1
        if site.kernel and site.is_convolution and not grouped and site.index not in moving:
            found.append(site)
            if not (back and "Add" in site.node.type):
                continue  # what it adds is as wide as what it makes
        open_sites += facts.before(site) if back else facts.after(site)
    return found


def _grown(facts: ModelFacts, site: Site, filters: int, channels: int) -> int:
    kernel, layout = site.kernel, weight_layout(facts.model.file.target, facts.dtype)
    if kernel is None or layout is None:
        return 0
    made, read = kernel.shape[:2]
    before, after = (
        padded_channels(each, layout.input_block, layout.minimum_input) for each in (read, read + channels)
    )
    return (
        ((made + filters) * after - made * before)
        * prod(kernel.shape[2:])
        * ELEMENT_BYTES.get(kernel.dtype, 2)
    )
