#!/usr/bin/python3
"""Understudy beside nginx and HAProxy, in one interleaved run on two cores of this machine.

The proxy under test has core 0 to itself; load and fake Bedrock share core 1. Every answer is checked byte for byte. Ratios
are taken against nginx runs next to each run, and given as median and range over the rounds: single ratios scatter by
15 % on a shared machine, so look at ranges, user time and syscalls, not at the second decimal.

  cmake -S . -B build/release -G Ninja -DCMAKE_BUILD_TYPE=Release -DUNDERSTUDY_BENCH=ON -DUNDERSTUDY_TESTS=OFF
  cmake --build build/release --target understudy bench-peer
  bench/compare.py                                  all of it, about half an hour (no run begins after --max-minutes, 40)
  bench/compare.py --quick                          does everything work? about 2 minutes, no figures to quote
  bench/compare.py --sections throughput --only 'understudy-off-*,nginx'

Results: a table on standard output, bench/results/latest.{json,md}, and charts in bench/results/*.svg.
"""

import argparse
import fnmatch
import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import draw, figures, machine, options, report  # noqa: E402
from harness.contestants import ALL  # noqa: E402
from harness.machine import BenchError  # noqa: E402
from harness.peer import Peer  # noqa: E402
from harness.sections import SECTIONS, Bench  # noqa: E402


def say(text: str):
    print(text, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    parser = options.parser(__doc__, "understudy and bench-peer", "latest.json and the charts go")
    parser.add_argument("--rounds", type=int, default=5, help="of every comparison (default: 5)")
    parser.add_argument("--seconds", type=float, default=3, help="of every run, after warming up (default: 3)")
    parser.add_argument("--quick", action="store_true", help="one round of one second: proves that it works")
    parser.add_argument("--only", default="*", metavar="GLOBS", help="contestants, by comma: " + ", ".join(ALL))
    parser.add_argument("--sections", default=",".join(SECTIONS), help="by comma (default: %(default)s)")
    parser.add_argument("--max-minutes", type=float, default=40, help="no run begins after that (default: 40)")
    asked = parser.parse_args()
    unknown = set(asked.sections.split(",")) - set(SECTIONS)
    if unknown:
        parser.error("unknown section: " + ", ".join(sorted(unknown)))
    if asked.quick:
        asked.rounds, asked.seconds = 1, 1
    return asked


def chosen(globs: str) -> set[str]:
    names = {name for name in ALL for glob in globs.split(",") if fnmatch.fnmatch(name, glob.strip())}
    if not names:
        raise BenchError(f"--only {globs} matches no contestant: {', '.join(ALL)}")
    return names


def program(build: Path, name: str) -> Path | None:
    places = (build / name, build / "proxy" / name, build / "bench" / "peer" / name)
    return next((place.resolve() for place in places if os.access(place, os.X_OK)), None)


def measure(asked: argparse.Namespace, directory: Path) -> dict:
    peer_program = program(asked.build, "bench-peer")
    if not peer_program:
        raise BenchError(f"no bench-peer in {asked.build}; --help says how to build it")
    understudy = program(asked.build, "understudy")
    facts = machine.facts(options.REPOSITORY)
    load = facts["load_average_at_start"]
    say(f"{facts['cpu']}, {facts['cores']} cores, load average {load:.2f}")
    if load > machine.QUIET_LOAD:
        say(f"WARNING: load average {load:.2f}: something else is running; these figures are not worth quoting")
    if not understudy:
        say(f"no understudy in {asked.build}: the others are measured without it")
    results = {"machine": facts, "rounds": asked.rounds, "seconds": asked.seconds}
    with Peer(peer_program, directory / "peer.log") as peer:
        bench = Bench(peer, understudy, directory, asked.rounds, asked.seconds,
                      time.monotonic() + 60 * asked.max_minutes, chosen(asked.only))
        for name in asked.sections.split(","):
            results[name] = SECTIONS[name](bench, say)
        results["failures"] = bench.failures
    return results


def main() -> int:
    asked = arguments()
    try:
        machine.check_machine()
        with tempfile.TemporaryDirectory(prefix="understudy-bench-") as directory:
            results = measure(asked, Path(directory))
    except BenchError as problem:
        say(f"compare.py: {problem}")
        return 2
    results["targets"] = [one.as_dict() for one in figures.targets(results)]
    asked.results.mkdir(parents=True, exist_ok=True)
    (asked.results / "latest.json").write_text(json.dumps(results, indent=1) + "\n")
    draw.write_charts(results, asked.results)
    text = report.text(results)
    (asked.results / "latest.md").write_text(f"# Figures of {results['machine']['date']}\n\n{text}")
    print(text)
    missed = [one["what"] for one in results["targets"] if one["state"] == "MISSED"]
    return 1 if missed or results["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
