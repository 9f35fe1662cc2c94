"""The kernel's log, as far as this user may read it: lines that speak of the NPU or of memory."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import List, Optional

#: What can be the reason of a failed run; everything else is nobody's business.
TELLING = re.compile(
    r"rknpu|\bnpu|vdd_npu|rknn|rocket|rk_iommu|\bcma\b|cma_alloc|swiotlb|oom-kill|out of memory|oom_reaper"
    r"|on domain|set_idle|nobody cared|disabling irq|serror|critical temperature",
    re.IGNORECASE,
)
#: More lines than this say no more.
LINES_LIMIT = 200
#: The kernel's ring buffer is smaller.
_BYTES_LIMIT = 1 << 23
_RECORD_BYTES = 1 << 16


class KernelLog:
    """The log from the moment of its making on; use `close` when it is not needed any more."""

    def __init__(self, root: Path, from_boot: bool = False) -> None:
        self._fd: Optional[int] = None
        try:
            self._fd = os.open(str(root / "dev/kmsg"), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            if not from_boot:
                os.lseek(self._fd, 0, os.SEEK_END)
        except OSError:
            self.close()

    @property
    def is_readable(self) -> bool:
        """Whether this user may read it (often root only: kernel.dmesg_restrict)."""
        return self._fd is not None

    def lines(self) -> List[str]:
        """Return what was said since the last call of NPU and memory, oldest first, without time stamps."""
        records = self._read().decode("utf-8", "replace").splitlines()
        # A record is `priority,number,time,flags;text`; a line that begins with a blank continues it.
        texts = [record.partition(";")[2] or record for record in records if not record.startswith(" ")]
        return [text for text in texts if TELLING.search(text)][-LINES_LIMIT:]

    def close(self) -> None:
        """Let go of the device; nothing can be read afterwards."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _read(self) -> bytes:
        data = b""
        while self._fd is not None and len(data) < _BYTES_LIMIT:
            try:
                record = os.read(self._fd, _RECORD_BYTES)
            except BlockingIOError:
                break
            except BrokenPipeError:
                continue  # the ring buffer went round: the next read gives the oldest record that is left
            except OSError:
                break
            if not record:
                break
            data += record
        return data
