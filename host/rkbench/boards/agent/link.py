"""The line to a running agent: its start, messages both ways, beats, and the judgement that it is dead."""

from __future__ import annotations

import queue
import threading
from collections import deque

from rkbench_agent.wire.codec import encode
from rkbench_agent.wire.lines import LineBuffer
from rkbench_agent.wire.messages import Beat, Failed, Hello, Message
from rkbench_agent.wire.plan import Plan
from rkbench_agent.wire.words import CANCELLED, CONNECTION, MAGIC, PROTOCOL

from rkbench.boards.agent.boot import AgentZip
from rkbench.boards.agent.inbox import Inbox
from rkbench.boards.agent.log import log_received, log_sent, log_stderr
from rkbench.boards.agent.start import CHUNK_BYTES, HELLO_START, LineReader, program_lines
from rkbench.boards.model import Board
from rkbench.boards.transport import Channel, Transport
from rkbench.decoding.messages import decode
from rkbench.decoding.ration import LINE_LIMIT_BYTES, Rations
from rkbench.errors import BenchError, BoardError, ConnectionLostError, NoPythonError, ProtocolError

#: What reads and writes ends with its channel; one that a broken transport holds is left behind.
THREAD_END_S = 2.0
STDERR_LINES = 20
STDERR_LINE_BYTES = 1 << 16
#: An agent with a shorter limit than usual hears so many beats within it.
BEATS_IN_SILENCE = 3
#: No agent needs more beats than this, whatever it says.
LEAST_BEAT_INTERVAL_S = 0.05


