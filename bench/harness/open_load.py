"""An open load over HTTP/1.1: requests begin at random times whether earlier ones have been answered or not, and it is
kept when each began, who served it and how it ended. Beside it event streams that are read to their end.

One thread with an event loop of its own; times are time.monotonic_ns().
"""

import asyncio
import json
import random
import threading
import time
from dataclasses import dataclass, field

MAX_CONNECTIONS = 2000
PATIENCE = 30  # seconds for one answer
# A load that was not let run for longer does not ask all at once for what it missed: no client would.
LONGEST_LATE = 0.25


@dataclass
class Asked:
    begun: int
    ended: int = 0
    variant: str = ""
    failure: str = ""  # empty: a whole answer with status 200


@dataclass
class Answer:
    """What a connection is waiting for."""

    asked: Asked
    stream: bool
    buffer: bytearray = field(default_factory=bytearray)
    done: asyncio.Future | None = None


class Connection(asyncio.Protocol):
    """One request at a time; free again once its answer is whole."""

    def __init__(self, load: "OpenLoad"):
        self.load = load
        self.transport: asyncio.Transport | None = None
        self.answer: Answer | None = None

    def connection_made(self, transport) -> None:
        self.transport = transport

    def ask(self, answer: Answer, request: bytes) -> None:
        self.answer = answer
        answer.asked.begun = time.monotonic_ns()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self.answer is None:
            return self.end("bytes that nobody asked for")
        self.answer.buffer += data
        head_end = self.answer.buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = bytes(self.answer.buffer[:head_end]).lower()
        if self.answer.stream and b"transfer-encoding: chunked" in head:
            whole = self.answer.buffer.endswith(b"\r\n0\r\n\r\n")
        else:
            length = int(header(head, b"content-length") or 0)
            whole = len(self.answer.buffer) >= head_end + 4 + length
        if not self.answer.asked.variant:
            self.answer.asked.variant = header(head, b"x-understudy-variant").decode()
        if not whole:
            return
        status = head.split(b" ", 2)[1]
        failure = "" if status == b"200" else f"status {status.decode()}"
        if self.answer.stream and not failure and b"messageStop" not in self.answer.buffer:
            failure = "a stream without its end"
        self.end(failure)

    def connection_lost(self, _error) -> None:
        self.load.lost(self)
        if self.answer is not None:
            self.end("the connection was closed")

    def end(self, failure: str) -> None:
        answer, self.answer = self.answer, None
        if answer is None:
            return
        answer.asked.ended = time.monotonic_ns()
        answer.asked.failure = failure
        if failure:
            self.transport.abort()
        else:
            self.load.free.append(self)
        if answer.done and not answer.done.done():
            answer.done.set_result(None)


def header(head: bytes, name: bytes) -> bytes:
    at = head.find(b"\r\n" + name + b":")
    return head[at + len(name) + 3:].split(b"\r\n", 1)[0].strip() if at >= 0 else b""


class OpenLoad:
    """`quick` and `slow` are model ids: of the single answers, and of the streams."""

    def __init__(self, port: int, quick: str, slow: str, rate: float):
        self.port, self.quick, self.slow, self.rate = port, quick, slow, rate
        self.requests: list[Asked] = []
        self.streams: list[Asked] = []
        self.late_ms = 0.0  # the most that a request began behind its time
        self.missed = 0  # requests that never began, since the machine did not let this load run
        self.free: list[Connection] = []
        self.connections = 0
        self.number = 0
        self.under_way: set[asyncio.Task] = set()
        self.loop = asyncio.new_event_loop()
        self.stopping = False
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self.run(),), daemon=True)

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        """Returns once everything that was asked has ended."""
        self.stopping = True
        self.thread.join(2 * PATIENCE)

    def begin_streams(self, count: int) -> list[Asked]:
        """Returns when each has an answer's head."""
        begun = [Asked(0) for _ in range(count)]
        self.streams += begun
        for asked in begun:
            asyncio.run_coroutine_threadsafe(self.ask(asked, stream=True), self.loop)
        end = time.monotonic() + PATIENCE
        while not all(asked.variant or asked.ended for asked in begun) and time.monotonic() < end:
            time.sleep(0.005)
        return begun

    # --- On the loop

    async def run(self) -> None:
        due = time.monotonic()
        while not self.stopping:
            due += random.expovariate(self.rate)
            pause = due - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            elif -pause > LONGEST_LATE:
                self.missed += int(-pause * self.rate)
                due = time.monotonic()
            else:
                self.late_ms = max(self.late_ms, -pause * 1000)
                await asyncio.sleep(0)
            asked = Asked(0)
            self.requests.append(asked)
            self.spawn(self.ask(asked, stream=False))
        while self.under_way:
            await asyncio.wait(self.under_way)
        for connection in self.free:
            connection.transport.abort()

    def spawn(self, work) -> None:
        task = self.loop.create_task(work)
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def ask(self, asked: Asked, stream: bool) -> None:
        try:
            connection = await self.connection()
        except OSError as error:
            asked.begun = asked.begun or time.monotonic_ns()
            asked.ended, asked.failure = time.monotonic_ns(), f"no connection: {error}"
            return
        answer = Answer(asked, stream, done=self.loop.create_future())
        connection.ask(answer, self.request(stream))
        try:
            await asyncio.wait_for(answer.done, PATIENCE)
        except asyncio.TimeoutError:
            connection.end("no answer in time")

    async def connection(self) -> Connection:
        while self.free:
            connection = self.free.pop()
            if not connection.transport.is_closing():
                return connection
        if self.connections >= MAX_CONNECTIONS:
            raise OSError("too many requests are waiting for their answers")
        self.connections += 1
        try:
            _, connection = await self.loop.create_connection(lambda: Connection(self), "127.0.0.1", self.port)
        except OSError:
            self.connections -= 1
            raise
        return connection

    def lost(self, connection: Connection) -> None:
        self.connections -= 1
        if connection in self.free:
            self.free.remove(connection)

    def request(self, stream: bool) -> bytes:
        """A conversation of its own: who serves is drawn anew."""
        self.number += 1
        body = json.dumps({"messages": [{"role": "user", "content": [{"text": f"Where is parcel {self.number}?"}]}]})
        target = f"/model/{self.slow}/converse-stream" if stream else f"/model/{self.quick}/converse"
        return (f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}").encode()
