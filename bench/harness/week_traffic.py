"""Clients of the week: each request a conversation of its own, at a rate that is set from outside."""

import http.client
import json
import queue
import threading
import time

CLIENTS = 12
MAX_WAITING = 200  # what comes on top is not asked: the machine is slower than the week


class Traffic:
    def __init__(self, port: int, target: str):
        self.port, self.target = port, target
        self.rate = 1.0
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.by = {"primary": 0, "candidate": 0, "failed": 0, "not_asked": 0}
        self.waiting: queue.Queue[int] = queue.Queue(MAX_WAITING)
        self.clients = [threading.Thread(target=self.ask_all, daemon=True) for _ in range(CLIENTS)]

    def set_rate(self, per_second: float) -> None:
        self.rate = per_second

    def counts(self) -> dict:
        with self.lock:
            return dict(self.by)

    def stop(self) -> None:
        self.stopping.set()
        for client in self.clients:
            client.join(10)

    def run(self) -> None:
        for client in self.clients:
            client.start()
        number, due = 0, time.monotonic()
        while not self.stopping.is_set():
            due += 1 / self.rate
            time.sleep(max(0.0, due - time.monotonic()))
            due = max(due, time.monotonic() - 1)
            number += 1
            try:
                self.waiting.put_nowait(number)
            except queue.Full:
                self.count("not_asked")

    def count(self, what: str) -> None:
        with self.lock:
            self.by[what] += 1

    def ask_all(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self.stopping.is_set():
            try:
                number = self.waiting.get(timeout=0.2)
            except queue.Empty:
                continue
            try:
                body = {"messages": [{"role": "user", "content": [{"text": f"Where is parcel {number}?"}]}]}
                connection.request("POST", self.target, json.dumps(body), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                self.count(answer.getheader("x-understudy-variant", "failed") if answer.status == 200 else "failed")
            except (OSError, http.client.HTTPException):
                connection.close()
                self.count("failed")
        connection.close()
