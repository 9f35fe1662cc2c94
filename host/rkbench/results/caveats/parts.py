"""What to doubt of the parts of an output: channels, rows of boxes or of scores, that lost what they said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from rkbench_agent.wire.caveats import Caveat, caveat

from rkbench.language.said import Said, say
from rkbench.results.caveats.outputs import LAYERS
from rkbench.results.caveats.rule import Evidence, Rule
from rkbench.results.model import RunResult
from rkbench.results.output import Output, PartFigures

#: A part that spans fewer steps of its output's scale than this, where the whole spans so many times more,
#: has lost what it said.
FEWEST_STEPS, UNEVEN_RATIO = 4.0, 16.0
#: The smallest normal number of float16: what spans less, of an output of 1 or of its own size where that is
#: smaller, is rounded away wherever float16 computes, and was next to nothing.
LEAST_SPAN = 2.0**-14
_SPLIT = say(
    "give each part a scale of its own: end the ONNX before the Concat that joins them"
    " (bench inspect MODEL.rknn names it), convert again, and join them after the NPU"
)


def _dead_parts(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    """Parts that never change where the golden does, in an output whose other parts are alive."""
    for output in run.outputs:
        parts = output.parts
        dead = dead_parts(parts) if parts and not output.constant else ()
        if not parts or not dead:
            continue
        step = _step(run, output)
        lost = step is not None and all(_expected_span(parts, part) < FEWEST_STEPS * step for part in dead)
        because = f": a step of its one scale, {step:.3g}, is wider than all that they hold" if lost else ""
        yield caveat(
            "dead_part",
            f"output {output.name!r}: {_listed(dead, parts)} never change, where the golden does"
            f" ({_ranges(parts, dead)}){because}",
            _SPLIT if lost else _in_float(),
        )


def _in_float() -> Said:
    return say("keep the layers that only they come from in float16; which: {command}", command=LAYERS)


def _one_scale(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    """Parts that are alive, but whose whole range is a few steps of a scale made for larger ones."""
    for output in run.outputs:
        parts, step = output.parts, _step(run, output)
        if parts is None or step is None:
            continue
        spans = {part: _expected_span(parts, part) for part in range(len(parts.low))}
        widest = max(spans.values(), default=0.0)
        coarse = [
            part
            for part, span in spans.items()
            if 0 < span < FEWEST_STEPS * step and span * UNEVEN_RATIO <= widest
        ]
        if coarse and widest >= FEWEST_STEPS * step:
            yield caveat(
                "one_scale",
                f"output {output.name!r} is quantized with one scale, {step:.3g} a step, over parts of very"
                f" different range: {_listed(coarse, parts)} hold {_ranges(parts, coarse)}, the widest spans"
                f" {widest:.3g}",
                _SPLIT,
            )


def dead_parts(parts: PartFigures) -> tuple[int, ...]:
    """Return the parts with one value only where more was expected than float16 may round away."""
    ends = (*parts.expected_low, *parts.expected_high)
    least = LEAST_SPAN * min(1.0, max((abs(end) for end in ends if end is not None), default=0.0))
    alone = (part for part, distinct in enumerate(parts.distinct) if distinct == 1)
    return tuple(part for part in alone if _expected_span(parts, part) > least)


def _expected_span(parts: PartFigures, part: int) -> float:
    low, high = parts.expected_low[part], parts.expected_high[part]
    return 0.0 if low is None or high is None else high - low


def _step(run: RunResult, output: Output) -> float | None:
    steps = run.variant.output_steps
    return steps[output.index] if output.index < len(steps) else None


def _listed(indices: Sequence[int], parts: PartFigures) -> str:
    """Return parts as `4..83 of axis 1 (80 of 84)`."""
    if parts.axis is None:
        return "its values"
    spans = [[place for _, place in group] for _, group in groupby(enumerate(indices), lambda p: p[1] - p[0])]
    told = ", ".join(str(span[0]) if len(span) == 1 else f"{span[0]}..{span[-1]}" for span in spans[:4])
    more = ", ..." if len(spans) > 4 else ""
    return f"{told}{more} of axis {parts.axis} ({len(indices)} of {len(parts.low)})"


def _ranges(parts: PartFigures, indices: Iterable[int]) -> str:
    """Return the range that was expected of some parts together."""
    lows = [low for part in indices if (low := parts.expected_low[part]) is not None]
    highs = [high for part in indices if (high := parts.expected_high[part]) is not None]
    return f"{min(lows):.3g} to {max(highs):.3g}"


#: The second is said of parts that are alive as well.
PART_RULES: tuple[Rule, ...] = (_dead_parts, _one_scale)
