"""`rkbench.inspect(...)`: what `bench inspect` says, as an object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rkbench.api.frames import Columns, pandas_frame, polars_frame
from rkbench.api.told import check_types, with_hint
from rkbench.campaign.asking import StrPath
from rkbench.inspection.document import InspectedLayer, Inspection
from rkbench.inspection.formatting import percent
from rkbench.inspection.inspect_file import Request, inspect_file
from rkbench.units import format_bytes
from rkbench.views.inspect.json import to_json

if TYPE_CHECKING:
    import pandas
    import polars

    from rkbench.inspection.causes import Cause


@dataclass(frozen=True, repr=False)
class Inspected:
    """Why a .rknn is as big as it is, or what an .onnx will become. `document` holds all that is known."""

    path: Path
    document: Inspection

    @property
    def sentence(self) -> str:
        """The answer in one sentence with numbers."""
        return self.document.sentence

    @property
    def verdict(self) -> str:
        """`healthy`, `bloated`, or `predicted` for an .onnx."""
        return self.document.verdict

    @property
    def size_bytes(self) -> int | None:
        """The file's size; None for an .onnx."""
        return self.document.file.size_bytes if self.document.file else None

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Why its bytes are there, the biggest first, each with evidence and a fix that can be typed."""
        return self.document.causes

    @property
    def layers(self) -> tuple[InspectedLayer, ...]:
        """The layers with the bytes that each owns; none for an .onnx."""
        return self.document.layers

    def to_dict(self) -> dict[str, Any]:
        """Return it as a value of JSON, as `bench inspect --json` has it (schema `rkbench-inspect/1`)."""
        return to_json(self.document)

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row a layer, sizes in bytes; needs pandas."""
        return pandas_frame(self._columns())

    def to_polars(self) -> polars.DataFrame:
        """Return a row a layer, sizes in bytes; needs polars."""
        return polars_frame(self._columns())

    def report(self, output: StrPath) -> Path:
        """Write the page of `bench inspect --html`."""
        from rkbench.views.inspect.html import render_html
        from rkbench.views.output import check_output, write_text

        with with_hint():
            check_output(str(output))
            write_text(str(output), render_html(self.document))
        return Path(output)

    def _columns(self) -> Columns:
        sizes = [item.name for item in fields(InspectedLayer) if item.name.endswith("_bytes")]
        texts = ("name", "type", "dtype", "target", "onnx_node", "rewrite", "cause")
        columns: dict[str, tuple[type, Sequence[Any]]] = {
            "index": (int, [layer.index for layer in self.layers])
        }
        columns |= {name: (str, [getattr(layer, name) for layer in self.layers]) for name in texts}
        columns["npu_tasks"] = (int, [sum(layer.task_counts) for layer in self.layers])
        columns |= {name: (int, [getattr(layer, name) for layer in self.layers]) for name in sizes}
        return columns

    def __repr__(self) -> str:
        size = f" {format_bytes(self.size_bytes)}," if self.size_bytes is not None else ""
        lead = next((cause for cause in self.causes if cause.code == self.document.lead_cause), None)
        told = f": {lead.title} ({percent(lead.share)})" if lead else ""
        return f"<Inspected {self.path.name}:{size} {self.verdict}{told}>"

    def _repr_html_(self) -> str:
        from rkbench.views.notebook import inspection_html

        return inspection_html(self.document)


def inspect(
    model: StrPath,
    *,
    onnx: StrPath | None = None,
    target: str | None = None,
    dtype: str | None = None,
    diff: StrPath | None = None,
    input_shape: Sequence[str] | str = (),
    tasks: str | None = None,
) -> Inspected:
    """Say where every byte of a .rknn is, why, and what cures it; or what an .onnx will become.

    `onnx` is what the .rknn was converted from, `diff` another .rknn; `tasks` tells the NPU tasks of layers
    with this in their names. Raises BenchError for a file that cannot be read.

    >>> import rkbench
    >>> rkbench.inspect("model.rknn").causes[0].fix  # doctest: +SKIP
    """
    with with_hint():
        types = {"target": str, "dtype": str, "tasks": str}
        check_types("inspect", types, target=target, dtype=dtype, tasks=tasks)
    shapes = (input_shape,) if isinstance(input_shape, str) else tuple(input_shape)
    request = Request(
        Path(model),
        None if onnx is None else Path(onnx),
        target and target.lower(),
        dtype,
        None if diff is None else Path(diff),
        npu=True,
        tasks=tasks,
        input_shapes=shapes,
    )
    with with_hint():
        return Inspected(request.model, inspect_file(request))
