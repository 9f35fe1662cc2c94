"""Recorded outputs: what the vendor's simulator returned for an input, or the host computed, by its digest.

The digest is SHA-256 over the C-contiguous bytes of the inputs as fed, in the model's order.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, List, Optional, Sequence

from rkbench_agent.errors import NpzError, RuntimeFailureError
from rkbench_agent.runtimes.npz import NpzFile
from rkbench_agent.wire.plan import TensorSpec
from rkbench_agent.wire.words import BAD_INPUT, COMPUTED, COMPUTED_SOURCE, VENDOR_SIMULATOR

if TYPE_CHECKING:
    from rkbench_agent.runtimes.base import Array


def input_digest(inputs: Sequence[Array]) -> str:
    """Return the digest under which the outputs for `inputs` are recorded."""
    digest = hashlib.sha256()
    for array in inputs:
        digest.update(array.tobytes())
    return digest.hexdigest()


class Replay:
    """The recorded outputs of one variant; raises RuntimeFailureError(bad_input) if they do not fit."""

    def __init__(self, path: str, outputs: Sequence[TensorSpec]) -> None:
        self._names = ["outputs/" + tensor.name for tensor in outputs]
        try:
            self._file = NpzFile(path)
            digests = self._file.whole("digests")
            self._index = {str(digest): index for index, digest in enumerate(digests.tolist())}
            for name in self._names:
                self._file.header(name)
            made_by = str(self._file.whole("source")) if "source" in self._file.names() else ""
        except NpzError as error:
            raise RuntimeFailureError(f"replay: {error}", reason=BAD_INPUT) from error
        #: Where the outputs come from, in the words of the wire.
        self.provenance = COMPUTED if made_by == COMPUTED_SOURCE else VENDOR_SIMULATOR

    def outputs(self, inputs: Sequence[Array]) -> Optional[List[Array]]:
        """Return the recorded outputs, or None if these inputs were not recorded."""
        index = self._index.get(input_digest(inputs))
        if index is None:
            return None
        return [self._file.row(name, index) for name in self._names]

    def close(self) -> None:
        """Close the file."""
        self._file.close()
