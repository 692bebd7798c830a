#!/usr/bin/python3
"""Every way back, under an open load of more than 1,000 requests a second with streams in flight.

  cmake -S . -B build/release -G Ninja -DCMAKE_BUILD_TYPE=Release && cmake --build build/release
  bench/rollback.py                      about two minutes; --rounds 2 is quicker

The candidate serves half of the conversations and is taken back by
  file     a config with percent: 0, renamed into place
  SIGHUP   the same, written in place and not closed, so that the signal alone tells
  order    POST /api/routes/sonnet/rollback
  gate     the candidate is throttled for 40 % of its requests; fallback_rate breaks at 20 %
several times each. Requests begin at random times, whoever waits for an answer; event streams begin before and end after.

Required, for each of these: no request fails; none that begins 100 ms after the rollback is in force is served by the
candidate; every stream ends whole, on the model that it began with. In force is when the proxy's own event says so
(/api/events), for file, SIGHUP and order not later than the act itself plus what the table shows.

Result: a table, here and in bench/results/rollback.md. Exit status 0 where all that holds.
"""

import argparse
import datetime
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH))
sys.path.insert(0, str(BENCH.parent / "deploy"))

import stack as stacks  # noqa: E402
from harness import options  # noqa: E402
from harness.open_load import Asked, OpenLoad  # noqa: E402
from harness.report import table  # noqa: E402

QUICK, SLOW = "anthropic.claude-quick", "anthropic.claude-slow"
STREAMS = 24
GRACE_MS = 100
PATIENCE = 30

# A stream lasts about two seconds.
SIMULATOR = f"""
models:
  - {{id: {QUICK}, family: anthropic, latency: {{first_token_ms: {{median: 5, sigma: 0.3}}}},
     answer: {{kind: text, tokens: {{min: 20, max: 40}}}}}}
  - {{id: {SLOW}, family: anthropic, latency: {{first_token_ms: {{median: 20}}, per_token_ms: {{median: 40}}}},
     answer: {{kind: text, tokens: {{min: 45, max: 55}}}}}}
"""

CONFIG = """
listeners: [{{address: 127.0.0.1:{port}}}]
admin: {{address: 127.0.0.1:{admin}}}
threads: {{io: 2}}
upstreams:
  lead: {{endpoint: "http://127.0.0.1:{lead}", region: us-east-1, credentials: {{source: none}}}}
  next: {{endpoint: "http://127.0.0.1:{next}", region: us-east-1, credentials: {{source: none}}}}
routes:
  - name: sonnet
    match: {{models: ["anthropic.*"]}}
    primary: {{upstream: lead}}
    candidate: {{upstream: next}}
    shadow: {{percent: 10, control_percent: 0}}
    canary:
      percent: {percent}
      gates:
        {{evidence: off, error_rate: off, latency: off, first_token: off, cost: off,
         fallback_rate: {{threshold: 20, interval: 1s, patience: 1, min_requests: 20}}}}
state: {{directory: state}}
drain: {{lame_duck: 0s, timeout: 10s}}
log: {{level: warn}}
"""


class Round:
    """What one rollback came to."""

    def __init__(self, acted: int, in_force: int, by_order: bool):
        self.acted, self.in_force, self.by_order = acted, in_force, by_order  # monotonic ns
        self.ended = 0
        self.streams: list[Asked] = []

    def due(self) -> int:
        """From then on the candidate serves nobody. A gate has to see it first; an order has not."""
        return (self.acted if self.by_order else self.in_force) + GRACE_MS * 1_000_000


