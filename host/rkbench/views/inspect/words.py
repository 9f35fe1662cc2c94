"""Words that the console and the page share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rkbench.inspect.causes.wording import percent
from rkbench.units import format_bytes

__all__ = ["QUESTIONS", "SECTION_TITLES", "answer_details", "fit", "layer_title", "percent"]

SECTION_TITLES = {
    "weights": "weights",
    "compiler_constants": "compiler's constants",
    "cpu_constants": "CPU constants",
    "lookup_tables": "lookup tables",
    "register_commands": "register commands",
    "tasks": "NPU tasks",
    "kind7": "commands and tasks",
    "structure": "structure and names",
    "json": "JSON",
    "header": "header",
    "trailing": "after the JSON",
}


def layer_title(layer: dict[str, Any]) -> str:
    """Return the name of a layer with its graph, where a file has several."""
    name = str(layer["name"])
    return f"[{layer['graph']}] {name}" if layer["graph"] else name


QUESTIONS = (
    ("convolutions_from_pooling", "Which convolutions were made from a GlobalAveragePool or ReduceMean?"),
    ("float_or_cpu_layers", "Which layers stayed float, and which run on the CPU?"),
    ("why_this_big", "Why is the file as big as it is?"),
    ("what_to_change", "What exactly has to change?"),
)


def fit(share: float) -> str:
    """Return what a share of a 2 GB board means."""
    if share < 0.1:
        return "fits with room for several copies"
    return "fits, mind other copies and buffers" if share < 0.4 else "tight beside the system and its buffers"


def answer_details(key: str, answer: dict[str, Any]) -> Sequence[str]:
    """Return the lines behind one of the four answers."""
    if key == "convolutions_from_pooling":
        return [
            f"{item['name']}: {'x'.join(map(str, item['kernel']))}, {item['channels']} channels, "
            f"{format_bytes(item['bytes'])}"
            for item in answer["convolutions"][:12]
        ]
    if key == "float_or_cpu_layers":
        kinds = [("float", item) for item in answer["float"]] + [("CPU", item) for item in answer["cpu"]]
        return [
            f"{item['name']} ({kind}, {format_bytes(item['bytes'])}): {item['reason']}"
            for kind, item in kinds[:12]
        ]
    return list(answer["causes" if key == "why_this_big" else "steps"])
