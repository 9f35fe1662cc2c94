"""`open_model`: from a path to an RknnModel whose sections sum to the size of the file."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any

from rkbench.errors import ModelError
from rkbench.rknn.container import Container, read_container, read_json
from rkbench.rknn.contents import Contents, FileInfo, Graph, Memory, Sections
from rkbench.rknn.file_format import MOST_TASKS, SECTION_OF_KIND, TASK_BYTES
from rkbench.rknn.identify import identify, unreadable
from rkbench.rknn.layers import sections_of_buffers
from rkbench.rknn.model import RknnModel
from rkbench.rknn.payload import Payload, read_payload

BUDGET_BASE_BYTES = 20_000_000


def open_model(path: str | os.PathLike[str]) -> RknnModel:
    """Return the model in the file at `path`, mapped, not copied.

    The file must not shrink while it is open. Raises ModelError (with `offset` and `field`) that says
    what the file is, where it is no readable .rknn.
    """
    file_path = Path(path)
    mapping = _map(file_path)
    try:
        return _read(file_path, mapping)
    except ModelError as error:
        mapping.close()
        message = f"{file_path}: {error.message}"
        raise ModelError(message, hint=error.hint, offset=error.offset, field=error.field) from error
    except BaseException:
        mapping.close()
        raise


def _map(path: Path) -> mmap.mmap:
    identity = identify(path)
    if not identity.readable:
        raise identity.error(path)
    try:
        with path.open("rb") as stream:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise unreadable(path, error) from error


def _read(path: Path, mapping: mmap.mmap) -> RknnModel:
    with memoryview(mapping) as view:
        container = read_container(view)
        document = read_json(view, container)
        start, end = container.payload_offset, container.payload_offset + container.payload_bytes
        budget_bytes = 2 * len(view) + BUDGET_BASE_BYTES
        with view[start:end] as payload_view:
            payload = _payload(payload_view, start, budget_bytes, mini=container.mini)
    return RknnModel(
        file=_file_info(path, len(mapping), container, document, payload),
        sections=_sections(container, payload),
        memory=payload.memory or _memory_of_old_container(payload.graphs),
        contents=Contents(payload.graphs, payload.buffers, mapping),
        task_count=_task_count(payload.graphs),
    )


def _payload(view: memoryview, start: int, budget_bytes: int, *, mini: bool) -> Payload:
    if not mini:
        return read_payload(view, start, budget_bytes)
    from rkbench.rknn.mini import read_mini_payload  # few files are

    return read_mini_payload(view, start, budget_bytes)


def _file_info(
    path: Path, size_bytes: int, container: Container, document: dict[str, Any], payload: Payload
) -> FileInfo:
    targets = document.get("target_platform")
    target = payload.target or (str(targets[0]) if isinstance(targets, list) and targets else "")
    return FileInfo(
        path=path,
        size_bytes=size_bytes,
        container_version=container.version,
        mini=container.mini,
        target=target,
        toolkit_version=str(document.get("version", "")),
        compiler_version=payload.compiler_version,
        framework=payload.framework,
        framework_layout=payload.framework_layout,
        npu_generation=payload.npu_generation,
        custom_string=payload.custom_string,
        inference_type=payload.inference_type,
        description=payload.description,
    )


def _sections(container: Container, payload: Payload) -> Sections:
    sizes = dict.fromkeys(SECTION_OF_KIND.values(), 0)
    size_at = {buffer.offset: buffer.size_bytes for buffer in payload.buffers if buffer.size_bytes}
    for offset, section in sections_of_buffers(payload.graphs, payload.buffers).items():
        sizes[section] += size_at[offset]
    return Sections(
        header=container.payload_offset,
        structure=container.payload_bytes - sum(sizes.values()),
        json=container.json_bytes,
        trailing=container.trailing_bytes,
        **sizes,
    )


def _task_count(graphs: tuple[Graph, ...]) -> int:
    records = sum(t.buffer_bytes for graph in graphs for t in graph.tensors if t.kind == "tasks")
    count = records // TASK_BYTES + sum(len(node.commands) for graph in graphs for node in graph.nodes)
    if count > MOST_TASKS:
        raise ModelError(
            f"claims {count} NPU tasks, read are up to {MOST_TASKS}",
            hint="the file is damaged (real ones hold up to some millions): copy or convert it again",
        )
    return count


def _memory_of_old_container(graphs: tuple[Graph, ...]) -> Memory:
    """Containers 1 and 2 state no sizes; the arena ends where its last tensor ends."""
    ends = [
        tensor.arena_offset + tensor.size_bytes
        for graph in graphs
        for tensor in graph.tensors
        if tensor.kind in ("input", "output", "activation")
    ]
    return Memory(weight_bytes=None, internal_bytes=max(ends, default=None), compiler_constant_bytes=None)
