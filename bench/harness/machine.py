"""The machine under the bench: cores, ports, processes of ours, memory."""

import os
import platform
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PROXY_CORE = 0  # the proxy alone
PEER_CORE = 1  # load and upstream

QUIET_LOAD = 0.5


class BenchError(Exception):
    """Something that makes a figure impossible; its text is for people."""


_given_ports: set[int] = set()


def free_port() -> int:
    """Never the same twice: whoever got the first may not listen yet."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _given_ports:
            _given_ports.add(port)
            return port


def pinned(core: int, command: list[str]) -> list[str]:
    return ["taskset", "-c", str(core), *command]


class Process:
    """A child of ours, pinned to a core; killed by its own pid when left."""

    def __init__(self, command: list[str], core: int, log: Path, **popen):
        self.log = log
        with log.open("ab") as output:
            self.child = subprocess.Popen(
                pinned(core, command), stderr=output, **({"stdout": output} | popen)
            )
        self.pid = self.child.pid  # taskset becomes the program itself

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def alive(self) -> bool:
        return self.child.poll() is None

    def stop(self):
        if self.alive():
            # Not SIGTERM: draining is not what is measured here.
            self.child.send_signal(signal.SIGKILL)
        self.child.wait(timeout=10)

    def wait_for_port(self, port: int, seconds: float = 10):
        """Stops the process where it does not come."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.alive():
                break
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.01)
        self.stop()
        raise BenchError(f"no listener on port {port}; the log ends: {self.log_end()}")

    def log_end(self) -> str:
        return self.log.read_text(errors="replace")[-800:].strip() or "(empty)"

    def resident_kib(self) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise BenchError(f"process {self.pid} has no VmRSS")

    def cpu_seconds(self) -> float:
        """Of all its threads, so far."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def threads(self) -> dict[int, str]:
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return {int(task.name): (task / "comm").read_text().strip() for task in tasks}


def first_line(command: list[str]) -> str:
    if not shutil.which(command[0]):
        return "not installed"
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    return ((done.stdout or done.stderr).splitlines() or [""])[0].strip()


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def facts(repository: Path) -> dict:
    commit = ["git", "-C", str(repository), "describe", "--always", "--dirty"]
    return {
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()) + " UTC",
        "commit": first_line(commit),
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load_average_at_start": os.getloadavg()[0],
        "nginx": first_line(["nginx", "-v"]),
        "haproxy": first_line(["haproxy", "-v"]),
        "nghttpx": first_line(["nghttpx", "--version"]),
    }


def check_machine():
    if (os.cpu_count() or 1) < 2:
        raise BenchError("two cores are needed: one for the proxy, one for the load")
    if not shutil.which("taskset"):
        raise BenchError("taskset is missing (Debian: util-linux)")
