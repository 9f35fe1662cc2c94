"""What a file is, told from its first bytes: .rknn in its kinds, and what people hand over by mistake."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rkbench.errors import ModelError, NoModelError, UnfitModelError

HEAD_BYTES = 1024
JSON_LIMIT_BYTES = 1_000_000
"""More JSON than this is not read: real files hold 1 to 30 kB, and parsed JSON takes many times its size."""

MINI_FLAG = 0x1000
NEWEST_CONTAINER = 6
READABLE_KINDS = ("rknn", "rknn-mini")

_CONVERT = "convert the ONNX with rknn-toolkit2 for rk3566, rk3568, rk3576 or rk3588"
_COPY = "copy or download the file again"


@dataclass(frozen=True)
class Identity:
    """What a file is: `kind` is a word for programs, `description` a phrase for people.

    `hint` says what to do instead where the kind cannot be read; `offset` and `field` are what gave it away.
    """

    kind: str
    description: str
    hint: str = ""
    offset: int = 0
    field: str = "magic"
    details: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def readable(self) -> bool:
        """True where `open_model` reads this kind."""
        return self.kind in READABLE_KINDS

    def error(self, path: Path) -> ModelError:
        """Return the error that refuses the file."""
        message = f"{path} is {self.description}"
        return ModelError(message, hint=self.hint, offset=self.offset, field=self.field)


def identify(path: str | os.PathLike[str]) -> Identity:
    """Return what the file at `path` is, from its first bytes (and, of RKNN1, its JSON).

    Raises ModelError only where the path cannot be opened or is no regular file.
    """
    file_path = Path(path)
    try:
        if not stat.S_ISREG(file_path.stat().st_mode):
            raise ModelError(
                f"{file_path} is no regular file", hint="name a .rknn or an ONNX", offset=0, field="file"
            )
        with file_path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
            identity = identify_bytes(head, os.fstat(stream.fileno()).st_size)
            if identity.kind in ("unknown", "gguf") and file_path.suffix.lower() == ".rkllm":
                identity = _RKLLM  # its first bytes differ from version to version
            if identity.kind.startswith("rknn1"):
                identity.details.update(_json_details(stream, head))
    except OSError as error:
        raise unreadable(file_path, error) from error
    return identity


def refuse_as_onnx(path: Path) -> None:
    """Raise UnfitModelError for a .rknn that is given where its ONNX is wanted."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return  # a pipe is not waited for
        with path.open("rb") as stream:
            head = stream.read(4)
    except OSError:
        return  # who reads it says why not
    if head == b"RKNN":
        raise UnfitModelError(
            f"{path} is a .rknn, and an ONNX is wanted here",
            hint="name the ONNX that it was converted from",
            offset=0,
            field="magic",
        )


def unreadable(path: Path, error: OSError) -> ModelError:
    """Return the error of a path that the system does not open."""
    kind = NoModelError if isinstance(error, FileNotFoundError) else ModelError
    return kind(
        f"cannot read {path}: {error.strerror or error}",
        hint="check the path and its permissions",
        offset=0,
        field="file",
    )


def describe(path: str | os.PathLike[str]) -> str:
    """Return one line that says what the file is; of RKNN1 also for which SoC, and what to do."""
    identity = identify(path)
    details = ", ".join(f"{name} {value}" for name, value in identity.details.items())
    text = identity.description + (f" ({details})" if details else "")
    return f"{text}; {identity.hint}" if identity.hint else text


def identify_bytes(head: bytes, size_bytes: int) -> Identity:
    """Return what a file of `size_bytes` is whose first HEAD_BYTES are `head`."""
    if not size_bytes:
        return Identity("empty", "an empty file", _COPY, field="file")
    if head[:4] == b"RKNN":
        return _container(head, size_bytes)
    for pattern, identity in _SIGNATURES:
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            return identity
    return Identity("unknown", f"no .rknn file (it begins with {head[:8]!r})", _CONVERT)


def _container(head: bytes, size_bytes: int) -> Identity:
    if size_bytes < 24:
        return Identity(
            "truncated", f"a .rknn file cut off after {size_bytes} bytes", _COPY, size_bytes, "header"
        )
    word, payload_bytes = struct.unpack_from("<QQ", head, 8)
    payload = head[64:] if word & 0xFF > 1 and payload_bytes else head[24:]
    details = {"container": f"{word & 0xFFFF:#x}"}
    if word & MINI_FLAG:
        return Identity("rknn-mini", "a mini .rknn file (RV1103/RV1106 payload)", details=details)
    if payload[4:8] == b"RKNN":
        return _flat_container(word & 0xFF, details)
    if payload_bytes == 0:
        return _rknn1("rknn1-empty", "without weights", details)
    if payload[:4] == b"VPMN":
        return _rknn1("rknn1-precompiled", "pre-compiled", details)
    if size_bytes < len(head) and len(payload) < 8:
        return Identity("truncated", "a .rknn file cut off in its payload", _COPY, size_bytes, "payload")
    if word & 0xFF <= 1 or word <= 2:
        return _rknn1("rknn1", "not pre-compiled", details)
    return Identity(
        "rknn-unknown-payload", "a .rknn file with a payload of unknown kind", _COPY, 64, "payload"
    )


