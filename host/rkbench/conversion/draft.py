"""What a variant is to be converted with: a draft, which recipes change one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from rkbench.toolkit.versions import DEFAULT

Dtype = Literal["fp16", "int8", "int16"]
FLOAT: Dtype = "fp16"
AUTO = "auto"


@dataclass(frozen=True)
class Draft:
    """A conversion as it is planned. `config` are keywords of `rknn.config`, `changes` those of the graph.

    `hybrid` maps layers to the dtype that they keep in an integer model; `auto` leaves the choice to the
    toolkit.
    """

    target: str
    toolkit: str = DEFAULT
    dtype: Dtype = FLOAT
    config: Mapping[str, Any] = field(default_factory=dict)
    hybrid: Mapping[str, str] | Literal["auto"] | None = None
    changes: tuple[GraphChange, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return the recipe as it is typed."""
        return ",".join(self.words) or FLOAT

    @property
    def is_quantized(self) -> bool:
        """Whether it needs calibration."""
        return self.dtype != FLOAT

    def with_config(self, **words: Any) -> Draft:
        """Return it with more keywords of `rknn.config`."""
        return replace(self, config={**self.config, **words})


Change = Callable[[Path, "Draft", Path], tuple[str, ...]]


@dataclass(frozen=True)
class GraphChange:
    """A change to the ONNX before it is converted.

    `change(source, draft, target)` writes the changed ONNX and says in sentences what it did; it writes
    nothing, and says nothing, where there is nothing to change. `is_exact`: outputs stay the same.
    """

    word: str
    change: Change
    is_exact: bool = True


@dataclass(frozen=True)
class Recipe:
    """One thing that can be done differently. `word` is typed; `form` shows how, where a value goes with it.

    `apply(draft, value)` returns the draft with it; `objection(draft)` says why the whole draft cannot be
    converted so, by what is known of target and toolkit before anything runs; empty where nothing is.
    """

    word: str
    summary: str
    apply: Callable[[Draft, str], Draft]
    objection: Callable[[Draft], str] = lambda _: ""
    form: str = ""

    @property
    def takes_value(self) -> bool:
        """Whether a value is typed with it."""
        return bool(self.form)
