"""The measurements. Each section yields plain rows; nothing is judged here.

Fairness: proxies run one at a time, each alone on its core and fresh; a group is its anchor (nginx), up to five
contestants, the anchor again; every other round runs backwards; a ratio is taken against the two anchor runs next to it.
"""

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

from . import syscalls
from .contestants import ALL, Contestant, Proxy, TlsEnd, upstreams_of
from .machine import PEER_CORE, BenchError, pinned
from .peer import Peer

CONNECTIONS = 32
BUSY = 0.85  # of its core, or the load was the bottleneck and not the proxy
BODIES = {"2k": 2048, "64k": 65536}
RATE = 1000  # open loop, requests a second
STREAMS = 50
HELD = 1000

# (anchor, contestants): at most five between two runs of the anchor.
THROUGHPUT_GROUPS = [
    ("nginx", ["understudy-off-signed", "understudy-off-bearer", "understudy-10-signed",
               "understudy-10-bearer", "nginx-one-read"]),
    ("nginx-mirror", ["understudy-100-signed", "understudy-100-bearer"]),
    ("nginx", ["understudy-hung-signed", "understudy-hung-bearer", "haproxy"]),
]
UNDERSTUDY = [f"understudy-{mirror}-{auth}" for mirror in ("off", "10", "100", "hung") for auth in ("bearer", "signed")]
LATENCY = ["direct", "nginx", "nginx-mirror", "haproxy", *UNDERSTUDY]
STREAMING = ["direct", "nginx-unbuffered", "nginx-mirror-unbuffered", "haproxy", *UNDERSTUDY]
HTTP2 = ["understudy-off-bearer", "understudy-off-signed"]
TLS_UPSTREAM = ["understudy-to-tls-bearer", "understudy-to-tls-signed", "haproxy-to-tls"]
MEMORY = ["nginx", "nginx-mirror", "haproxy", "understudy-off-signed", "understudy-100-signed"]
SYSCALLS = ["nginx", "nginx-mirror", "haproxy", *UNDERSTUDY]
SEQUENCES = ["nginx-mirror", "nginx-mirror-hung", "understudy-100-bearer", "understudy-hung-bearer"]


@dataclass
class Bench:
    peer: Peer
    understudy: Path | None
    directory: Path
    rounds: int
    seconds: float
    deadline: float  # time.monotonic() after which no new run begins
    wanted: set[str]
    failures: list[str] = field(default_factory=list)
    runs: int = 0
    tls_end: TlsEnd | None = None  # while it is measured

    def takes_part(self, name: str) -> bool:
        return name in self.wanted and ALL[name].available(self.understudy)

    def run(self, name: str, what, *arguments, **keys) -> dict | None:
        """One fresh proxy, one measurement; None (and a line of `failures`) when it is worth nothing."""
        if time.monotonic() > self.deadline:
            note = "out of time: --max-minutes ended the bench early"
            if note not in self.failures:
                self.failures.append(note)
            return None
        contestant = ALL[name]
        self.runs += 1
        directory = self.directory / f"{self.runs:03}-{name}"
        try:
            if contestant.kind == "direct":
                return what(self, contestant, None, *arguments, **keys)
            upstreams = upstreams_of(contestant, self.peer, self.tls_end)
            with Proxy(contestant, upstreams, directory, self.understudy) as proxy:
                row = what(self, contestant, proxy, *arguments, **keys)
                if not proxy.alive():
                    raise BenchError(f"died; the log ends: {proxy.log_end()}")
                return row
        except BenchError as problem:
            self.failures.append(f"{name}: {problem}")
            return None


def load_keys(bench: Bench, contestant: Contestant, proxy: Proxy | None) -> dict:
    if proxy is None:
        return dict(target=bench.peer.ports["primary"], auth=contestant.auth)
    return dict(target=proxy.port, pid=proxy.pid, auth=contestant.auth)


def in_turn(names: list[str], round_number: int) -> list[str]:
    return names if round_number % 2 == 0 else names[::-1]


# --- throughput ---------------------------------------------------------------------------------------------------


