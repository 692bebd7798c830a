"""Syscalls per request by kind, from strace -c on each thread by itself. Exact, and blind to noise."""

import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from .contestants import Proxy
from .machine import PEER_CORE, BenchError, pinned
from .peer import Peer

KINDS = {
    "reads": {"read", "readv", "recvfrom", "recvmsg", "recvmmsg", "pread64"},
    "writes": {"write", "writev", "sendto", "sendmsg", "sendmmsg", "sendfile"},
    "waits": {"epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll"},
    "epoll_ctl": {"epoll_ctl"},
    "futex": {"futex"},
    "timerfd": {"timerfd_settime", "timerfd_create"},
}
ROW = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$")


def why_unavailable() -> str | None:
    if not shutil.which("strace"):
        return "strace is not installed"
    traced = subprocess.run(["strace", "-c", "-o", "/dev/null", "true"], capture_output=True, text=True)
    return None if traced.returncode == 0 else f"strace may not trace here: {traced.stderr.strip()}"


def parse(summary: str) -> dict[str, int]:
    rows = (ROW.match(line) for line in summary.splitlines())
    return {row[2]: int(row[1]) for row in rows if row and row[2] != "total"}


def by_kind(calls: dict[str, int], requests: int) -> dict[str, float]:
    known = {kind: sum(calls.get(name, 0) for name in names) for kind, names in KINDS.items()}
    known["other"] = sum(calls.values()) - sum(known.values())
    return {kind: count / requests for kind, count in known.items()}


def role_of(comm: str) -> str:
    """Threads by name. Understudy names those it starts; the proxies with one thread bear the program's name."""
    if comm in ("nginx", "haproxy") or comm.startswith("io"):
        return "io"
    return "main" if comm.startswith("understudy") else comm


class Tracer:
    """strace -c on one thread, from attached to stopped."""

    def __init__(self, tid: int, directory: Path):
        self.file = directory / f"strace.{tid}"
        self.noise = directory / f"strace.{tid}.err"
        with self.noise.open("wb") as errors:
            command = ["strace", "-c", "-U", "time-percent,total-time,avg-time,calls,errors,name",
                       "-o", str(self.file), "-p", str(tid)]
            self.child = subprocess.Popen(pinned(PEER_CORE, command), stderr=errors)

    def wait_attached(self):
        for _ in range(500):
            if "attached" in self.noise.read_text():
                return
            if self.child.poll() is not None:
                break
            time.sleep(0.01)
        raise BenchError(f"strace did not attach: {self.noise.read_text()}")

    def stop(self) -> dict[str, int]:
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGINT)
        try:
            self.child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        return parse(self.file.read_text()) if self.file.exists() else {}


def measure(proxy: Proxy, peer: Peer, directory: Path, body: int, requests: int = 4000) -> dict:
    """Per request and thread role: {"io": {"reads": 2.0, ...}, "shadow": {...}}, with "mirrored" as a share."""
    load = dict(target=proxy.port, body=body, auth=proxy.contestant.auth)
    peer.ask("closed", requests=1000, warmup=0.2, seconds=20, **load)  # pools are filled, threads there
    roles: dict[str, dict[str, int]] = {}
    tracers = {}
    try:
        for tid, comm in proxy.threads().items():
            tracers[tid] = (role_of(comm), Tracer(tid, directory))
        for _, tracer in tracers.values():
            tracer.wait_attached()
        before = peer.ask("counters")
        peer.ask("closed", requests=requests, warmup=0, seconds=60, **load)
        time.sleep(0.3)  # shadow work that is still under way
        after = peer.ask("counters")
    finally:
        for role, tracer in tracers.values():
            counted = roles.setdefault(role, {})
            for name, calls in tracer.stop().items():
                counted[name] = counted.get(name, 0) + calls
    served = after["primary"] - before["primary"]
    result = {role: by_kind(calls, served) for role, calls in roles.items()}
    result["requests"] = served
    result["mirrored"] = (after["candidate"] - before["candidate"]) / served
    result["calls"] = roles
    return result