class Way:
    """One way back, with a proxy of its own."""

    def __init__(self, name: str, asked: argparse.Namespace, directory: Path):
        self.name, self.asked, self.directory = name, asked, directory
        directory.mkdir()
        self.ports = stacks.free_port(), stacks.free_port()
        self.simulators = [self.start_simulator(who) for who in ("lead", "next")]
        self.put_in_place("50")
        self.proxy = stacks.Program("understudy", [asked.build / "understudy", "serve", "--config",
                                                   directory / "config.yaml"], directory / "proxy.log")
        self.proxy.wait_until(lambda: stacks.get(self.ports[1], "/readyz")[0] == 200)
        self.open_file = None

    def start_simulator(self, who: str):
        directory = self.directory / who
        directory.mkdir()
        stack = stacks.Stack(self.asked.build, directory)
        (directory / "simulator.yaml").write_text(SIMULATOR)
        stack.start_simulator(directory / "simulator.yaml")
        return stack

    def config(self, percent: str) -> str:
        return CONFIG.format(port=self.ports[0], admin=self.ports[1], percent=percent,
                             lead=self.simulators[0].simulator_port, next=self.simulators[1].simulator_port)

    def put_in_place(self, percent: str) -> None:
        fresh = self.directory / "config.next"
        fresh.write_text(self.config(percent))
        fresh.rename(self.directory / "config.yaml")

    def throttle(self, percent: float) -> None:
        stacks.post(self.simulators[1].simulator_port, f"/_simulator/models/{QUICK}",
                    json.dumps({"throttle_percent": percent}).encode())

    def order(self, what: str) -> None:
        status, body = stacks.post(self.ports[1], f"/api/routes/sonnet/{what}")
        if status != 200:
            raise stacks.StackError(f"{what} answered {status}: {body[:300]!r}")

    def percent(self) -> float:
        return stacks.get_json(self.ports[1], "/api/routes/sonnet")["rollout"]["percent"]

    # --- There and back

    def take_back(self) -> None:
        if self.name == "file":
            self.put_in_place("0")
        elif self.name == "SIGHUP":
            self.open_file = open(self.directory / "config.yaml", "r+")
            self.open_file.write(self.config("0"))
            self.open_file.truncate()
            self.open_file.flush()
            os.kill(self.proxy.pid, signal.SIGHUP)
        elif self.name == "order":
            self.order("rollback")
        else:
            self.throttle(40)

    def bring_back(self) -> None:
        if self.open_file:
            self.open_file.close()
            self.open_file = None
        if self.name in ("file", "SIGHUP"):
            self.put_in_place("50")
        else:
            self.throttle(0)
            self.order("resume")
        wait_for(lambda: self.percent() == 50, "the candidate is on again")

    def in_force_since(self, acted_unix_ms: float) -> float:
        """The proxy's own word, in Unix ms."""
        def told() -> float:
            for event in stacks.get_json(self.ports[1], "/api/events")["events"]:
                facts = event["facts"]
                back = facts.get("to") == "rolled_back" or (
                    self.name in ("file", "SIGHUP") and facts.get("result") == "applied")
                if back and event["unix_ms"] >= acted_unix_ms - 1:
                    return event["unix_ms"]
            return 0
        return wait_for(told, "the rollback is told")

    def one_round(self, load: OpenLoad) -> Round:
        time.sleep(1.0)
        streams = load.begin_streams(STREAMS)
        acted, acted_unix_ms = time.monotonic_ns(), time.time() * 1000
        self.take_back()
        told = self.in_force_since(acted_unix_ms)
        made = Round(acted, acted + int((told - acted_unix_ms) * 1e6), self.name != "gate")
        made.streams = streams
        wait_for(lambda: all(one.ended for one in streams), "the streams end")
        time.sleep(max(0.0, 1.5 - (time.monotonic_ns() - made.in_force) / 1e9))
        made.ended = time.monotonic_ns()
        self.bring_back()
        return made

    def stop(self) -> int:
        status = self.proxy.stop()
        for simulator in self.simulators:
            simulator.stop()
        return status


def wait_for(holds, what: str):
    end = time.monotonic() + PATIENCE
    while not (met := holds()):
        if time.monotonic() > end:
            raise stacks.StackError(f"not within {PATIENCE} s: {what}")
        time.sleep(0.005)
    return met


def run(name: str, asked: argparse.Namespace, directory: Path) -> tuple[OpenLoad, list[Round]]:
    way = Way(name, asked, directory)
    load = OpenLoad(way.ports[0], QUICK, SLOW, asked.rate)
    try:
        load.start()
        rounds = [way.one_round(load) for _ in range(asked.rounds)]
        load.stop()
    finally:
        load.stopping = True
        status = way.stop()
    if status != 0:
        raise stacks.StackError(f"the proxy ended with status {status}: {way.proxy.log_text()[-2000:]}")
    return load, rounds


