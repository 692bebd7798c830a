"""Tools that others made to judge or to break a server, at the proxy; none of them may find anything.

    attack.py --programs build/asan [--only h2spec ...]

h2spec and h2load for HTTP/2, slowhttptest's four attacks, sslscan, and the bytes of differential.py at nginx, HAProxy and
the proxy. Prints a sentence per check and, last, "N passed, M failed". A tool that is not here is a failure.
"""

import argparse
import http.client
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree as xml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "deploy"), str(HERE.parent / "clients")]
import stack as stacks  # noqa: E402
import summary  # noqa: E402
import toolchains  # noqa: E402
from certificates import Authority  # noqa: E402
from run import Tally, check_last_words  # noqa: E402
from toolchains import NotHere, run_quietly  # noqa: E402

import differential  # noqa: E402

TOOL_SECONDS = 900
REQUESTS = 100_000
ATTACKERS = 1000
PATIENCE_SECONDS = 10  # of the well-behaved client; on a machine that runs other things, too
LARGE_ANSWER = 8 << 20
ECHO = "/model/understudy.echo-v1%3A0/invoke"
# What the slow attacks are, as slowhttptest takes them, and what they ask for.
ATTACKS = {
    "slow headers": ("/", ["-H", "-i", "3", "-x", "24", "-t", "GET"]),
    "slow bodies": ("/", ["-B", "-i", "2", "-x", "10", "-s", "8192"]),
    "ranges": ("/", ["-R", "-a", "5", "-b", "3000", "-t", "HEAD"]),
    "slow reading": ("/large", ["-X", "-w", "512", "-y", "1024", "-n", "2", "-z", "512", "-k", "3"]),
}
# What a scanner calls medium or worse.
WEAK_CIPHER = re.compile(r"NULL|EXP|ADH|AECDH|RC4|DES|MD5|RC2|IDEA|SEED")


def nginx_files(directory):
    """A web server with a small and a large file; returns its port and the program."""
    port = stacks.free_port()
    files = directory / "files"
    files.mkdir()
    (files / "index.html").write_text("hello " * 100)
    (files / "large").write_bytes(os.urandom(LARGE_ANSWER))
    (directory / "nginx.conf").write_text(f"""
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/nginx-error.log crit;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  {differential.temporary_paths(directory)}
  server {{ listen 127.0.0.1:{port} backlog=4096; root {files}; }}
}}
""")
    nginx = stacks.Program("nginx", ["nginx", "-p", directory, "-c", directory / "nginx.conf", "-e", directory / "nginx.log"],
                           directory / "nginx.out")
    nginx.wait_until(lambda: stacks.get(port, "/")[0] == 200)
    return port, nginx


class Under:
    """The proxy under attack, with the simulator and the files behind it."""

    def __init__(self, stack, tally, plain, tls):
        self.stack, self.tally, self.plain, self.tls = stack, tally, plain, tls
        self.directory = stack.directory

    def run(self, command, tool):
        """The tool's output, None where it could not be run."""
        if not shutil.which(str(command[0])):
            self.tally.check(f"{tool} is here", False, f"no {command[0]} on this machine")
            return None
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=TOOL_SECONDS, check=False,
                              cwd=self.directory)
        return done.stdout


def h2spec(under):
    binary = ROOT / ".cache/h2spec/h2spec"
    try:
        run_quietly([toolchains.go(), "build", "-o", binary, "github.com/summerwind/h2spec/cmd/h2spec"], cwd=HERE / "h2spec")
    except NotHere as problem:
        return under.tally.check("h2spec is here", False, problem)
    for word, port, more in (("plain", under.plain, []), ("TLS", under.tls, ["--tls", "--insecure"])):
        report = under.directory / f"h2spec-{word}.xml"
        output = under.run([binary, "--host", "127.0.0.1", "--port", port, "--strict", "--timeout", "5", "--junit-report",
                            report, *more], "h2spec")
        said = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", output)
        under.tally.check(f"h2spec finds nothing over {word}: {said and said.group(0)}", said and said.group(4) == "0",
                          output[-3000:])
        for case in xml.parse(report).iter("testcase") if report.exists() else ():
            if case.find("skipped") is not None:
                print(f"skipped by h2spec: {case.get('package')} {case.get('classname')}")


def h2load(under):
    body = under.directory / "body.json"
    body.write_bytes(b"x" * 2048)
    for word, address in (("plain", f"http://127.0.0.1:{under.plain}"), ("TLS", f"https://127.0.0.1:{under.tls}")):
        output = under.run(["h2load", "--requests", REQUESTS, "--clients", 50, "--max-concurrent-streams", 10, "--data", body,
                            "--header", "content-type: application/json", address + ECHO], "h2load")
        if output is None:
            return
        good = (f"{REQUESTS} succeeded, 0 failed, 0 errored, 0 timeout" in output and f"{REQUESTS} 2xx" in output)
        under.tally.check(f"{REQUESTS} requests of h2load over {word} succeed", good, output[-2000:])


