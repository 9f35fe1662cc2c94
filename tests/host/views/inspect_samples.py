"""Documents for the tests of the inspect views: from samples, and one whose names are hostile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rkbench.inspection.document import FileInspection, Inspection
from rkbench.inspection.inspect_model import inspect_model
from rkbench.rknn import RknnModel, open_model
from rkbench.views.inspect.json import render_json
from rknn_writer import FileSpec, GraphSpec, NodeSpec, TensorSpec, opened, write_model

MODELS = Path(__file__).parents[2] / "data" / "models"
HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>\x1b[31m\"'&"


def sample_inspection(name: str) -> FileInspection:
    """Return the inspection of a sample."""
    with open_model(MODELS / f"{name}.rknn") as model:
        return inspect_model(model)


def sample_document(name: str) -> dict[str, Any]:
    """Return the document of a sample as its JSON says it."""
    return json_of(sample_inspection(name))


def json_of(inspection: Inspection) -> dict[str, Any]:
    """Return an inspection as a reader of its JSON gets it."""
    document: dict[str, Any] = json.loads(render_json(inspection))
    return document


@contextmanager
def hostile_model() -> Iterator[RknnModel]:
    """Open a file whose every name tries to break out of the page or the terminal."""
    tensors = (
        TensorSpec(HOSTILE, kind="input", shape=(1, 32, 4, 4)),
        TensorSpec("w", kind="weight", shape=(32, 32, 1, 1), data=bytes(range(256)) * 8),
        TensorSpec(HOSTILE, kind="compiler_constant", shape=(64, 64), data=b"constant" * 1000),
        TensorSpec(HOSTILE, kind="output", shape=(1, 32, 4, 4)),
    )
    nodes = (NodeSpec("Conv:" + HOSTILE, HOSTILE, 2, (0, 1, 2), (3,), (1, 0, 0, 0, 0, 0)),)
    document: dict[str, object] = {"version": HOSTILE, "target_platform": [HOSTILE]}
    spec = FileSpec((GraphSpec(tensors, nodes, (0,), (3,)),), target=HOSTILE, document=document)
    with opened(write_model(spec)) as model:
        yield model
