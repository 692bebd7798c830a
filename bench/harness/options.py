"""What every program of the bench can be told: which build it takes, and where its results go."""

import argparse
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent


def parser(description: str, programs: str, results: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--build", type=Path, default=REPOSITORY / "build" / "release",
                      help=f"a Release build with {programs} (default: build/release)")
    made.add_argument("--results", type=Path, default=REPOSITORY / "bench" / "results",
                      help=f"where {results} (default: bench/results)")
    return made
