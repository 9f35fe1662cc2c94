"""Maps that the compiler lays out anew for a dilated kernel: what each tap reads, side by side."""

from __future__ import annotations

from rkbench.inspection.causes.cause import Finding, Fix
from rkbench.inspection.causes.command_lists import beyond_plain, command_bytes
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count, dims
from rkbench.language.said import clause, say

_BETWEEN = ("Gather", "Pad", "Split")
_ROWS, _COLUMNS = 2, 3

_IN_ROWS = Fix(
    "network",
    say(
        "over one axis whose length the dilation divides: Reshape to rows of that length, and a kernel of "
        "k x 1 over them (exact; 7.38 -> 0.31 MB on a network for rk3588 in float16)"
    ),
    rewrites=("far_taps",),
)


def tap_copies(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A Gather that repeats rows or columns for a convolution whose stride is its kernel: it was dilated."""
    layers = [site for site in facts.sites if _is_for_taps(facts, site)]
    claims = beyond_plain(ledger, layers)
    if not claims:
        return None
    worst = max(layers, key=command_bytes)
    return Finding(
        code="tap_copies",
        title=say("maps laid out anew for dilated kernels"),
        because=clause(
            "{layers} {lay_} a map out anew for a dilated kernel, a task for each row or column: {bytes} "
            "({share}) of commands, most {worst} ({shapes}, {tasks:,} tasks on 1 core)",
            layers=count(len(layers), "Gather"),
            lay_="lays" if len(layers) == 1 else "lay",
            worst=worst.base,
            shapes=_shapes(worst),
            tasks=worst.map_tasks,
        ),
        explanation=say(
            "The taps of a kernel with a large dilation read rows that lie far apart. The compiler copies "
            "them side by side first, each row or column by a task of its own; the kernel then moves on by "
            "its own size."
        ),
        layers=tuple(site.base for site in layers),
        claims=claims,
        evidence=tuple(
            say(
                "{site}: {shapes}, {tasks:,} tasks on 1 core",
                site=site.base,
                shapes=_shapes(site),
                tasks=site.map_tasks,
            )
            for site in sorted(layers, key=command_bytes, reverse=True)[:4]
        ),
        fixes=(
            *((_IN_ROWS,) if any(next(iter(site.layer.input_shapes))[_ROWS] == 1 for site in layers) else ()),
            Fix(
                "network",
                say(
                    "use smaller dilations (the cost jumps rather than grows: compare the layers), or reach "
                    "the same receptive field with stride or a smaller map"
                ),
            ),
        ),
    )


def _is_for_taps(facts: ModelFacts, site: Site) -> bool:
    """Return whether a layer repeats rows or columns for kernels that then move on by their own size."""
    read, made = next(iter(site.layer.input_shapes), ()), site.output_shape
    if site.node.type != "Gather" or len(read) != 4 or len(made) != 4:
        return False
    grown = [axis for axis in (_ROWS, _COLUMNS) if made[axis] > read[axis]]
    return bool(grown) and all(_moves_by_its_size(facts, site, axis) for axis in grown)


def _moves_by_its_size(facts: ModelFacts, site: Site, axis: int) -> bool:
    """Return whether all that read a map are convolutions whose stride along the axis is their kernel."""
    ends, open_ends = list[Site](), list(facts.after(site))
    for _ in range(len(facts.sites)):
        if not open_ends:
            break
        other = open_ends.pop()
        (open_ends.extend(facts.after(other)) if other.node.type in _BETWEEN else ends.append(other))
    return bool(ends) and not open_ends and all(_steps(end, axis) for end in ends)


def _steps(site: Site, axis: int) -> bool:
    options, kernel = site.node.convolution, site.kernel
    if options is None or kernel is None or len(options.strides) != 2:
        return False
    return 1 < kernel.shape[axis] == options.strides[axis - _ROWS]


def _shapes(site: Site) -> str:
    return f"{dims(site.layer.input_shapes[0])} -> {dims(site.output_shape)}"
