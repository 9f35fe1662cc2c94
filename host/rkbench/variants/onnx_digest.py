"""What an ONNX is, as a digest: of its own bytes, and of the files that its weights lie in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from rkbench.files import open_regular

CHUNK_BYTES = 1 << 20
#: The word by which a tensor names the file that it lies in; where it is not, nothing lies elsewhere.
LOCATION = b"location"


def onnx_digest(path: Path) -> str:
    """Return the SHA-256 of an ONNX; where weights lie in files of their own, one over all of them.

    A file that is named and missing counts as such, so that its coming changes the digest. Raises OSError.
    """
    digest = file_digest(path)
    names = external_files(path)
    if not names:
        return digest
    whole = hashlib.sha256(digest.encode())
    for name in names:
        file = path.parent / name
        whole.update(f"\n{name} {file_digest(file) if file.is_file() else 'missing'}".encode())
    return whole.hexdigest()


def external_files(path: Path) -> tuple[str, ...]:
    """Return the names of the files that an ONNX keeps weights in, as it names them. Raises OSError."""
    return tuple(sorted(set(_external(path))))


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes. Raises OSError."""
    digest = hashlib.sha256()
    for piece in _pieces(path):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(path: Path) -> Iterator[bytes]:
    with open_regular(path) as file:
        while piece := file.read(CHUNK_BYTES):
            yield piece


def _names_a_file(path: Path) -> bool:
    end = b""
    for piece in _pieces(path):
        if LOCATION in end + piece:
            return True
        end = piece[-len(LOCATION) :]
    return False


def _external(path: Path) -> Iterator[str]:
    """Yield the names of the files that tensors lie in, of all graphs; of what is no ONNX, none."""
    if not _names_a_file(path):
        return
    try:
        import onnx_ir as ir  # of the extra `onnx`, and slow to import: not for files that name none
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # no stubs
    except ImportError:
        return  # without the extra nothing is computed of an ONNX either: who would do that says so
    try:
        model = ir.load(path)
    except (DecodeError, ValueError, TypeError, KeyError):
        return
    for graph in model.graphs():
        stored = [value.const_value for value in graph.initializers.values()]
        nodes = (attribute for node in graph for attribute in node.attributes.values())
        stored += [item.as_tensor() for item in nodes if item.type == ir.AttributeType.TENSOR]
        yield from (str(tensor.location) for tensor in stored if isinstance(tensor, ir.ExternalTensor))
