#!/usr/bin/python3
"""clang-tidy over the units of the three floors, but not again over those that passed as they are.

usage: tests/clang_tidy.py [--build build/asan] [--jobs N] [UNIT...]

A unit is as it was when nothing changed of what clang-tidy reads for it: its compile command, .clang-tidy, every file
that the compiler read (the build's own notes) and clang-tidy itself. What passed is remembered in
.cache/clang-tidy.json. The build directory must be built. Exit status: 0 when no unit has a word to say, 1 otherwise.
"""

import argparse
import hashlib
import json
import os
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MEMORY = ROOT / ".cache" / "clang-tidy.json"
FLOORS = ("routing", "metrics", "proxy")
# The compile commands are GCC's: what clang does not know of them is not worth a word.
TIDY = ["clang-tidy-14", "--quiet", "--extra-arg=-Wno-unknown-warning-option"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "asan")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("units", nargs="*", metavar="UNIT", help="paths of sources (default: all)")
    return parser.parse_args()


def compile_commands(build: Path) -> dict[str, dict]:
    """By the unit's path from the root."""
    path = build / "compile_commands.json"
    if not path.is_file():
        sys.exit(f"{path} is missing: run cmake --preset asan && cmake --build build/asan first")
    entries = {os.path.relpath(entry["file"], ROOT): entry for entry in json.loads(path.read_text())}
    return {unit: entry for unit, entry in entries.items() if unit.split("/")[0] in FLOORS}


def files_read(build: Path) -> dict[str, list[str]]:
    """What the compiler read for each object file, as ninja remembers it."""
    listing = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=True).stdout
    read: dict[str, list[str]] = {}
    for line in listing.splitlines():
        if line.startswith("    "):
            files.append(os.path.normpath(build / line.strip()))
        elif ": #deps" in line:
            files = read.setdefault(line.split(": #deps")[0], [])
    return read


class Keys:
    """Of units: the same key, the same words of clang-tidy."""

    def __init__(self, build: Path):
        self.read = files_read(build)
        self.digests: dict[str, bytes] = {}
        version = subprocess.run([TIDY[0], "--version"], capture_output=True, check=True).stdout
        self.common = version + " ".join(TIDY).encode() + (ROOT / ".clang-tidy").read_bytes()

    def of(self, entry: dict) -> str | None:
        """None where the compiler's notes are missing."""
        command = shlex.split(entry["command"])
        files = self.read.get(command[command.index("-o") + 1])
        if not files:
            return None
        key = hashlib.sha256(self.common + entry["command"].encode())
        for file in sorted(files):
            key.update(file.encode() + self.digest(file))
        return key.hexdigest()

    def digest(self, file: str) -> bytes:
        if file not in self.digests:
            self.digests[file] = hashlib.sha256(Path(file).read_bytes()).digest()
        return self.digests[file]


def remembered() -> dict[str, str]:
    try:
        return json.loads(MEMORY.read_text())
    except (OSError, ValueError):
        return {}


def remember(passed: dict[str, str]):
    MEMORY.parent.mkdir(exist_ok=True)
    beside = MEMORY.with_suffix(".new")
    beside.write_text(json.dumps(passed, indent=0, sort_keys=True))
    beside.replace(MEMORY)


def words_about(unit: str, build: Path) -> str:
    """Empty where clang-tidy has nothing to say."""
    done = subprocess.run([*TIDY, "-p", build, unit], cwd=ROOT, capture_output=True, text=True)
    return (done.stdout or done.stderr or "clang-tidy failed") if done.returncode else done.stdout.strip()


def main() -> int:
    asked = arguments()
    build = asked.build.resolve()
    entries = compile_commands(build)
    unknown = set(asked.units) - set(entries)
    if unknown:
        sys.exit("no unit of the build: " + ", ".join(sorted(unknown)))
    keys, passed = Keys(build), remembered()
    key_of = {unit: keys.of(entries[unit]) for unit in sorted(asked.units or entries)}
    to_do = [unit for unit, key in key_of.items() if key is None or passed.get(unit) != key]
    print(f"{len(to_do)} units of {len(key_of)}; the others passed as they are", flush=True)
    spoke = 0
    shown = time.monotonic()
    with ThreadPoolExecutor(asked.jobs) as pool:
        work = {pool.submit(words_about, unit, build): unit for unit in to_do}
        for number, done in enumerate(as_completed(work), 1):
            unit = work[done]
            if words := done.result():
                spoke += 1
                print(words, flush=True)
            elif key_of[unit]:
                passed[unit] = key_of[unit]
                remember(passed)
            if time.monotonic() - shown > 30:
                shown = time.monotonic()
                print(f"{number} of {len(to_do)}", flush=True)
    return 1 if spoke else 0


if __name__ == "__main__":
    sys.exit(main())
