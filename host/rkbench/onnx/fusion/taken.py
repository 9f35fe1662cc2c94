"""What one layer takes of a file beside its constants, in bytes."""

from __future__ import annotations

from dataclasses import dataclass

TASK_RECORD_BYTES = 40
TENSOR_BYTES = 430
"""Structure of one tensor: its table, its name, its place in the lists of addresses."""
RELOCATED_RATIO = 0.075
"""Structure for each byte of commands: the list of addresses in them."""
COPY_BYTES = 22
"""What the two addresses of a task that does nothing but copy take beyond that."""


@dataclass(frozen=True)
class Effort:
    """What one layer adds to a file beside its constants."""

    register_bytes: int
    tasks: int
    tensors: int
    copies: int = 0
    """Tasks that copy a few bytes each."""

    def beside(self, other: Effort) -> Effort:
        """Return both."""
        return Effort(
            self.register_bytes + other.register_bytes,
            self.tasks + other.tasks,
            self.tensors + other.tensors,
            self.copies + other.copies,
        )

    @property
    def file_bytes(self) -> int:
        """Commands, task records and structure."""
        structure = self.tensors * TENSOR_BYTES + self.register_bytes * RELOCATED_RATIO
        structure += self.copies * COPY_BYTES
        return round(self.register_bytes + self.tasks * TASK_RECORD_BYTES + structure)