class Outcome:
    def __init__(self, name: str, load: OpenLoad, rounds: list[Round]):
        self.name, self.load, self.rounds = name, load, rounds
        everything = load.requests + load.streams
        self.failures = [one.failure for one in everything if one.failure or not one.ended]
        first, last = load.requests[0].begun, load.requests[-1].begun
        self.rate = len(load.requests) / ((last - first) / 1e9)
        # Until the candidate is brought back, which is another decision.
        self.after = [one for made in rounds for one in everything if made.due() <= one.begun < made.ended]
        self.astray = sum(one.variant == "candidate" for one in self.after)
        self.before = sum(one.variant == "candidate" for made in rounds for one in load.requests
                          if made.acted - 1_000_000_000 <= one.begun < made.acted)
        self.last_ms = max(self.last_by_candidate(made) for made in rounds)
        self.told_ms = max((made.in_force - made.acted) / 1e6 for made in rounds)
        across = [one for made in rounds for one in made.streams if one.begun < made.acted and one.ended > made.in_force]
        self.streams = len(across)
        self.streams_by_candidate = sum(one.variant == "candidate" for one in across)

    def last_by_candidate(self, made: Round) -> float:
        """ms after the act at which the last request began that the candidate served."""
        begun = [one.begun for one in self.load.requests if made.acted <= one.begun < made.ended
                 and one.variant == "candidate"]
        return (max(begun) - made.acted) / 1e6 if begun else 0.0

    def holds(self) -> bool:
        return (not self.failures and self.astray == 0 and self.before > 0 and len(self.after) > 0
                and self.streams_by_candidate > 0)

    def row(self) -> list[str]:
        return [self.name, str(len(self.rounds)), f"{self.rate:.0f}", str(len(self.load.requests)), str(len(self.failures)),
                f"{self.told_ms:.0f}", f"{self.last_ms:.0f}", str(len(self.after)), str(self.astray),
                f"{self.streams} ({self.streams_by_candidate})", f"{self.load.late_ms:.0f} ({self.load.missed})"]


HEAD = ["", "rollbacks", "rate /s", "requests", "failed", "told after, ms", "last by candidate, ms",
        f"begun {GRACE_MS} ms after", "of these by candidate", "streams across (by candidate)", "begun late, ms (missed)"]

NOTES = f"""- `told after`: from the act (the file is in place, the signal sent, the order posted, the throttling begun) to the proxy's
  event that it is in force, the longest of all rounds. For the gate that is one interval of 1 s and a look.
- `last by candidate`: when, after the act, the last request began that the candidate served.
- `begun {GRACE_MS} ms after`: requests and streams that began {GRACE_MS} ms or more after the act (of the gate: after it was in
  force), before the candidate was brought back; none may be the candidate's.
- `streams across`: event streams that had begun before the act and ended after it was in force; all of them ended whole.
- `begun late`: the most that a request began behind its random time, the load's own delay on this machine; `missed`: what
  did not begin at all, because the load was not let run for longer."""


def arguments() -> argparse.Namespace:
    parser = options.parser(__doc__, "understudy and bedrock-simulator", "the table goes")
    parser.add_argument("--rate", type=float, default=1100.0, help="requests a second (default: 1100)")
    parser.add_argument("--rounds", type=int, default=5, help="rollbacks by each way (default: 5)")
    return parser.parse_args()


def main() -> int:
    asked = arguments()
    outcomes = []
    with tempfile.TemporaryDirectory() as directory:
        for name in ("file", "SIGHUP", "order", "gate"):
            outcomes.append(Outcome(name, *run(name, asked, Path(directory) / name)))
            print(table(HEAD, [outcomes[-1].row()]), flush=True)
    kept = all(outcome.holds() for outcome in outcomes)
    for outcome in outcomes:
        for failure in outcome.failures[:5]:
            print(f"{outcome.name}: {failure}")
    now = datetime.datetime.now(datetime.timezone.utc)
    text = (f"# Rollbacks under {asked.rate:.0f} requests a second, {now:%Y-%m-%d %H:%M} UTC\n\n"
            f"{table(HEAD, [outcome.row() for outcome in outcomes])}\n\n{NOTES}\n\n"
            f"The promise {'holds' if kept else 'is BROKEN'}.\n")
    asked.results.mkdir(parents=True, exist_ok=True)
    (asked.results / "rollback.md").write_text(text)
    print(text)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
