"""The networks of the corpus: `networks.tsv`, one a line."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from split import Half, half_of, was_held_back

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Network:
    """One network and where it comes from."""

    name: str
    family: str
    """Its architecture family, by which the corpus is split."""
    source: str
    """`timm`, `torchvision`, `pytorchcv`, `ultralytics`, `smp`, `package`, `transformers`, `mmseg`,
    `openmmlab`, `super_image` (random weights), `wheel`, `installed` (a file of an installed package) or
    `synthetic`."""
    entry: str
    """Its name there, with arguments as JSON behind a colon: of a package, `forward` has what is said beside
    the inputs; of mmsegmentation and the others of OpenMMLab, what differs from a configuration; of
    transformers, `named` has the inputs that are given by name. Of a wheel its file pattern and
    the member."""
    shapes: dict[str, list[int]]
    """Shape of each input by name."""

    @property
    def half(self) -> Half:
        """The half of the corpus that it is in."""
        return half_of(self.family)

    @property
    def is_spent(self) -> bool:
        """Whether it was held back once, and has been judged."""
        return was_held_back(self.family)

    @property
    def is_real(self) -> bool:
        """Whether it is a network that somebody uses, and no graph made for one operator."""
        return self.source != "synthetic"


def networks() -> list[Network]:
    """Return every network, in the order of the list."""
    with (HERE / "networks.tsv").open(encoding="utf-8", newline="") as file:
        return [
            Network(row["name"], row["family"], row["source"], row["entry"], _shapes(row["input"]))
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]


def _shapes(text: str) -> dict[str, list[int]]:
    """Return input shapes of `1x3x224x224` (an input named `input`) or `a=1x64;b=1`."""
    found = {}
    for part in text.split(";"):
        name, _, shape = part.rpartition("=")
        found[name or "input"] = [int(size) for size in shape.split("x") if size]
    return found
