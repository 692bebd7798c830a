#!/usr/bin/python3
"""A week of a rollout in minutes: the real proxy and the Bedrock simulator, an hour being a second or two.

  cmake -S . -B build/release -G Ninja -DCMAKE_BUILD_TYPE=Release && cmake --build build/release
  bench/rollout_week.py                  about six minutes
  bench/rollout_week.py --hour 0.5       a quicker week with less traffic in each hour

Clients ask more by day than by night. The plan has four stages, its times shortened like the hours; nothing else is: the
evidence needs as many pairs as ever. What happens:

  Tue 20:00  the candidate begins to refuse what the primary answers: the evidence takes it back, nobody is asked
  Wed 10:00  people put another candidate into the config and say resume: the plan begins anew
  Thu 22:00  the candidate is throttled for an hour: the primary answers instead, and the gate bears it within its patience

Result: bench/results/rollout-week.svg, drawn from what the proxy told (`/api/routes/{name}`, `/metrics`, `/api/events`).
Exit status 0 where the week ended as it should: taken back once, then at 100 %, and no request failed.
"""

import argparse
import json
import math
import sys
import tempfile
import threading
import time
from pathlib import Path

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH))
sys.path.insert(0, str(BENCH.parent / "deploy"))

import stack as stacks  # noqa: E402
from harness import options, week_picture  # noqa: E402
from harness.week_traffic import Traffic  # noqa: E402

LEAD = "anthropic.claude-sonnet-4-5-20250929-v1:0"
FIRST, SECOND = "anthropic.claude-sonnet-5", "anthropic.claude-haiku-4-5-20251001-v1:0"
HOURS = 7 * 24
REFUSES, ANEW, THROTTLED, CALM = 44, 58, 94, 95  # hours since Monday 00:00

SIMULATOR = "models:\n" + "".join(
    f"  - {{id: \"{model}\", family: anthropic, latency: {{first_token_ms: {{median: 8, sigma: 0.2}}}}, "
    "answer: {kind: text, tokens: {min: 20, max: 40}, resample_percent: 1}}\n" for model in (LEAD, FIRST, SECOND))


def config_text(candidate: str, hour: float, simulator_port: int, port: int, admin_port: int) -> str:
    def hours(count: float) -> str:
        return f"{max(1, round(count * hour * 1000))}ms"

    stages = ", ".join(f"{{percent: {percent}, min_time: {hours(bake)}, min_pairs: {pairs}}}" for percent, bake, pairs in
                       ((1, 6, 100), (10, 12, 200), (50, 24, 200), (100, 24, 200)))
    gate = f"interval: {hours(1)}, patience: 3, min_requests: 5"
    return f"""
listeners: [{{address: 127.0.0.1:{port}}}]
admin: {{address: 127.0.0.1:{admin_port}}}
threads: {{io: 2}}
upstreams:
  bedrock: {{endpoint: "http://127.0.0.1:{simulator_port}", region: us-east-1, credentials: {{source: none}}}}
routes:
  - name: sonnet
    match: {{models: ["{LEAD}"]}}
    primary: {{upstream: bedrock}}
    candidate: {{upstream: bedrock, model: {candidate}}}
    shadow: {{percent: 100, control_percent: auto}}
    canary:
      stages: [{stages}]
      watch: {hours(28 * 24)}
      gates:
        error_rate: {{threshold: 1, {gate}}}
        fallback_rate: {{threshold: 5, {gate}}}
        latency: off
        first_token: off
        cost: off
    # Which words are said is not what this week is about; times are those of a busy machine.
    verdict: {{min_hours: 0, gates: {{latency: off, cost: off, label: off, number: off, json_agreement: off, tool_agreement: off, language: off}}}}
state: {{directory: state}}
drain: {{lame_duck: 0s, timeout: 5s}}
log: {{level: warn}}
"""


def arguments() -> argparse.Namespace:
    parser = options.parser(__doc__, "understudy and bedrock-simulator", "the picture goes")
    parser.add_argument("--hour", type=float, default=2.0, help="seconds that stand for an hour (default: 2)")
    parser.add_argument("--rate", type=float, default=90.0, help="requests a second at noon (default: 90)")
    parser.add_argument("--record", type=Path, metavar="FILE", help="keep what was seen")
    parser.add_argument("--redraw", type=Path, metavar="FILE", help="draw the picture of such a file again")
    return parser.parse_args()


def pace(hour: float) -> float:
    """Of the noon's traffic: least at 03:30, most at 15:30."""
    return 0.25 + 0.75 * (0.5 - 0.5 * math.cos((hour - 3.5) / 24 * 2 * math.pi)) ** 1.5