class Watch:
    """What a well-behaved client and the proxy's own gauge tell while an attack runs."""

    def __init__(self, stack):
        self.stack, self.samples, self.refused, self.done = stack, [], [], threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self.done.wait(0.5):
            try:
                if stacks.get(self.stack.port, "/", timeout=PATIENCE_SECONDS)[0] != 200:
                    self.refused.append("not 200")
                text = stacks.get(self.stack.admin_port, "/metrics")[1].decode()
                self.samples.append(int(summary.Metrics(text).total("connections")))
            except (OSError, http.client.HTTPException) as problem:
                self.refused.append(repr(problem))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def slowhttptest(under):
    for name, (path, words) in ATTACKS.items():
        with Watch(under.stack) as watch:
            output = under.run(["slowhttptest", *words, "-c", ATTACKERS, "-r", 200, "-l", 60, "-p", 3, "-u",
                                f"http://127.0.0.1:{under.plain}{path}"], "slowhttptest")
        if output is None:
            return
        output = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", output)
        came = max((int(open_now) + int(closed) for open_now, closed in
                    re.findall(r"connected: +(\d+).*?closed: +(\d+)", output, re.DOTALL)), default=0)
        under.tally.check(f"{name}: {came} attackers came", came > ATTACKERS / 4, output[-2000:])
        under.tally.check(f"{name}: the service stays available", not watch.refused, watch.refused[:3])
        # It gives up before its time when all of them are closed. An attacker that reads slowly does not hear of the
        # reset: then the proxy's own count tells.
        closed = "No open connections left" in output or (watch.samples and watch.samples[-1] <= ATTACKERS / 50)
        under.tally.check(f"{name}: the attackers are closed while they still try", closed, watch.samples)


def sslscan(under):
    report = under.directory / "sslscan.xml"
    output = under.run(["sslscan", "--no-colour", f"--xml={report}", f"127.0.0.1:{under.tls}"], "sslscan")
    if output is None:
        return
    found = xml.parse(report).getroot().find("ssltest")
    spoken = sorted(f"{each.get('type')} {each.get('version')}" for each in found.iter("protocol") if each.get("enabled") == "1")
    under.tally.check("TLS 1.2 and 1.3 are spoken, and nothing older", spoken == ["tls 1.2", "tls 1.3"], spoken)
    ciphers = [each.get("cipher") for each in found.iter("cipher")]
    weak = [each.get("cipher") for each in found.iter("cipher")
            if WEAK_CIPHER.search(each.get("cipher")) or each.get("strength") not in ("strong", "acceptable")
            or int(each.get("bits")) < 128]
    under.tally.check(f"none of the {len(ciphers)} ciphers is weak", ciphers and not weak, weak)
    forward = [name for name in ciphers if not re.match(r"TLS_|ECDHE|DHE", name)]
    under.tally.check("every cipher has forward secrecy", ciphers and not forward, forward)
    renegotiation, compression, fallback = found.find("renegotiation"), found.find("compression"), found.find("fallback")
    under.tally.check("renegotiation is secure or absent", renegotiation is None or renegotiation.get("supported") == "0" or
                      renegotiation.get("secure") == "1", renegotiation is not None and renegotiation.attrib)
    under.tally.check("nothing is compressed", compression is None or compression.get("supported") == "0")
    under.tally.check("a downgrade is noticed", fallback is None or fallback.get("supported") == "1")
    bleeding = [each.get("sslversion") for each in found.iter("heartbleed") if each.get("vulnerable") == "1"]
    under.tally.check("nothing bleeds", not bleeding, bleeding)
    weak_groups = [each.get("name") for each in found.iter("group") if int(each.get("bits", 0)) < 112]
    under.tally.check("every key exchange group has 112 bits or more", not weak_groups, weak_groups)


def compared(under):
    differential.run(under.tally, under.stack.programs, under.directory)


TOOLS = {"h2spec": h2spec, "h2load": h2load, "sslscan": sslscan, "slowhttptest": slowhttptest, "differential": compared}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, help="a build directory")
    parser.add_argument("--only", nargs="+", choices=TOOLS, help="some of them")
    options = parser.parse_args()
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="understudy-attacks-") as name:
        directory = pathlib.Path(name)
        with stacks.Stack(options.programs, directory) as stack:
            files = None
            try:
                Authority(directory)
                files_port, files = nginx_files(directory)
                stack.start_simulator(HERE.parent / "clients/simulator.yaml")
                tls = stacks.free_port()
                stack.start_proxy((HERE / "config.yaml").read_text(),
                                  {"127.0.0.1:9100": f"127.0.0.1:{stack.simulator_port}",
                                   "127.0.0.1:9200": f"127.0.0.1:{files_port}", "127.0.0.1:8443": f"127.0.0.1:{tls}"}, 0, 0)
                under = Under(stack, tally, stack.port, tls)
                for tool, attack in TOOLS.items():
                    if not options.only or tool in options.only:
                        print(f"\n{tool}", flush=True)
                        attack(under)
                        tally.check(f"the proxy still answers after {tool}", stacks.get(stack.port, "/")[0] == 200)
                check_last_words(stack, tally)
            except (stacks.StackError, OSError, subprocess.SubprocessError) as problem:
                tally.check("everything runs", False, problem)
            finally:
                if files:
                    files.stop()
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
