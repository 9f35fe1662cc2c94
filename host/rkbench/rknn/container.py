"""The outside of a .rknn file: header, payload, JSON, and what follows it."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

from rkbench.errors import ModelError
from rkbench.rknn.flatbuffer import HINT
from rkbench.rknn.identify import JSON_LIMIT_BYTES, MINI_FLAG

SHORT_HEADER_BYTES = 24
LONG_HEADER_BYTES = 64


@dataclass(frozen=True)
class Container:
    """Where the parts lie: offsets and sizes in bytes; the JSON length word is part of `json_bytes`."""

    version: int
    mini: bool
    payload_offset: int
    payload_bytes: int
    json_bytes: int
    trailing_bytes: int


def read_container(view: memoryview) -> Container:
    """Return the parts of the container whose whole file is `view`; raises ModelError on a damaged one."""
    if len(view) < SHORT_HEADER_BYTES:
        raise _damaged(f"the header needs 24 bytes, the file has {len(view)}", len(view), "header")
    word, payload_bytes = struct.unpack_from("<QQ", view, 8)
    version = word & 0xFF
    short = version <= 1 or payload_bytes == 0
    payload_offset = SHORT_HEADER_BYTES if short else LONG_HEADER_BYTES
    json_offset = payload_offset + payload_bytes
    if json_offset + 8 > len(view):
        missing = json_offset + 8 - len(view)
        raise _damaged(
            f"the file is cut off: the payload of {payload_bytes} bytes ends {missing} bytes past its end",
            16,
            "payload_size",
        )
    (json_bytes,) = struct.unpack_from("<Q", view, json_offset)
    trailing = len(view) - json_offset - 8 - json_bytes
    if trailing < 0:
        raise _damaged(
            f"the file is cut off: the JSON of {json_bytes} bytes ends {-trailing} bytes past its end",
            json_offset,
            "json_size",
        )
    return Container(version, bool(word & MINI_FLAG), payload_offset, payload_bytes, json_bytes + 8, trailing)


def read_json(view: memoryview, container: Container) -> dict[str, Any]:
    """Return the JSON of the container; raises ModelError where it is none."""
    start = container.payload_offset + container.payload_bytes + 8
    if container.json_bytes > JSON_LIMIT_BYTES:
        raise _damaged(f"claims {container.json_bytes} bytes; real ones hold 1 to 30 kB", start, "json")
    text = bytes(view[start : start + container.json_bytes - 8])
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(f"no JSON ({error})", start, "json") from error
    if not isinstance(document, dict):
        raise _damaged("the JSON is no object", start, "json")
    return document


def _damaged(problem: str, offset: int, field: str) -> ModelError:
    return ModelError(f"{field} at byte {offset}: {problem}", hint=HINT, offset=offset, field=field)