class Week:
    def __init__(self, asked: argparse.Namespace, directory: Path):
        self.asked = asked
        self.directory = directory
        self.ports = stacks.free_port(), stacks.free_port()
        self.stack = stacks.Stack(asked.build, directory)
        (directory / "simulator.yaml").write_text(SIMULATOR)
        self.stack.start_simulator(directory / "simulator.yaml")
        self.write_config(FIRST)
        self.proxy = stacks.Program("understudy", [asked.build / "understudy", "serve", "--config", directory / "config.yaml"],
                                    directory / "proxy.log")
        self.proxy.wait_until(lambda: stacks.get(self.ports[1], "/readyz")[0] == 200)
        self.begun, self.begun_unix = time.monotonic(), time.time()
        self.samples: list[dict] = []

    def write_config(self, candidate: str) -> None:
        text = config_text(candidate, self.asked.hour, self.stack.simulator_port, *self.ports)
        fresh = self.directory / "config.next"
        fresh.write_text(text)
        fresh.rename(self.directory / "config.yaml")

    def set_model(self, model: str, **change: float) -> None:
        stacks.post(self.stack.simulator_port, f"/_simulator/models/{model}", json.dumps(change).encode())

    def begin_anew(self, candidate: str) -> None:
        self.write_config(candidate)
        stacks.post(self.ports[1], "/api/reload")  # answers once it is in force
        stacks.post(self.ports[1], "/api/routes/sonnet/resume")

    def hour(self) -> float:
        return (time.monotonic() - self.begun) / self.asked.hour

    def sample(self, traffic: Traffic) -> None:
        route = stacks.get_json(self.ports[1], "/api/routes/sonnet")
        rollout = route["rollout"]
        self.samples.append({
            "hour": self.hour(), "percent": rollout["percent"], "state": rollout["state"], "verdict": route["verdict"],
            "gates": {gate["gate"]: gate["state"] for gate in rollout["gates"]}, **traffic.counts()})

    def events(self) -> list[dict]:
        told = stacks.get_json(self.ports[1], "/api/events")["events"]
        return [{"hour": (event["unix_ms"] / 1000 - self.begun_unix) / self.asked.hour, "kind": event["kind"],
                 "text": event["text"], "facts": event["facts"]} for event in reversed(told)]

    def stop(self) -> None:
        self.proxy.stop()
        self.stack.stop()


def play(week: Week, traffic: Traffic) -> None:
    script = [(REFUSES, lambda: week.set_model(FIRST, refuse_percent=15)),
              (ANEW, lambda: week.begin_anew(SECOND)),
              (THROTTLED, lambda: week.set_model(SECOND, throttle_percent=30)),
              (CALM, lambda: week.set_model(SECOND, throttle_percent=0))]
    while (hour := week.hour()) < HOURS:
        while script and hour >= script[0][0]:
            script.pop(0)[1]()
        traffic.set_rate(week.asked.rate * pace(hour % 24))
        week.sample(traffic)
        time.sleep(max(0.05, week.asked.hour / 2))


def record(asked: argparse.Namespace) -> dict:
    with tempfile.TemporaryDirectory() as directory:
        week = Week(asked, Path(directory))
        traffic = Traffic(week.ports[0], f"/model/{LEAD}/converse")
        try:
            threading.Thread(target=traffic.run, daemon=True).start()
            play(week, traffic)
            return {"hours": HOURS, "samples": week.samples, "events": week.events()}
        finally:
            traffic.stop()
            week.stop()


def ended_well(week: dict) -> bool:
    last = week["samples"][-1]
    rollbacks = [event for event in week["events"] if event["facts"].get("to") == "rolled_back"]
    print(f"{last['primary'] + last['candidate']} requests, {last['failed']} failed; "
          f"{len(rollbacks)} rollback(s); at the end {last['percent']:g} %, {last['state']}")
    for event in week["events"]:
        print(f"  {week_picture.moment(event['hour'])}  {event['text'][:150]}")
    return last["failed"] == 0 and len(rollbacks) == 1 and last["percent"] == 100


def main() -> int:
    asked = arguments()
    week = json.loads(asked.redraw.read_text()) if asked.redraw else record(asked)
    if asked.record:
        asked.record.write_text(json.dumps(week) + "\n")
    asked.results.mkdir(parents=True, exist_ok=True)
    (asked.results / "rollout-week.svg").write_text(week_picture.picture(week))
    return 0 if ended_well(week) else 1


if __name__ == "__main__":
    sys.exit(main())
