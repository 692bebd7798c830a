"""Several proxies and a real Prometheus server on loopback: one decision, from what all of them saw.

    fleet_test.py --programs build/asan

Prints a sentence per check and, last, "N passed, M failed". Prometheus scrapes every 300 ms and the proxies read their
sums every 400 ms, so that minutes pass in seconds; every wait is for a condition, and bounded.
"""

import argparse
import http.client
import http.server
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy"))
import stack as stacks  # noqa: E402

PATIENCE = 60  # seconds; a machine under load with sanitizers is slow
SCRAPE = 0.3
SANITIZER = re.compile(r"(ERROR|WARNING|SUMMARY): \w+Sanitizer.*|.*runtime error: .*")

CONFIG = """
listeners: [{{address: "127.0.0.1:{port}"}}]
admin: {{address: "127.0.0.1:{admin}"}}
threads: {{io: 1}}
drain: {{lame_duck: 1ms, timeout: 5s}}
state: {{directory: state}}
evidence: {{prometheus: "http://127.0.0.1:{prometheus}", fleet: test, interval: 400ms, timeout: 2s, window: 3s, horizon: 1h}}
upstreams:
  primary: {{endpoint: "http://127.0.0.1:{upstream}", credentials: {{source: none}}}}
  candidate: {{endpoint: "http://127.0.0.1:{upstream}", credentials: {{source: none}}}}
routes:
  - name: route
    match: {{models: ["lead"]}}
    primary: {{upstream: primary}}
    candidate: {{upstream: candidate, model: understudy}}
    shadow: {{percent: 100, control_percent: 0}}
    canary:
      stages:
        - {{percent: 50, min_time: 1h, min_pairs: 0}}
        - {{percent: 90, min_time: 1h, min_pairs: 0}}
      gates:
        {{fallback_rate: {{threshold: 20, interval: 1s, patience: 1, min_requests: 5}}, error_rate: off, latency: off,
         first_token: off, cost: off}}
    verdict:
      min_hours: 0
      min_pairs_per_family: 1
      gates: {{validation_error: {{margin: 5}}, error_class: {{margin: 5}}, refusal: {{margin: 5}}, truncation: {{margin: 5}},
              empty: {{margin: 5}}, json_contract: {{margin: 5}}, tool_contract: {{margin: 5}}, language: off, label: off,
              number: off, json_agreement: off, tool_agreement: off, latency: off, cost: off}}
"""

PROSE = "The delivery of your parcel was delayed by a storm, and it should reach you on Thursday."


