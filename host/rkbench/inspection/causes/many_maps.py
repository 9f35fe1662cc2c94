"""Layers whose maps are many (windows, heads, rows taken for a batch), and how rows become one map again."""

from __future__ import annotations

from collections.abc import Iterable

from rkbench.inspection.causes.cause import Fix
from rkbench.inspection.causes.model_facts import ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.language.said import say

ONE_SIDE = Fix(
    "network",
    say(
        "rows of a channels-last picture [1, H, W, C] are taken for a batch: keep both sides as one, "
        "[1, H x W, C], through the norms and the products behind them (exact; 13.6 -> 9.46 MB on a network "
        "for rk3588 in int8)"
    ),
)
#: There it makes the same network larger: 16.4 -> 17.7 MB.
_GROWS_JOINED = ("rk3568", "fp16")


def is_batched(site: Site) -> bool:
    """Return whether a layer has many maps, and a task for each of them at least."""
    return 1 < maps_of(site) <= site.map_tasks


def maps_of(site: Site) -> int:
    """Return how many maps a layer has; 0 without one."""
    return max(largest_map(site)[:1], default=0)


def largest_map(site: Site) -> tuple[int, ...]:
    """Return the shape of four dimensions with the most maps that a layer reads or writes; () without one."""
    shapes = (*site.layer.input_shapes, *site.layer.output_shapes)
    return max((shape for shape in shapes if len(shape) == 4), key=lambda shape: shape[0], default=())


def has_rows(site: Site) -> bool:
    """Return whether the maps of a layer are the rows of a square picture, channels first: H x C x 1 x W."""
    read = site.layer.input_shapes[0] if site.layer.input_shapes else ()
    return len(read) == 4 and read[2] == 1 and read[0] == read[3]


def could_be_joined(facts: ModelFacts, layers: Iterable[Site]) -> bool:
    """Return whether some of these layers take rows for a batch where it pays to keep both sides as one.

    The rows are those of a picture where a norm takes them so: heads and windows may be as many as their
    positions, and a Transpose may turn any matrix.
    """
    grows = (facts.model.file.target, facts.dtype) == _GROWS_JOINED
    return not grows and any(site.is_norm and is_batched(site) and has_rows(site) for site in layers)