def throughput_run(bench: Bench, contestant: Contestant, proxy: Proxy | None, body: int) -> dict:
    answer = bench.peer.ask("closed", connections=CONNECTIONS, seconds=bench.seconds, body=body,
                            **load_keys(bench, contestant, proxy))
    row = {"contestant": contestant.name, "body": body, "rps": answer["rps"],
           "p50_us": answer["latency"]["p50_us"], "p99_us": answer["latency"]["p99_us"]}
    if proxy is None:
        return row
    check_upstream(contestant, answer)
    requests, process = answer["requests"], answer["process"]
    threads: dict[str, float] = {}
    for thread in process["threads"]:
        role = syscalls.role_of(thread["name"])
        threads[role] = threads.get(role, 0) + thread["cpu_ns"] / 1e3 / requests
    row |= {
        "per_cpu_second": requests / (process["cpu_ns"] / 1e9),
        "cpu_us": process["cpu_ns"] / 1e3 / requests,
        "user_us": process["user_s"] * 1e6 / requests,
        "thread_us": threads,
        "core_used": process["cpu_ns"] / 1e9 / answer["seconds"],
        "mirrored": answer["upstream"]["candidate"] / requests,
        "hung_connections": answer["upstream"]["hung_connections"],
    }
    row["core_busy"] = row["core_used"] >= BUSY
    row["full_mirror_per_cpu_second"] = full_mirror(row) if contestant.mirror == 100 else None
    return row


def full_mirror(row: dict) -> float | None:
    """Requests per CPU-second had every one been mirrored: dropping copies must not look like speed."""
    if row["mirrored"] <= 0:
        return None
    if row["mirrored"] > 0.99 or "io" not in row["thread_us"]:
        return row["per_cpu_second"]
    behind = row["cpu_us"] - row["thread_us"]["io"]
    return 1e6 / (row["thread_us"]["io"] + behind / row["mirrored"])


def check_upstream(contestant: Contestant, answer: dict):
    """What reached the upstream is what this contestant is there to send."""
    upstream = answer["upstream"]
    calls = upstream["primary"] + upstream["candidate"]
    if upstream["sigv4" if contestant.signed else "bearer"] != calls:
        raise BenchError(f"of {calls} upstream requests only {upstream} carried {contestant.auth}")
    share = upstream["candidate"] / max(1, answer["requests"])
    expected = 0 if contestant.hung else contestant.mirror / 100
    if share > expected * 1.2 + 0.001 or (expected and share < expected * 0.02):
        raise BenchError(f"mirrored {share:.1%} of the requests, expected {expected:.0%}")


def throughput(bench: Bench, say) -> list[dict]:
    rows = []
    for round_number in range(bench.rounds):
        for body in BODIES.values():
            if bench.takes_part("direct"):
                row = bench.run("direct", throughput_run, body)
                rows += [row | {"round": round_number}] if row else []
            for anchor, names in THROUGHPUT_GROUPS:
                rows += group(bench, anchor, names, round_number, throughput_run, body)
        say(f"throughput: round {round_number + 1} of {bench.rounds}")
    return rows


def group(bench: Bench, anchor: str, names: list[str], round_number: int, run, *arguments) -> list[dict]:
    names = [name for name in in_turn(names, round_number) if bench.takes_part(name)]
    with_anchor = bench.takes_part(anchor)
    around = [bench.run(anchor, run, *arguments)] if with_anchor else []
    rows = [row for row in (bench.run(name, run, *arguments) for name in names) if row]
    if with_anchor and rows:
        around.append(bench.run(anchor, run, *arguments))
    around = [row for row in around if row]
    for row in rows:
        row["anchor"] = anchor
        for key in ("per_cpu_second", "user_us"):
            if around and key in around[0]:
                row["anchor_" + key] = mean(one[key] for one in around)
    return [row | {"round": round_number} for row in [*around, *rows]]


# --- latency ------------------------------------------------------------------------------------------------------


def latency_run(bench: Bench, contestant: Contestant, proxy: Proxy | None) -> dict:
    answer = bench.peer.ask("open", rate=RATE, connections=CONNECTIONS, seconds=bench.seconds, body=2048,
                            **load_keys(bench, contestant, proxy))
    return {"contestant": contestant.name, "p50_us": answer["latency"]["p50_us"],
            "p90_us": answer["latency"]["p90_us"], "p99_us": answer["latency"]["p99_us"]}