class Upstream(http.server.BaseHTTPRequestHandler):
    """Answers as Bedrock does; the understudy fails at whatever speaks of a fault."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        fails = "understudy" in self.path and b"fault" in body
        answer = {"message": "it broke"} if fails else {
            "output": {"message": {"role": "assistant", "content": [{"text": PROSE}]}}, "stopReason": "end_turn",
            "usage": {"inputTokens": 9, "outputTokens": 20, "totalTokens": 29}, "metrics": {"latencyMs": 5}}
        text = json.dumps(answer).encode()
        head = ("HTTP/1.1 500 Internal Server Error\r\nx-amzn-errortype: InternalServerException\r\n" if fails
                else "HTTP/1.1 200 OK\r\n") + f"content-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
        self.wfile.write(head.encode() + text)  # in one piece


class Replica:
    asked = 0  # by all of them: every question is a conversation of its own

    def __init__(self, test, name):
        self.test, self.name = test, name
        self.directory = test.directory / name
        self.directory.mkdir()
        self.port, self.admin = stacks.free_port(), stacks.free_port()
        (self.directory / "config.yaml").write_text(CONFIG.format(
            port=self.port, admin=self.admin, prometheus=test.prometheus_port, upstream=test.upstream_port))
        self.program = None

    def start(self):
        self.program = stacks.Program(
            f"replica {self.name}", [self.test.programs / "understudy", "serve", "--config", self.directory / "config.yaml"],
            self.directory / f"log-{time.monotonic_ns()}")
        self.program.wait_until(lambda: stacks.get(self.admin, "/readyz")[0] == 200, PATIENCE)
        self.test.scrape()
        return self

    def stop(self):
        status = self.program.stop()
        complaint = SANITIZER.search(self.program.log_text())
        self.test.check(f"{self.name} stops in peace", status == 0 and not complaint,
                        f"status {status}, {complaint and complaint.group(0)}")
        self.program = None
        self.test.scrape()

    def ask(self, count, about="parcels"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        for _ in range(count):
            Replica.asked += 1
            text = f"Question {Replica.asked} about {about}"
            connection.request("POST", "/model/lead/converse", headers={
                "content-type": "application/json", "x-understudy-family": "letters"},
                body=json.dumps({"messages": [{"role": "user", "content": [{"text": text}]}]}))
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise stacks.StackError(f"{self.name} answered {answer.status}")
        connection.close()

    def route(self):
        return stacks.get_json(self.admin, "/api/routes/route")

    def order(self, what):
        return stacks.post(self.admin, f"/api/routes/route/{what}")[0]

    def stage(self):
        rollout = self.route()["rollout"]
        return (rollout["state"], rollout["stage"])

    def fleet(self):
        return self.route()["fleet"]

    def metric(self, start):
        """The sum of the series that begin like that."""
        page = stacks.get(self.admin, "/metrics")[1].decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(start))


class FleetTest:
    def __init__(self, programs, directory):
        self.programs, self.directory = pathlib.Path(programs), directory
        self.passed = self.failed = 0
        self.replicas = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
        self.server.daemon_threads = True
        self.upstream_port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.prometheus_port = stacks.free_port()
        self.prometheus = None

    # --- Saying and waiting

    def check(self, sentence, holds, detail=""):
        print(f"ok   - {sentence}" if holds else f"FAIL - {sentence}: {detail}", flush=True)
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)

    def comes(self, sentence, holds, detail=lambda: ""):
        begun = time.monotonic()
        while not (met := holds()) and time.monotonic() < begun + PATIENCE:
            time.sleep(0.05)
        self.check(f"{sentence} (after {time.monotonic() - begun:.1f} s)", met, "" if met else detail())
        return met

    def stays(self, sentence, holds, seconds=4.0, detail=lambda: ""):
        """Unlike the others this waits for the time: for nothing to happen."""
        end = time.monotonic() + seconds
        while (held := holds()) and time.monotonic() < end:
            time.sleep(0.1)
        self.check(sentence, held, "" if held else detail())

    # --- The server

    def scrape(self):
        """Says whom to scrape: whoever runs, under an address of its own, as pods come and go."""
        targets = [{"targets": [f"127.0.0.1:{replica.admin}"]} for replica in self.replicas if replica.program]
        new = self.directory / "targets.new"
        new.write_text(json.dumps(targets))
        new.rename(self.directory / "targets.json")

    def start_prometheus(self):
        (self.directory / "prometheus.yml").write_text(f"""
global: {{scrape_interval: {int(SCRAPE * 1000)}ms, scrape_timeout: {int(SCRAPE * 1000)}ms}}
scrape_configs:
  - job_name: understudy
    file_sd_configs: [{{files: ["{self.directory}/targets.json"], refresh_interval: 1s}}]