def _flat_container(version: int, details: dict[str, str]) -> Identity:
    if version > NEWEST_CONTAINER:
        return Identity(
            "rknn-newer",
            f"a .rknn file of container version {version}; the newest known here is {NEWEST_CONTAINER}",
            "convert with rknn-toolkit2 2.3.2, or update rkbench",
            8,
            "version",
            details,
        )
    return Identity("rknn", "a .rknn file", details=details)


def _rknn1(kind: str, how: str, details: dict[str, str]) -> Identity:
    return Identity(
        kind,
        f"an RKNN1 model ({how}; RK1808, RK3399Pro, RV1109 or RV1126), which rkbench does not read",
        "RK3566/RK3568/RK3576/RK3588 take RKNN2 only: " + _CONVERT,
        24,
        "payload",
        details,
    )


def _json_details(stream: Any, head: bytes) -> dict[str, str]:
    """Return target, toolkit and nodes of an RKNN1 file; nothing where its JSON cannot be read."""
    word, payload_bytes = struct.unpack_from("<QQ", head, 8)
    start = (64 if word & 0xFF > 1 and payload_bytes else 24) + payload_bytes
    if start >= 1 << 62:
        return {}
    stream.seek(start)
    size = stream.read(8)
    if len(size) < 8:
        return {}
    try:
        document = json.loads(stream.read(min(struct.unpack("<Q", size)[0], JSON_LIMIT_BYTES)))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    targets, nodes = document.get("target_platform"), document.get("nodes")
    found = {
        "target": targets[0] if isinstance(targets, list) and targets else "",
        "toolkit": document.get("version", ""),
        "nodes": len(nodes) if isinstance(nodes, list) else "",
    }
    return {name: str(value) for name, value in found.items() if value != ""}


def _signature(pattern: bytes, kind: str, description: str, hint: str) -> tuple[bytes, Identity]:
    return pattern, Identity(kind, description, hint)


_RKLLM = Identity(
    "rkllm",
    "an RKLLM language model",
    "rkllm-runtime runs it on RK3588, RK3576 and RK3562; rkbench reads and measures .rknn files",
    field="name",
)
_SIGNATURES = (
    _signature(
        rb"CYPTRKNN",
        "encrypted",
        "an encrypted .rknn file (export_encrypted_rknn_model)",
        "only the runtime can decrypt it: inspect and push the file that export_rknn wrote",
    ),
    _signature(rb"RKNX", "rknn3", "an RKNN3 model (RK182x)", "rkbench reads RKNN2: " + _CONVERT),
    _signature(
        rb"....RKNN",
        "flatbuffer",
        "a bare RKNN FlatBuffer without its container",
        "export the model with rknn.export_rknn",
    ),
    _signature(
        rb"VPMN",
        "openvx",
        "a bare OpenVX network binary (.nb)",
        "it belongs to RK1808, RK3399Pro or RV1126; " + _CONVERT,
    ),
    _signature(
        rb"version https://git-lfs",
        "lfs-pointer",
        "a Git LFS pointer, not the model itself",
        "run `git lfs pull` in the repository, or download the file itself",
    ),
    _signature(
        rb"(\xef\xbb\xbf)?\s*(<!doctype html|<html|<\?xml)",
        "html",
        "a web page, not a model",
        "the download went wrong (a login or error page?); get the raw file",
    ),
    _signature(
        rb"\s*\{(?=.*\"(nodes|network_platform|norm_tensor|target_platform)\")",
        "json-sidecar",
        "the JSON part of a .rknn file alone",
        "export the whole model with rknn.export_rknn",
    ),
    _signature(rb"\s*[\{\[]\s*[\"\{\[\]\}]", "json", "a JSON text, not a model", _COPY),
    _signature(rb"\x1f\x8b", "gzip", "gzip-compressed", "unpack it first: gunzip FILE"),
    _signature(rb"BZh|\xfd7zXZ|\x28\xb5\x2f\xfd", "compressed", "a compressed file", "unpack it first"),
    _signature(
        rb"PK\x03\x04|PK\x05\x06",
        "zip",
        "a ZIP archive (or a PyTorch checkpoint)",
        "unpack it, or export to ONNX and convert that",
    ),
    _signature(rb"\x7fELF", "elf", "an ELF program or library, not a model", "give the .rknn file"),
    _signature(rb"GGUF", "gguf", "a GGUF language model", "rkbench measures .rknn files"),
    _signature(rb"....TFL3", "tflite", "a TensorFlow Lite model", "convert it with rknn.load_tflite"),
    _signature(
        rb"\x08[\x01-\x20][\x10-\x1a\x22\x28\x32\x3a\x42]",
        "onnx",
        "an ONNX model, not a .rknn file",
        "`bench inspect MODEL.onnx --target rk3588` predicts what it becomes; `bench convert` makes a .rknn",
    ),
    _signature(
        rb"[\t\n\r\x20-\x7e]{1,64}(\Z|[\t\n\r\x20-\x7e]{64})",
        "text",
        "a text file, not a model",
        "the download went wrong? " + _COPY,
    ),
)
