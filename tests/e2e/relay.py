"""A TCP relay in this process: delay, rate, and faults on a link, with no root and no network.

    with Relay(board_port, delay_s=0.0025, rate_bytes_per_s=12_500_000) as relay: connect to relay.port

`stall()` holds everything back as a pulled cable does, `cut()` resets the connections. Both can be
armed: `stall_after(n)` and `cut_after(n)` act once n bytes have gone up (client to server). `flip_up()` and
`flip_down()` turn one bit of what comes next, `flip_after(n)` one once n bytes have gone up.
"""

from __future__ import annotations

import queue
import socket
import struct
import threading
import time
from collections.abc import Callable

CHUNK_BYTES = 16 * 1024
QUEUED_CHUNKS = 64
RESET = struct.pack("ii", 1, 0)


class Relay:
    """Listens on `port` and passes on to `target_port` of the loopback interface."""

    def __init__(self, target_port: int, delay_s: float = 0.0, rate_bytes_per_s: float = 0.0) -> None:
        self._target_port = target_port
        self._delay_s = delay_s
        self._rate = rate_bytes_per_s
        self._flowing = threading.Event()
        self._flowing.set()
        self._closed = threading.Event()
        self._fault_at: int | None = None
        self._fault: Callable[[], None] = self.cut
        self._flips: set[bool] = set()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.up_bytes = 0
        #: Called once a fault that was armed has struck.
        self.tell: Callable[[], None] = lambda: None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    def stall(self) -> None:
        """Let nothing through any more, without a word to either side."""
        self._flowing.clear()

    def resume(self) -> None:
        """Let everything through again."""
        self._fault_at = None
        self._flowing.set()

    def cut(self) -> None:
        """Reset all connections; new ones are accepted."""
        sockets, self._sockets = self._sockets, []
        for sock in sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # its peer was faster
            sock.close()

    def cut_after(self, up_bytes: int) -> None:
        """Cut once so many more bytes have gone up."""
        self._fault, self._fault_at = self.cut, self.up_bytes + up_bytes

    def stall_after(self, up_bytes: int) -> None:
        """Stall once so many more bytes have gone up."""
        self._fault, self._fault_at = self.stall, self.up_bytes + up_bytes

    def flip_up(self) -> None:
        """Turn the last bit of what goes up next."""
        self._flips.add(True)

    def flip_down(self) -> None:
        """Turn the last bit of what goes down next."""
        self._flips.add(False)

    def flip_after(self, up_bytes: int) -> None:
        """Flip a bit once so many more bytes have gone up."""
        self._fault, self._fault_at = self.flip_up, self.up_bytes + up_bytes

    def close(self) -> None:
        """Stop listening and cut all connections."""
        self._closed.set()
        self._flowing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target_port))
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets += [client, server]
            for source, sink, up in ((client, server, True), (server, client, False)):
                chunks: queue.Queue[tuple[float, bytes]] = queue.Queue(QUEUED_CHUNKS)
                self._start(self._read, source, chunks)
                self._start(self._write, sink, chunks, up)

    def _read(self, source: socket.socket, chunks: queue.Queue[tuple[float, bytes]]) -> None:
        free_at = 0.0
        while True:
            try:
                data = source.recv(CHUNK_BYTES)
            except OSError:
                data = b""
            now = time.monotonic()
            free_at = max(now, free_at) + (len(data) / self._rate if self._rate else 0.0)
            chunks.put((free_at + self._delay_s, data))
            if not data:
                return

    def _write(self, sink: socket.socket, chunks: queue.Queue[tuple[float, bytes]], up: bool) -> None:
        open_ = True
        while True:
            due, data = chunks.get()
            if not data:
                break
            time.sleep(max(0.0, due - time.monotonic()))
            self._flowing.wait()
            if up in self._flips:
                self._flips.discard(up)
                data = data[:-1] + bytes([data[-1] ^ 1])
            open_ = open_ and self._send(sink, data)
            if up:
                self._count(len(data))
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # cut before

    def _send(self, sink: socket.socket, data: bytes) -> bool:
        try:
            sink.sendall(data)
        except OSError:
            return False
        return True

    def _count(self, size: int) -> None:
        self.up_bytes += size
        if self._fault_at is not None and self.up_bytes >= self._fault_at:
            self._fault_at = None
            self._fault()
            self.tell()