""")
        self.prometheus = stacks.Program("prometheus", [
            shutil.which("prometheus"), f"--config.file={self.directory}/prometheus.yml",
            f"--storage.tsdb.path={self.directory}/tsdb", f"--web.listen-address=127.0.0.1:{self.prometheus_port}"],
            self.directory / f"prometheus-{time.monotonic_ns()}.log")
        self.prometheus.wait_until(lambda: stacks.get(self.prometheus_port, "/-/ready")[0] == 200, PATIENCE)

    def stop_prometheus(self):
        self.prometheus.process.kill()
        self.prometheus.process.wait()

    def replica(self, name):
        self.replicas.append(made := Replica(self, name))
        return made.start()

    def running(self):
        return [replica for replica in self.replicas if replica.program]

    def all(self, holds):
        return all(holds(replica) for replica in self.running())

    def fleet_has(self, pairs):
        return lambda: self.all(lambda r: r.fleet()["fresh"] and r.fleet()["pairs"] == pairs)

    def fleets(self):
        return [{"replica": r.name, "stage": r.stage(), **r.fleet()} for r in self.running()]

    def verdicts(self):
        return [(r.name, r.route()["verdict"], r.route()["verdict_text"]) for r in self.running()]

    # --- The story

    def run(self):
        self.scrape()
        self.start_prometheus()
        a, b, c = self.replica("a"), self.replica("b"), self.replica("c")
        self.one_decision(a, b, c)
        self.come_and_go(a, b, c)
        self.prometheus_away(a, b)
        self.one_sees_a_fault(a, b)

    @staticmethod
    def gate_figures(replica):
        return json.dumps([(gate["signal"], gate["family"], gate["state"], gate["pairs"], gate["interval"])
                           for gate in replica.route()["reasons"] if gate["state"] != "info"])

    def one_decision(self, a, b, c):
        self.comes("each replica sees the three of them", lambda: self.all(
            lambda r: r.fleet()["fresh"] and r.fleet()["replicas"] == 3), self.fleets)
        a.ask(40)
        b.ask(40)
        self.comes("what two have seen is known to all", self.fleet_has(80), self.fleets)
        self.check("which is not enough for any of them", self.all(lambda r: r.stage() == ("pending", 0)), self.fleets())
        self.stop_prometheus()
        self.comes("without Prometheus every replica says so at once", lambda: self.all(
            lambda r: not r.fleet()["fresh"]), self.fleets)
        c.ask(50)
        self.stays("what would suffice promotes nobody while Prometheus is away", lambda: self.all(
            lambda r: r.stage() == ("pending", 0)), detail=self.fleets)
        self.start_prometheus()
        self.comes("what all three have seen suffices: all go to the first stage", lambda: self.all(
            lambda r: r.stage() == ("baking", 1)), lambda: (self.fleets(), self.verdicts()))
        self.check("though none has seen enough by itself", self.all(
            lambda r: r.metric("understudy_comparisons_total") < 97), [r.metric("understudy_comparisons_total")
                                                                        for r in self.running()])
        self.comes("every replica judges by the same figures", lambda: len({self.gate_figures(r) for r in self.running()}) == 1,
                   self.verdicts)
        a.order("promote")
        self.comes("the stage that one is promoted to is the stage of all", lambda: self.all(
            lambda r: r.stage() == ("baking", 2)), self.fleets)
        b.order("pause")
        self.comes("a pause of one is a pause of all", lambda: self.all(lambda r: r.stage() == ("paused", 2)), self.fleets)
        a.order("resume")
        self.comes("and so is its end, whoever is told", lambda: self.all(lambda r: r.stage() == ("baking", 2)), self.fleets)

    def come_and_go(self, a, b, c):
        late = self.replica("late")
        self.comes("a replica that starts late joins the present stage", lambda: late.stage() == ("baking", 2),
                   self.fleets)
        self.comes("and knows what was seen before", self.fleet_has(130), self.fleets)
        late.stop()
        c.stop()
        self.comes("who is gone still counts", lambda: self.fleet_has(130)() and self.all(
            lambda r: r.fleet()["gone_replicas"] >= 1), self.fleets)
        c.start()
        self.comes("who comes back shows what it had seen before anybody asks it", lambda: c.metric(
            'understudy_evidence_total{fleet="test",route="route"') > 0, self.fleets)
        c.ask(1)
        self.comes("who comes back goes on from what it had seen, and counts once", self.fleet_has(131), self.fleets)
        self.check("its counters begin at what was saved", c.metric(
            'understudy_evidence_total{fleet="test",route="route"') > 0 and c.metric("understudy_comparisons_total") <= 2)
        self.check("it is where it was", c.stage() == ("baking", 2), c.stage())
        a.program.process.kill()
        a.program.process.wait()
        a.program = None
        self.scrape()
        newcomer = self.replica("newcomer")
        self.comes("a killed replica still counts, also for who never met it", lambda: newcomer.fleet()["fresh"] and
                   newcomer.fleet()["pairs"] == 131 and newcomer.fleet()["gone_replicas"] >= 1, self.fleets)
        a.start()

    def prometheus_away(self, a, b):
        self.comes("all are in one stage again", lambda: self.all(lambda r: r.stage() == ("baking", 2)), self.fleets)
        before = [r.fleet()["pairs"] for r in self.running()]

        def absences():
            return b.program.log_text().count('"fleet_is_not_read"')

        def returns():
            return b.program.log_text().count('"fleet_is_read"')
        # A slow machine may have missed a scrape before, and told it: of an absence that goes on nothing is told again.
        self.comes("and all judge by fresh figures", lambda: self.all(lambda r: r.fleet()["fresh"]) and
                   returns() == absences(), self.fleets)
        absent_before = absences()
        self.stop_prometheus()
        self.comes("without Prometheus every replica says so", lambda: self.all(
            lambda r: not r.fleet()["fresh"] and "not known" in r.route()["verdict_text"]), self.verdicts)
        # A server that goes down may reset a question it had taken before it refuses the next.
        self.comes("why stands beside it", lambda: self.all(lambda r: "refused" in r.fleet()["problem"]), self.fleets)
        self.comes("the metric tells it", lambda: self.all(lambda r: r.metric("understudy_fleet_fresh") == 0))
        self.stays("and holds: nothing is promoted and nothing rolled back", lambda: self.all(
            lambda r: r.stage() == ("baking", 2) and r.route()["verdict"] == "keep_shadowing"), detail=self.fleets)
        self.check("it is logged once", absences() == absent_before + 1, b.program.log_text()[-2000:])
        self.start_prometheus()
        self.comes("with Prometheus back all know again what they knew", lambda: self.all(
            lambda r: r.fleet()["fresh"] and r.fleet()["pairs"] >= max(before)), self.fleets)

    def one_sees_a_fault(self, a, b):
        share = b.route()["served"]["candidate"]
        b.ask(40, about="a fault")
        begun = time.monotonic()
        self.comes("who sees a fault goes back", lambda: b.stage()[0] == "rolled_back",
                   lambda: (share, b.route()["rollout"], b.route()["served"]))
        self.check("by its own gate", b.route()["rollout"]["reason"] == "fallback_rate", b.route()["rollout"])
        self.comes("and takes all others with it", lambda: self.all(lambda r: r.stage() == ("rolled_back", 0)),
                   self.fleets)
        self.check("within seconds", time.monotonic() - begun < 30, time.monotonic() - begun)
        reasons = {r.name: r.route()["rollout"]["reason"] for r in self.running()}
        self.check("because it did", all(why in ("fleet", "evidence") for name, why in reasons.items() if name != b.name),
                   reasons)
        self.check("the others had no fallback of their own", a.metric("understudy_fallbacks_total") == 0)
        after = self.replica("after")
        self.comes("who starts after a rollback is rolled back", lambda: after.stage() == ("rolled_back", 0), self.fleets)
        self.check("a person resumes each", self.all(lambda r: r.order("resume") == 200))
        self.stays("and nobody falls back by what is past", lambda: self.all(lambda r: r.stage() == ("pending", 0)),
                   detail=lambda: (self.fleets(), [r.route()["rollout"]["reason"] for r in self.running()]))

    def close(self):
        for replica in self.running():
            replica.stop()
        if self.prometheus:
            self.prometheus.stop()
        self.server.shutdown()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", required=True, help="a build directory")
    parser.add_argument("--keep", action="store_true", help="keep configs and logs")
    options = parser.parse_args()
    if shutil.which("prometheus") is None:
        print("FAIL - there is no prometheus: deploy/install-dependencies.sh test\n0 passed, 1 failed")
        return 1
    directory = pathlib.Path(tempfile.mkdtemp(prefix="understudy-fleet-"))
    test = FleetTest(pathlib.Path(options.programs).resolve(), directory)
    try:
        test.run()
    except (stacks.StackError, OSError, subprocess.SubprocessError) as failure:
        test.check("the story comes to its end", False, failure)
    test.close()
    if test.failed or options.keep:
        print(f"logs are in {directory}")
    else:
        shutil.rmtree(directory)
    print(f"{test.passed} passed, {test.failed} failed")
    return test.failed > 0


if __name__ == "__main__":
    sys.exit(main())