class AgentLink:
    """A channel in which an agent runs, or is about to."""

    hello: Hello

    def __init__(self, board: Board, transport: Transport, channel: Channel, silence_limit_s: float) -> None:
        self._board = board
        self._transport = transport
        self._channel = channel
        self._silence_limit_s = silence_limit_s
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self._inbox = Inbox()
        self._lines = LineBuffer()
        self._rations = Rations()
        self._posted: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._error: BenchError | None = None
        self._write = threading.Lock()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._run_thread(self._read_stderr)

    def start(self, agent: AgentZip, beat_interval_s: float, limit_s: float) -> None:
        """See the agent through its start, up to its Hello, for `limit_s`; raises BoardError and its kin."""
        lines = LineReader(self._channel, limit_s)
        try:
            for line in program_lines(self._board, self._channel, agent, lines):
                if MAGIC in line:
                    self.hello = self._check_hello(line, agent)
                    break
            else:
                raise self._ended()
        except TimeoutError as error:
            raise self._silent(limit_s) from error
        except OSError as error:
            raise self._gone(error) from error
        self._channel.settimeout(self._silence_limit_s)
        self._run_thread(self._read_messages, lines.rest)
        interval_s = min(beat_interval_s, self.hello.silence_limit_s / BEATS_IN_SILENCE)
        self._run_thread(self._speak, max(LEAST_BEAT_INTERVAL_S, interval_s))

    @property
    def is_alive(self) -> bool:
        """False once the agent is known to be gone."""
        return self._error is None and not self._over.is_set()

    def send(self, message: Message) -> None:
        """Send `message`; raises ConnectionLostError. The outputs that a plan asks for may come then."""
        if isinstance(message, Plan):
            self._rations.ask(message.runs)
        log_sent(self._board.name, message)
        self._write_all(encode(message))

    def post(self, message: Message) -> None:
        """Have `message` sent soon, by the thread that beats: a line that is stuck holds up nobody."""
        self._posted.put(message)

    def next(self, deadline_s: float) -> Message:
        """Return the next message, waiting for it until `deadline_s` of the monotonic clock.

        Raises TimeoutError, and ConnectionLostError or ProtocolError once the line has ended.
        """
        try:
            return self._inbox.next(deadline_s)
        except BenchError as error:
            self._error = error
            raise

    def close(self, farewell_s: float) -> None:
        """Close the agent's stdin, which ends it, and wait for that; then close the channel."""
        self.end()
        if self._transport.is_alive:
            try:
                self._channel.shutdown_write()
                self._channel.exit_status(farewell_s)
            except OSError:
                pass  # it has ended before
        self.abort()

    def abort(self) -> None:
        """Close the channel without a word; the agent ends by itself."""
        self.end()
        self._channel.close()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(THREAD_END_S)

    def end(self) -> None:
        """Take and say nothing more: whoever waits for a message hears that the line is closed."""
        self._over.set()
        self._posted.put(None)
        self._inbox.end(self._gone(OSError("closed")))

    # -- threads ----------------------------------------------------------------------------------

    def _read_messages(self, data: bytes) -> None:
        """Put what the agent says into the inbox, at last the error that ended it."""
        try:
            while not self._over.is_set():
                self._put_lines(data)
                data = self._receive()
        except BenchError as error:
            self._inbox.end(error)
            if isinstance(error, ConnectionLostError) and not self._over.is_set():
                self._transport.abort()

    def _put_lines(self, data: bytes) -> None:
        try:
            for line in self._lines.feed(data):
                message = self._decode(line)
                self._rations.take(message, len(line))
                log_received(self._board.name, message)
                self._inbox.put(message, len(line))
            if len(self._lines) > LINE_LIMIT_BYTES:
                raise ProtocolError(f"a line of more than {LINE_LIMIT_BYTES >> 20} MB")
        except ProtocolError as error:
            raise self._senseless(error) from error

    def _decode(self, line: bytes) -> Message:
        """Return the message of a line; where it makes no sense of a run, that this run failed."""
        try:
            return decode(line)
        except ProtocolError as error:
            if error.run is None:
                raise
            told = self._senseless(error)
            return Failed(error.run, CONNECTION, CANCELLED, told.message, told.hint)

    def _senseless(self, error: ProtocolError) -> ProtocolError:
        where = f"board {self._board.name!r}: the agent said something that is no message"
        return ProtocolError(f"{where}: {error.message}", hint="push again; if it comes back, report it")

    def _receive(self) -> bytes:
        try:
            data = self._channel.recv(CHUNK_BYTES)
        except TimeoutError as error:
            raise self._silent(self._silence_limit_s) from error
        except OSError as error:
            raise self._gone(error) from error
        if data:
            return data
        raise self._ended()

    def _read_stderr(self) -> None:
        lines = LineBuffer()
        while True:
            try:
                data = self._channel.recv_stderr(CHUNK_BYTES)
            except TimeoutError:
                continue
            except OSError:
                break
            if not data:
                break
            for line in lines.feed(data):
                self._note_stderr(line)
            if len(lines) > STDERR_LINE_BYTES:
                self._note_stderr(lines.rest())
        if len(lines):
            self._note_stderr(lines.rest())

    def _note_stderr(self, line: bytes) -> None:
        text = line[:STDERR_LINE_BYTES].decode("utf-8", "replace")
        log_stderr(self._board.name, text)
        self._stderr.append(text)

    def _speak(self, interval_s: float) -> None:
        """Send what is posted, and a beat where that is nothing for `interval_s`; ends with None."""
        while True:
            try:
                message = self._posted.get(timeout=interval_s)
            except queue.Empty:
                message = Beat()
            if message is None:
                return
            try:
                self.send(message)
            except ConnectionLostError:
                return  # the reader finds out why, and says so

    # -- parts ------------------------------------------------------------------------------------

    def _run_thread(self, target: object, *arguments: object) -> None:
        assert callable(target)
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _write_all(self, data: bytes) -> None:
        try:
            with self._write:
                self._channel.send(data)
        except OSError as error:
            raise self._gone(error) from error

    def _check_hello(self, line: str, agent: AgentZip) -> Hello:
        try:
            hello = decode(line[line.index(HELLO_START) :].encode())
        except (ProtocolError, ValueError) as error:
            raise ProtocolError(f"board {self._board.name!r}: no hello: {line[:80]!r}") from error
        if not isinstance(hello, Hello) or hello.protocol != PROTOCOL or hello.digest != agent.digest:
            raise ProtocolError(
                f"board {self._board.name!r}: the agent there is not the one that was sent: {line[:200]}",
                hint=f"delete {self._board.cache_dir}/agents on the board, then push again",
            )
        log_received(self._board.name, hello)
        return hello

    def _silent(self, limit_s: float) -> ConnectionLostError:
        return ConnectionLostError(
            f"board {self._board.name!r}: nothing heard for {limit_s:g} s",
            hint="check power, cable and network; the agent there ends by itself and cleans up",
        )

    def _gone(self, error: OSError) -> ConnectionLostError:
        return ConnectionLostError(
            f"board {self._board.name!r}: the connection to the agent is gone ({error or 'closed'})",
            hint="check board and network, then push again",
        )

    def _ended(self) -> BenchError:
        """Return what it means that the channel has closed."""
        status = self._channel.exit_status(1.0)
        name, started = self._board.name, hasattr(self, "hello")
        self._threads[0].join(1.0)
        said = "\n".join(line for line in self._stderr if line.strip())
        if not started and status in (126, 127):
            return NoPythonError(
                f"board {name!r}: no Python there: {self._board.python!r} cannot be run ({said or status})",
                hint="install python3 (3.8 or newer) there, or name it: bench boards add ... --python PATH",
            )
        if status is None:
            return ConnectionLostError(
                f"board {name!r}: the connection broke off",
                hint="check power, cable and network, then push again",
            )
        when = "while it ran" if started else "at its start"
        return (ConnectionLostError if started else BoardError)(
            f"board {name!r}: the agent ended {when} with exit status {status}",
            hint=f"its last words:\n{said}"
            if said
            else "it said nothing; was it killed? see dmesg on the board",
        )
