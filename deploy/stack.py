"""Starts the Bedrock simulator and the proxy on loopback and stops them again.

Used by the quick start and by the tests with real clients. Every process started here is ended here, by its pid.
"""

import http.client
import json
import pathlib
import signal
import socket
import subprocess
import time


class StackError(Exception):
    """A program did not start; the text says which and shows the end of its log."""


def free_port(preferred=0):
    """The preferred port if nobody listens there, else any free one."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise StackError("no free port on 127.0.0.1")


def get(port, path, timeout=10):
    """GET from a program of the stack: (status, body as bytes)."""
    return _request("GET", port, path, None, timeout)


def post(port, path, body=b"", timeout=10):
    return _request("POST", port, path, body, timeout)


def get_json(port, path):
    status, body = get(port, path)
    if status != 200:
        raise StackError(f"GET {path} on port {port} answered {status}: {body[:200]!r}")
    return json.loads(body)


def _request(method, port, path, body, timeout):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Program:
    """One child process with its log file."""

    def __init__(self, name, command, log, environment=None):
        self.name = name
        self.log = pathlib.Path(log)
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=subprocess.STDOUT, env=environment, start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    def log_text(self):
        return self.log.read_text(errors="replace")

    def wait_until(self, ready, seconds=60):
        """Returns once ready() holds; an early exit or the end of patience is an error that shows the log."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise StackError(f"{self.name} ended with status {self.process.returncode}:\n{self.log_text()[-2000:]}")
            try:
                if ready():
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise StackError(f"{self.name} was not ready after {seconds} s:\n{self.log_text()[-2000:]}")

    def stop(self, seconds=30):
        """SIGTERM, then SIGKILL after a while; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


class Stack:
    """The simulator and the proxy. `programs` is a build directory, `directory` takes configs, logs and records."""

    def __init__(self, programs, directory):
        self.programs = pathlib.Path(programs)
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.simulator = None
        self.proxy = None
        self.simulator_port = self.port = self.admin_port = 0

    def start_simulator(self, config, preferred_port=0):
        self.simulator_port = free_port(preferred_port)
        self.simulator = Program(
            "bedrock-simulator",
            [self.programs / "bedrock-simulator", "--config", config, "--port", self.simulator_port],
            self.directory / "simulator.log")
        self.simulator.wait_until(lambda: get(self.simulator_port, "/_simulator/counts")[0] == 200)

    def start_proxy(self, config_text, replacements, port=8080, admin_port=9901, environment=None):
        """Writes the config with its addresses put in, and starts the proxy with it.

        `replacements` maps texts of the config to what stands in their place; each must occur.
        """
        self.port, self.admin_port = free_port(port), free_port(admin_port)
        replacements = {"127.0.0.1:8080": f"127.0.0.1:{self.port}", "127.0.0.1:9901": f"127.0.0.1:{self.admin_port}",
                        **replacements}
        for old, new in replacements.items():
            if old not in config_text:
                raise StackError(f"the config has no {old!r} to replace")
            config_text = config_text.replace(old, new)
        config = self.directory / "config.yaml"
        config.write_text(config_text)
        self.proxy = Program("understudy", [self.programs / "understudy", "serve", "--config", config],
                             self.directory / "understudy.log", environment)
        self.proxy.wait_until(lambda: get(self.admin_port, "/readyz")[0] == 200)

    def stop(self):
        """Ends both, the proxy first so that it drains against a living upstream. Returns their exit statuses."""
        return {program.name: program.stop() for program in (self.proxy, self.simulator) if program is not None}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
