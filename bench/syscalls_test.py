#!/usr/bin/python3
"""Regression test: syscalls per request of the io thread, by strace. Exact and blind to noise, unlike a stopwatch.

  bench/syscalls_test.py --build build/release

Needs a Release build with understudy and bench-peer. Exit status: 0 good, 1 too many, 77 cannot be measured here (and why).
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import machine, syscalls  # noqa: E402
from harness.contestants import ALL, Proxy, TlsEnd, upstreams_of  # noqa: E402
from harness.machine import BenchError  # noqa: E402
from harness.peer import Peer  # noqa: E402

SKIPPED = 77
NO_FUTEX = 0.005  # the few of a thread's first steps
NO_TIMER = 0.1  # one coarse sweep goes by the clock whatever the traffic, a timer per request would be 1 or more

# Per request on the io thread.
OFF = {"reads": 2.1, "writes": 2.1, "futex": NO_FUTEX, "timerfd": NO_TIMER}
MIRRORING = {"reads": 2.1, "writes": 2.3, "futex": 0.05, "timerfd": NO_TIMER}
CASES = [
    ("understudy-off-bearer", OFF),
    ("understudy-off-signed", OFF),
    ("understudy-100-bearer", MIRRORING),
    ("understudy-100-signed", MIRRORING),
    ("understudy-to-tls-bearer", OFF),
]


def check(name: str, limits: dict, peer: Peer, tls_end: TlsEnd, directory: Path, understudy: Path) -> list[str]:
    with Proxy(ALL[name], upstreams_of(ALL[name], peer, tls_end), directory / name, understudy) as proxy:
        counted = syscalls.measure(proxy, peer, directory / name, body=2048)
    if "io" not in counted:
        return [f"{name}: no thread is named io*; threads: {sorted(counted['calls'])}"]
    io = counted["io"]
    print(f"{name}: " + ", ".join(f"{kind} {count:.3f}" for kind, count in io.items())
          + f"; mirrored {counted['mirrored']:.0%} of {counted['requests']}", flush=True)
    problems = [f"{name}: {io[kind]:.3f} {kind} per request, at most {limit:g} allowed"
                for kind, limit in limits.items() if io[kind] > limit]
    if ALL[name].mirror and counted["mirrored"] < 0.5:
        problems.append(f"{name}: only {counted['mirrored']:.0%} mirrored; the figures mean nothing")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build/release"), help="default: %(default)s")
    build = parser.parse_args().build
    programs = [build / "understudy", build / "bench-peer"]
    missing = [str(one) for one in programs if not os.access(one, os.X_OK)]
    reason = f"not built: {', '.join(missing)}" if missing else syscalls.why_unavailable()
    try:
        machine.check_machine()
    except BenchError as problem:
        reason = reason or str(problem)
    if not TlsEnd.available():
        reason = reason or "haproxy is not installed"
    if reason:
        print(f"skipped: {reason}")
        return SKIPPED
    understudy, peer_program = (one.resolve() for one in programs)
    problems = []
    with tempfile.TemporaryDirectory(prefix="understudy-syscalls-") as directory:
        directory = Path(directory)
        with Peer(peer_program, directory / "peer.log") as peer, TlsEnd(peer, directory / "tls-end") as tls_end:
            for name, limits in CASES:
                try:
                    problems += check(name, limits, peer, tls_end, directory, understudy)
                except BenchError as problem:
                    problems.append(f"{name}: {problem}")
    print("\n".join(problems) or "good")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
