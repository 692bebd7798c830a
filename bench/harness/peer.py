"""bench-peer as a child: one line in, one JSON line out."""

import json
import select
import subprocess
from pathlib import Path

from .machine import PEER_CORE, BenchError, Process


class Peer(Process):
    def __init__(self, program: Path, log: Path):
        super().__init__(
            [str(program)], PEER_CORE, log, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.ports = self._read_line(10)

    def ask(self, verb: str, **keys) -> dict:
        """Runs one command and waits for its end, within bounds."""
        pairs = [f"{key}={value}" for key, value in keys.items()]
        try:
            self.child.stdin.write((" ".join([verb, *pairs]) + "\n").encode())
            self.child.stdin.flush()
        except BrokenPipeError:
            raise BenchError(f"bench-peer died; the log ends: {self.log_end()}") from None
        longest = keys.get("seconds", 3) + keys.get("warmup", 0.5) + 3 * keys.get("timeout", 3) + 10
        answer = self._read_line(longest)
        if "error" in answer:
            raise BenchError(f"bench-peer: {verb}: {answer['error']}")
        if answer.get("errors"):
            raise BenchError(
                f"{verb}: {answer['errors']} wrong answers, the first: {answer['first_error']}"
            )
        samples = {"closed": ["latency"], "open": ["latency"], "streams": ["first_byte", "age"]}
        for what in samples.get(verb, []):
            if not answer[what]["count"]:
                raise BenchError(f"{verb}: not one {what} in {answer['seconds']:.1f} s")
        if answer.get("upstream", {}).get("malformed"):
            raise BenchError(f"{verb}: the upstream got malformed requests")
        return answer

    def _read_line(self, seconds: float) -> dict:
        ready, _, _ = select.select([self.child.stdout], [], [], seconds)
        line = self.child.stdout.readline() if ready else b""
        if not line:
            state = "died" if not self.alive() else f"said nothing for {seconds:.0f} s"
            raise BenchError(f"bench-peer {state}; the log ends: {self.log_end()}")
        return json.loads(line)
