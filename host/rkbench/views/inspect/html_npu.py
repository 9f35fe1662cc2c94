"""The NPU's part of the page: predicted latency, needless bytes, and who lies where in memory, when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rkbench.inspection.formatting import percent
from rkbench.inspection.npu_document import InspectedNpu, InspectedTask, TensorLife, TrafficCause
from rkbench.language.language import ENGLISH, Language
from rkbench.language.said import NOTHING, say
from rkbench.units import format_bytes
from rkbench.views.inspect.html_parts import text
from rkbench.views.inspect.latency_lines import latency_doubts, latency_sentence

MAP_WIDTH, MAP_HEIGHT = 1000, 300
#: A box as large as this (of the map's 1000 x 300) has its name, one as wide as the last on a telephone too.
NAMED_WIDTH, NAMED_HEIGHT, NAMED_AND_SIZED, NAMED_WHEN_NARROW = 50, 20, 42, 170
#: More boxes than this are not seen apart, and make the page heavy.
MOST_BOXES = 4000
#: Tensors take turns with these, so that neighbours are told apart.
COLOURS = ("--weights", "--constants", "--structure", "--commands")


def npu_section(npu: InspectedNpu, language: Language) -> str:
    """Return the section; "" where the commands could not be decoded, with the reason as text."""
    if npu.refused is not None or npu.latency is None:
        title = text(language.say("On the NPU"))
        return f'<h2>{title}</h2>\n<p class="soft">{text(npu.refused or "")}</p>'
    doubts = "".join(f"<li>{text(language.tell(line))}</li>" for line in latency_doubts(npu.latency))
    words = language.say("predicted from {words:,} command words", words=npu.command_words)
    return "\n".join(
        [
            f'<h2>{text(language.say("On the NPU"))} <span class="soft">{text(words)}</span></h2>',
            f"<p>{text(language.say('{sentence}.', sentence=latency_sentence(npu.latency)))}</p>",
            f'<ul class="soft">{doubts}</ul>' if doubts else "",
            *(_cause(cause, language) for cause in npu.traffic_causes),
            memory_map(npu.memory, {layer.index: layer.name for layer in npu.latency.layers}, language),
            *_tasks(npu.tasks, language),
        ]
    )


def _cause(cause: TrafficCause, language: Language) -> str:
    names = "".join(f"<span>{text(name)}</span>" for name in cause.layers)
    share = language.say("{share} of the DDR bytes", share=percent(cause.share))
    return (
        f'<details class="card traffic" data-traffic="{text(cause.code)}">\n<summary>'
        f'<h3>{text(cause.title)}</h3><span class="amount">{format_bytes(cause.bytes)} '
        f"<small>{text(share)}</small></span></summary>\n"
        f'<p>{text(cause.explanation)}</p>\n<div class="names">{names}</div>\n'
        f"<p><b>{text(language.say('Fix'))}</b> — {text(cause.fix)}</p></details>"
    )


def memory_map(lives: Sequence[TensorLife], layers: Mapping[int, str], language: Language = ENGLISH) -> str:
    """Return the picture of the internal memory over time, "" without tensors; `layers` are names by index.

    Left to right are the layers in their order, bottom to top the addresses; each box is one tensor.
    """
    if not lives:
        return ""
    shown = sorted(lives, key=lambda life: -life.size_bytes)[:MOST_BOXES]
    top = max(life.offset_bytes + life.size_bytes for life in lives)
    start = min(life.first_layer for life in lives)
    end = max(life.last_layer for life in lives)
    boxes = [_Box.of(life, top, start, end - start + 1) for life in shown]
    drawn = "".join(box.drawn(COLOURS[index % len(COLOURS)], language) for index, box in enumerate(boxes))
    scale = "".join(f"<span>{format_bytes(size)}</span>" for size in (top, top // 2, 0))
    named = (layers.get(index, language.say("layer {index}", index=index)) for index in (start, end))
    ends = "".join(f"<span>{text(name)}</span>" for name in named)
    layer, peak = _fullest(lives)
    title = language.say("Internal memory over time")
    label = language.say("which tensor lies where in the internal memory at which layer")
    told = language.say(
        "Left to right: the layers in their order; bottom to top: the addresses. Each box is a tensor, from "
        "the layer that writes it to the last one that reads it. Fullest at layer {layer}{name}: {peak}.",
        layer=layer,
        name=say(" ({name})", name=layers[layer]) if layer in layers else NOTHING,
        peak=format_bytes(peak),
    )
    return (
        f'<h3>{text(title)} <span class="soft">{format_bytes(top)}</span></h3>\n'
        f'<div class="memory"><div class="scale">{scale}</div><div class="field">'
        f'<svg viewBox="0 0 {MAP_WIDTH} {MAP_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{text(label)}">{drawn}</svg>'
        f'{"".join(box.named() for box in boxes)}</div><div class="ends">{ends}</div></div>\n'
        f'<p class="soft">{text(told)}</p>'
    )


@dataclass(frozen=True)
class _Box:
    """One tensor in the picture, in the picture's own units."""

    life: TensorLife
    left: float
    upper: float
    width: float
    height: float

    @classmethod
    def of(cls, life: TensorLife, top: int, start: int, steps: int) -> _Box:
        """Return the box of a tensor, of `steps` layers from `start` on and `top` bytes."""
        return cls(
            life,
            left=(life.first_layer - start) / steps * MAP_WIDTH,
            upper=MAP_HEIGHT - (life.offset_bytes + life.size_bytes) / top * MAP_HEIGHT,
            width=(life.last_layer - life.first_layer + 1) / steps * MAP_WIDTH,
            height=life.size_bytes / top * MAP_HEIGHT,
        )

    def drawn(self, colour: str, language: Language) -> str:
        """Return it as a rectangle that says what it is when it is pointed at."""
        life = self.life
        title = language.say(
            "{name}: {size} at {offset:#x}, layers {first} to {last}",
            name=life.name,
            size=format_bytes(life.size_bytes),
            offset=life.offset_bytes,
            first=life.first_layer,
            last=life.last_layer,
        )
        return (
            f'<rect x="{self.left:.1f}" y="{self.upper:.1f}" width="{self.width:.1f}" '
            f'height="{self.height:.1f}" fill="var({colour})"><title>{text(title)}</title></rect>'
        )

    def named(self) -> str:
        """Return its name to lay over it, "" where there is no room."""
        if self.width < NAMED_WIDTH or self.height < NAMED_HEIGHT:
            return ""
        size = f"<br>{format_bytes(self.life.size_bytes)}" if self.height >= NAMED_AND_SIZED else ""
        kind = "" if self.width >= NAMED_WHEN_NARROW else ' class="wide"'
        places = {
            "left": self.left / MAP_WIDTH,
            "top": self.upper / MAP_HEIGHT,
            "width": self.width / MAP_WIDTH,
            "height": self.height / MAP_HEIGHT,
        }
        style = ";".join(f"{side}:{100 * share:.2f}%" for side, share in places.items())
        return f'<span{kind} style="{style}">{text(self.life.name)}{size}</span>'


def _fullest(lives: Sequence[TensorLife]) -> tuple[int, int]:
    """Return the layer at which most bytes are alive, and how many."""
    changes: dict[int, int] = {}
    for life in lives:
        changes[life.first_layer] = changes.get(life.first_layer, 0) + life.size_bytes
        changes[life.last_layer + 1] = changes.get(life.last_layer + 1, 0) - life.size_bytes
    alive, best = 0, (0, 0)
    for layer in sorted(changes):
        alive += changes[layer]
        best = max(best, (layer, alive), key=lambda item: item[1])
    return best


def _tasks(tasks: Sequence[InspectedTask], language: Language) -> Iterator[str]:
    if tasks:
        items = "".join(f'<li value="{task.index}">{text(task.words)}</li>' for task in tasks)
        yield f"<h3>{text(language.say('Tasks'))}</h3>\n<ol>{items}</ol>"
