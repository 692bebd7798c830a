"""Starts the simulator and the proxy of a build on free ports and lets the real clients at them.

    run.py --programs build/asan

Prints a sentence per check and, last, "N passed, M failed". The programs' own last words are checks too: a leak or a
race that a sanitizer found makes this fail.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "deploy"))
import deploy_metrics  # noqa: E402
import stack as stacks  # noqa: E402

# By the word that --only takes: what it is called, and the command.
CLIENTS = {
    "boto3": ("boto3", [sys.executable, "boto3_test.py"]),
    "tls": ("boto3 by TLS", [sys.executable, "tls_test.py"]),
    "js": ("the AWS SDK for JavaScript", ["node", "js_sdk_test.mjs"]),
    "js-http1": ("the AWS SDK for JavaScript over HTTP/1.1", ["node", "js_sdk_test.mjs", "--http1"]),
    "js-both-ways": ("the AWS SDK for JavaScript, both ways at once", ["node", "js_bidirectional_test.mjs"]),
    "openai": ("the OpenAI SDK", [sys.executable, "openai_test.py"]),
    "anthropic": ("the Anthropic SDK", [sys.executable, "anthropic_test.py"]),
}
CLIENT_SECONDS = 900
# What httpx says of a connection that ends (FIN) and of one that is reset (RST): the same to an application.
TRANSPORT = {"ReadError": "lost connection", "RemoteProtocolError": "lost connection"}
SANITIZER = re.compile(r"(ERROR|WARNING|SUMMARY): \w+Sanitizer.*|.*runtime error: .*")


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def note(self, line):
        self.passed += line.startswith("ok   - ")
        self.failed += line.startswith("FAIL - ")

    def check(self, sentence, holds, detail=""):
        line = f"ok   - {sentence}" if holds else f"FAIL - {sentence}: {detail}"
        print(line, flush=True)
        self.note(line)


def run_client(name, command, environment, tally):
    print(f"\n{name}", flush=True)
    failed_before = tally.failed
    with subprocess.Popen(command, cwd=HERE, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace") as client:
        deadline = threading.Timer(CLIENT_SECONDS, client.kill)
        deadline.start()
        for line in client.stdout:
            print(line, end="", flush=True)
            tally.note(line)
        deadline.cancel()
    if client.returncode and tally.failed == failed_before:
        tally.check(f"{name} runs to its end", False, f"status {client.returncode}")


API_KEY = "an-api-key-of-the-python-client"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
PROMPT = "canary in a prompt 5f0c9d"
# Planted where secrets and content go in; none may come out anywhere but in the answer to whoever sent it.
CANARIES = {"the client's API key": API_KEY, "a secret access key": SECRET, "a prompt": PROMPT,
            "a wrong API key": "a-key-that-nobody-has", "a wrong secret": "not-the-secret-at-all"}


def make_client_secrets(directory):
    """What the TLS listener of config.yaml names: a certificate, API keys, access keys."""
    make_certificate(directory)
    (directory / "keys.txt").write_text(f"# who: key\npython: {API_KEY}\n")
    (directory / "access-keys.txt").write_text(f"AKIDEXAMPLE: {SECRET}\n")


def make_certificate(directory):
    """A self-signed certificate for 127.0.0.1; each file is replaced whole."""
    new = {name: directory / f"{name}.new" for name in ("tls.key", "tls.crt")}
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", new["tls.key"], "-out", new["tls.crt"]], check=True, capture_output=True)
    for name, file in new.items():
        file.rename(directory / name)


def check_nothing_leaks(stack, tally):
    """Row A17 of the threat model: no key, token or prompt in logs, metrics, status pages or records."""
    said = {"the log": stack.proxy.log_text()}
    for path in ("/", "/metrics", "/api/status", "/api/routes"):
        said[path] = stacks.get(stack.admin_port, path)[1].decode()
    records = sorted((stack.directory / "records").glob("*"))
    said["the records"] = "".join(file.read_text(errors="replace") for file in records if file.is_file())
    tally.check("comparisons were recorded", bool(said["the records"]), records)
    for what, canary in CANARIES.items():
        where = [place for place, text in said.items() if canary in text]
        tally.check(f"{what} stands nowhere in what the proxy says", not where, where)
    limits = pathlib.Path(f"/proc/{stack.proxy.pid}/limits").read_text()
    tally.check("the proxy leaves no core", re.search(r"Max core file size +0 +0 ", limits), limits)


def check_deploy_files(stack, tally):
    print("\nthe dashboard and the alerts", flush=True)
    stacks.get(stack.port, "/" + "a" * 10_000)  # some metrics are there only once something was refused
    deploy_metrics.check(stacks.get(stack.admin_port, "/metrics")[1].decode(), tally)


def check_last_words(stack, tally):
    statuses = stack.stop()
    for program in (stack.proxy, stack.simulator):
        complaint = SANITIZER.search(program.log_text())
        tally.check(f"{program.name} stops at SIGTERM with status 0", statuses[program.name] == 0,
                    f"status {statuses[program.name]}\n{program.log_text()[-3000:]}")
        tally.check(f"no sanitizer complained about {program.name}", complaint is None, complaint and complaint.group(0))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, help="a build directory")
    parser.add_argument("--only", choices=CLIENTS, help="one client alone")
    options = parser.parse_args()
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="understudy-clients-") as directory:
        with stacks.Stack(options.programs, directory) as stack:
            try:
                stack.start_simulator(HERE / "simulator.yaml")
                make_client_secrets(stack.directory)
                tls_port = stacks.free_port()
                stack.start_proxy((HERE / "config.yaml").read_text(),
                                  {"http://127.0.0.1:9100": f"http://127.0.0.1:{stack.simulator_port}",
                                   "127.0.0.1:8443": f"127.0.0.1:{tls_port}"}, 0, 0)
            except stacks.StackError as problem:
                tally.check("both programs start", False, problem)
            else:
                environment = {**os.environ, "UNDERSTUDY_URL": f"http://127.0.0.1:{stack.port}",
                               "UNDERSTUDY_ADMIN_URL": f"http://127.0.0.1:{stack.admin_port}",
                               "UNDERSTUDY_BINARY": str(pathlib.Path(options.programs).resolve() / "understudy"),
                               "SIMULATOR_URL": f"http://127.0.0.1:{stack.simulator_port}",
                               "UNDERSTUDY_TLS_URL": f"https://127.0.0.1:{tls_port}",
                               "UNDERSTUDY_TLS_DIRECTORY": directory,
                               "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull,
                               "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
                for word, (name, command) in CLIENTS.items():
                    if options.only in (None, word):
                        run_client(name, command, environment, tally)
                        runs = stack.proxy.process.poll() is None
                        tally.check(f"the proxy still runs after {name}", runs, "it ended by itself")
                        if not runs:
                            break
                if stack.proxy.process.poll() is None:
                    if options.only in (None, "tls"):
                        check_nothing_leaks(stack, tally)
                    if not options.only:
                        check_deploy_files(stack, tally)
                check_last_words(stack, tally)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