def streams_run(bench: Bench, contestant: Contestant, proxy: Proxy | None) -> dict:
    answer = bench.peer.ask("streams", connections=STREAMS, deltas=25, interval_ms=10, seconds=bench.seconds,
                            **load_keys(bench, contestant, proxy))
    return {"contestant": contestant.name, "streams": answer["requests"],
            "first_byte_p50_us": answer["first_byte"]["p50_us"],
            "first_byte_p90_us": answer["first_byte"]["p90_us"],
            "age_p50_us": answer["age"]["p50_us"], "age_p90_us": answer["age"]["p90_us"]}


def each_round(bench: Bench, names: list[str], run, title: str, say) -> list[dict]:
    rows = []
    for round_number in range(bench.rounds):
        for name in in_turn(names, round_number):
            row = bench.run(name, run) if bench.takes_part(name) else None
            rows += [row | {"round": round_number}] if row else []
        say(f"{title}: round {round_number + 1} of {bench.rounds}")
    return rows


def latency(bench: Bench, say) -> list[dict]:
    return each_round(bench, LATENCY, latency_run, "latency", say)


def streams(bench: Bench, say) -> list[dict]:
    return each_round(bench, STREAMING, streams_run, "streams", say)


# --- HTTP/2 and TLS -----------------------------------------------------------------------------------------------


def on_peer_core(command: list, seconds: float) -> str:
    """What a load of others says, run beside the fake Bedrock."""
    try:
        done = subprocess.run(pinned(PEER_CORE, [str(word) for word in command]), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=10 * seconds + 60, check=False)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{command[0]} did not end") from None
    if done.returncode:
        raise BenchError(f"{command[0]} ended with {done.returncode}: {(done.stdout + done.stderr)[-300:]}")
    return done.stdout


def per_cpu_second(proxy: Proxy, what, *arguments) -> dict:
    """`what` gives how many it did, and in how many seconds."""
    before = proxy.cpu_seconds()
    done, seconds = what(*arguments)
    cpu = proxy.cpu_seconds() - before
    return {"per_cpu_second": done / cpu, "cpu_us": cpu * 1e6 / done, "core_used": cpu / seconds, "rps": done / seconds}


def h2load(target: int, body: Path, requests: int, seconds: float) -> tuple[int, float]:
    said = on_peer_core(["h2load", "--requests", requests, "--clients", 4, "--max-concurrent-streams", CONNECTIONS // 4,
                         "--data", body, "--header", "content-type: application/json",
                         "--header", "authorization: Bearer bedrock-api-key-BENCH",
                         f"http://127.0.0.1:{target}/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"], seconds)
    took = re.search(r"finished in ([0-9.]+)(ms|s),", said)
    if f" {requests} succeeded, 0 failed, 0 errored" not in said or f"status codes: {requests} 2xx" not in said or not took:
        raise BenchError(f"h2load: not every request was answered: {said[-600:]}")
    return requests, float(took[1]) / (1000 if took[2] == "ms" else 1)


def h2_run(bench: Bench, contestant: Contestant, proxy: Proxy | None) -> dict:
    body = proxy.log.parent / "body.json"
    body.write_text('{"messages":[{"role":"user","content":[{"text":"' + "x" * 1980 + '"}]}]}')
    done, seconds = h2load(proxy.port, body, 1000, bench.seconds)
    requests = max(1000, int(done / seconds * bench.seconds))
    return {"contestant": contestant.name, **per_cpu_second(proxy, h2load, proxy.port, body, requests, bench.seconds)}


def http2(bench: Bench, say) -> list[dict]:
    rows = []
    for round_number in range(bench.rounds):
        rows += group(bench, "nghttpx", HTTP2, round_number, h2_run)
        say(f"HTTP/2: round {round_number + 1} of {bench.rounds}")
    return rows


def handshakes(port: int, certificate: Path, kind: str, seconds: float) -> tuple[int, float]:
    said = json.loads(on_peer_core([sys.executable, Path(__file__).parent / "handshakes.py", port, certificate, kind, seconds],
                                   seconds))
    return said["handshakes"], said["seconds"]


