"""Computes the jobs that device doubles hand over: the NPU of an emulated board of tier T3.

    python npu_server.py SOCKET

A double connects once for each process, with the number of its hardware and a descriptor of the NPU's
memory, and sends 14 words a job: address of the task records, first, number, core mask, five ranges. The
answer is one word: 0, or 1 where the job was refused, and why stands on stdout.
"""

from __future__ import annotations

import mmap
import os
import socket
import struct
import sys
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingUnixStreamServer

import numpy as np
from rkbench.errors import ModelError
from rkbench.npu.execute.device import Job, NpuDevice
from rkbench.npu.execute.fields import UnmodelledError
from rkbench.npu.generations import LITE, V2

GENERATIONS = {0x46495245: V2, 0: LITE}
PAGE = 4096
"""The double gives nothing out below."""
JOB = struct.Struct("<14I")


class Double(BaseRequestHandler):
    """One process of a board."""

    request: socket.socket

    def handle(self) -> None:
        """Compute its jobs until it ends."""
        hardware, descriptors, _, _ = socket.recv_fds(self.request, 4, 1)
        with mmap.mmap(descriptors[0], 0) as mapping:
            os.close(descriptors[0])
            generation = GENERATIONS[int.from_bytes(hardware, "little")]
            device = NpuDevice(generation, np.frombuffer(mapping, np.uint8), lowest=PAGE)
            while words := self.request.recv(JOB.size, socket.MSG_WAITALL):
                self.request.sendall(struct.pack("<I", failed(device, words)))
            del device  # its view of the mapping, which could not be closed else


def failed(device: NpuDevice, words: bytes) -> bool:
    """Run a job; say whether it was refused."""
    address, start, count, mask, *ranges = JOB.unpack(words)
    pairs = tuple(zip(ranges[::2], ranges[1::2], strict=True))
    try:
        device.submit(Job(address, start, count, mask, pairs))
    except (UnmodelledError, ModelError) as error:
        print(f"refused: {error}", flush=True)
        return True
    return False


class Server(ThreadingUnixStreamServer):
    """A thread for each double."""

    daemon_threads = True


def main() -> None:
    """Serve until the process is ended."""
    path = Path(sys.argv[1])
    os.chdir(path.parent)  # the path of a socket may have 107 characters
    with Server(path.name, Double) as server:
        path.chmod(0o666)
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
