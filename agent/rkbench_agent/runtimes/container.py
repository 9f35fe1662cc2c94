"""The little that the virtual runtime checks of a .rknn file before it takes it, as librknnrt does.

0 'RKNN'   8 u64 version   16 u64 payload size   24|64 payload   u64 JSON size   JSON
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Optional, Tuple

from rkbench_agent.errors import ContainerError

#: NPU generation of a SoC: models are exchangeable within one.
GENERATIONS = {
    "rk3566": "RKNPU lite",
    "rk3568": "RKNPU lite",
    "rk3588": "RKNPU v2",
    "rk3562": "RKNPU t4",
    "rk3576": "RKNPU f2",
    "rv1126b": "RKNPU f3",
}
SUPPORTED_VERSIONS = (1, 2, 3, 4, 5, 6)


@dataclass(frozen=True)
class ContainerHead:
    """What the outside of a file says."""

    version: int
    platform: Optional[str]
    toolkit_version: Optional[str]


def read_container(data: bytes) -> ContainerHead:
    """Return what the header and the trailing JSON of a whole file say; raises ContainerError."""
    if data[:4] != b"RKNN":
        raise ContainerError("parseRKNN: invalid RKNN_MAGIC!")
    if len(data) < 24:
        raise ContainerError("parseRKNN: rknn model is too small!")
    version, payload_size = struct.unpack_from("<QQ", data, 8)
    if version & 0xFF not in SUPPORTED_VERSIONS or version > 0xFF:
        raise ContainerError(f"Invalid RKNN model version {version}")
    start = 24 if version <= 1 or payload_size == 0 else 64
    if start + payload_size + 8 > len(data):
        raise ContainerError(
            f"parseRKNN: exportDataSize large then model size: {payload_size} vs {len(data)}!"
        )
    platform, toolkit = _described(data, start + payload_size)
    return ContainerHead(version, platform, toolkit)


def check_platform(container: ContainerHead, soc: Optional[str]) -> None:
    """Raise ContainerError if the file names another NPU generation; a board without a name takes all."""
    ours = GENERATIONS.get(soc or "")
    if ours is None or container.platform is None:
        return
    if GENERATIONS.get(container.platform.lower()) != ours:
        model, board = container.platform.upper(), str(soc).upper()
        raise ContainerError(f"This rknn model is for {model}, but current platform is {board}")


def _described(data: bytes, offset: int) -> Tuple[Optional[str], Optional[str]]:
    (size,) = struct.unpack_from("<Q", data, offset)
    if offset + 8 + size > len(data):
        raise ContainerError(
            f"parseRKNN: exportDataSize large then model size: {offset + size} vs {len(data)}!"
        )
    try:
        value = json.loads(data[offset + 8 : offset + 8 + size].decode("utf-8"))
    except ValueError as error:
        raise ContainerError("parseRKNN from buffer: Invalid RKNN format!") from error
    platforms = value.get("target_platform") or [None]
    return (platforms[0] if isinstance(platforms, list) else platforms), value.get("version")
