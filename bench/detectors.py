#!/usr/bin/python3
"""The detector benchmark: labelled pairs (level 1) and streams of pairs through the engine (level 2).

  cmake -S . -B build/release -G Ninja -DCMAKE_BUILD_TYPE=Release -DUNDERSTUDY_BENCH=ON -DUNDERSTUDY_TESTS=OFF
  cmake --build build/release --target detector-pairs detector-streams
  bench/detectors.py                    all of it, about twenty minutes on one core
  bench/detectors.py --quick            does everything work? seconds, no figures to quote

Results: bench/results/detectors.md and the detection curves in bench/results/detection.svg. Everything follows from
seeds, so they are the same on every machine. Exit status 0 where all targets are reached.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import curves, options  # noqa: E402


def arguments() -> argparse.Namespace:
    parser = options.parser(__doc__, "the detector programs", "the tables and the curves go")
    parser.add_argument("--quick", action="store_true", help="few runs: proves that it works")
    return parser.parse_args()


def run(command: list[str]) -> tuple[str, bool]:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, flush=True)
    if done.returncode not in (0, 1):
        sys.exit(f"{command[0]} ended with status {done.returncode}")
    return done.stdout, done.returncode == 0


def main() -> int:
    asked = arguments()
    with tempfile.TemporaryDirectory() as directory:
        table = Path(directory) / "curves.tsv"
        streams, streams_reached = run([str(asked.build / "detector-streams"), "--curves", str(table),
                                        *(["--quick"] if asked.quick else [])])
        pairs, pairs_reached = run([str(asked.build / "detector-pairs")])
        lines = curves.read(table.read_text())
    if not asked.quick:
        asked.results.mkdir(parents=True, exist_ok=True)
        (asked.results / "detectors.md").write_text(
            "# The detector benchmark\n\nMade by `bench/detectors.py`.\n\n" + streams +
            "\n## Labelled pairs\n\n```\n" + pairs + "```\n")
        (asked.results / "detection.svg").write_text(curves.picture(lines))
    return 0 if streams_reached and pairs_reached else 1


if __name__ == "__main__":
    sys.exit(main())