def tls_run(bench: Bench, contestant: Contestant, proxy: Proxy | None, kind: str) -> dict:
    certificate = proxy.log.parent / "tls.crt"
    handshakes(proxy.port, certificate, kind, 0.3)
    return {"contestant": contestant.name, "kind": kind,
            **per_cpu_second(proxy, handshakes, proxy.port, certificate, kind, bench.seconds)}


def tls(bench: Bench, say) -> list[dict]:
    rows = []
    for round_number in range(bench.rounds):
        for kind in ("full", "resumed"):
            rows += group(bench, "nginx-tls", ["understudy-tls"], round_number, tls_run, kind)
        say(f"TLS: round {round_number + 1} of {bench.rounds}")
    return rows


def tls_upstream(bench: Bench, say) -> list[dict]:
    if not TlsEnd.available():
        bench.failures.append("TLS to the upstream: haproxy, which speaks it for the fake Bedrock, is not installed")
        return []
    rows = []
    with TlsEnd(bench.peer, bench.directory / "tls-end") as bench.tls_end:
        for round_number in range(bench.rounds):
            for body in BODIES.values():
                rows += group(bench, "nginx-to-tls", TLS_UPSTREAM, round_number, throughput_run, body)
            say(f"TLS to the upstream: round {round_number + 1} of {bench.rounds}")
    return rows


# --- memory -------------------------------------------------------------------------------------------------------


def memory_run(bench: Bench, contestant: Contestant, proxy: Proxy | None, kind: str, body: int) -> dict:
    keys = load_keys(bench, contestant, proxy)
    bench.peer.ask("closed", connections=4, requests=200, seconds=5, warmup=0.1, body=body, **keys)
    before = proxy.resident_kib()
    try:
        answer = bench.peer.ask("hold", connections=HELD, kind=kind, body=body, seconds=20, **keys)
        if answer["held"] != HELD:
            raise BenchError(f"held {answer['held']} of {HELD} connections")
        time.sleep(3)  # what is given back once a connection waits, is back
        after = proxy.resident_kib()
    finally:
        bench.peer.ask("release")
    return {"contestant": contestant.name, "kind": kind, "body": body,
            "kib_per_connection": (after - before) / HELD, "resident_kib": after}


def memory(bench: Bench, say) -> list[dict]:
    rows = []
    for round_number in range(min(bench.rounds, 3)):
        for name in (name for name in in_turn(MEMORY, round_number) if bench.takes_part(name)):
            for kind, body in (("idle", 2048), ("idle", 65536), ("stream", 2048)):
                row = bench.run(name, memory_run, kind, body)
                rows += [row] if row else []
    say("memory: done")
    return rows


# --- syscalls, hung mirror ----------------------------------------------------------------------------------------


def syscalls_run(bench: Bench, contestant: Contestant, proxy: Proxy | None) -> dict:
    counted = syscalls.measure(proxy, bench.peer, proxy.log.parent, body=2048)
    return {"contestant": contestant.name} | counted


def count_syscalls(bench: Bench, say) -> list[dict]:
    reason = syscalls.why_unavailable()
    if reason:
        bench.failures.append(f"syscalls are not counted: {reason}")
        return []
    rows = [bench.run(name, syscalls_run) for name in SYSCALLS if bench.takes_part(name)]
    say("syscalls: done")
    return [row for row in rows if row]


def sequence_run(bench: Bench, contestant: Contestant, proxy: Proxy | None) -> dict:
    keys = load_keys(bench, contestant, proxy)
    answer = bench.peer.ask("sequence", requests=3, timeout=3, **keys)
    return {"contestant": contestant.name, "times_ms": answer["times_ms"]}


def sequences(bench: Bench, say) -> list[dict]:
    """Three requests on one connection: who waits for a hung mirror shows it on the second."""
    rows = [bench.run(name, sequence_run) for name in SEQUENCES if bench.takes_part(name)]
    say("hung mirror, one connection: done")
    return [row for row in rows if row]


SECTIONS = {
    "throughput": throughput,
    "latency": latency,
    "streams": streams,
    "memory": memory,
    "syscalls": count_syscalls,
    "hung": sequences,
    "h2": http2,
    "tls": tls,
    "tls-upstream": tls_upstream,
}
