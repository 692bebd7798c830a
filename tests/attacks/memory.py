"""How much memory each attack of the threat model costs the proxy, and a connection at rest, against what it may cost.

    memory.py --programs build/release

A sanitizer's build keeps what was freed, so that its memory tells nothing: this wants a Release build. Each attack has a
proxy of its own that has served a while before. Its resident memory is sampled while the attack runs. Prints a sentence
per attack and, last, "N passed, M failed".
"""

import argparse
import contextlib
import functools
import pathlib
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "deploy"), str(HERE.parent / "clients")]
import stack as stacks  # noqa: E402
from certificates import Authority  # noqa: E402
from run import Tally, check_last_words  # noqa: E402

import vectors  # noqa: E402

SAMPLE_SECONDS = 0.02
PATIENCE_SECONDS = 30
SETTLES_SECONDS = 1  # until what is given back at rest is back
CONNECTIONS = 1000  # of the attacks that come in numbers
MIB = 1 << 20
KIB_PER_CONNECTION = 16  # of one that sends slowly, with its unfinished head
TARGET = b"/model/understudy.echo-v1%3A0/invoke"
CONFIG = """
listeners: [{address: "127.0.0.1:8080"}, {address: "127.0.0.1:8443", tls: {certificate: tls.crt, key: tls.key}}]
admin: {address: "127.0.0.1:9901"}
threads: {io: 1}
upstreams:
  bedrock:
    endpoint: http://127.0.0.1:9100
    region: us-east-1
    credentials: {source: static, access_key_id: AKIDEXAMPLE, secret_access_key: wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY}
routes:
  - name: models
    match: {models: ["*"]}
    primary: {upstream: bedrock}
drain: {lame_duck: 0s, timeout: 5s}
"""


# --- What an attacker says

class Attacker:
    """A connection that sends until it is told not to, and reads what comes so that nobody waits for it."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)

    def send(self, data):
        """False once the proxy has had enough."""
        try:
            self.socket.sendall(data)
            self.socket.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                while self.socket.recv(65536):
                    pass
            self.socket.settimeout(PATIENCE_SECONDS)
            return True
        except OSError:
            return False

    def flood(self, pieces):
        """Sends one piece after another, for as long as they are taken."""
        for piece in pieces:
            if not self.send(piece):
                return

    def listen(self):
        """Reads until the proxy closes or says no more."""
        with contextlib.suppress(OSError):
            while self.socket.recv(65536):
                pass

    def close(self):
        self.socket.close()


@contextlib.contextmanager
def attacker(port):
    made = Attacker(port)
    try:
        yield made
    finally:
        made.close()


def post(fields, body=b""):
    return vectors.post(fields, body, target=TARGET)


# --- HTTP/2 frames (RFC 9113, section 6), by hand: no library sends what these do

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION, UNKNOWN = 0, 1, 2, 3, 4, 6, 8, 9, 77
END_STREAM, END_HEADERS = 1, 4


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value, indexed=False):
    """A field of HPACK (RFC 7541, section 6.2), never Huffman coded; `indexed` puts it into the dynamic table."""
    return bytes([0x40 if indexed else 0]) + string(name) + string(value)


def string(text):
    if len(text) < 127:
        return bytes([len(text)]) + text
    rest, out = len(text) - 127, bytearray([127])
    while rest >= 128:
        out.append(rest % 128 | 128)
        rest //= 128
    return bytes(out) + bytes([rest]) + text


def request_fields():
    return b"".join(literal(name, value) for name, value in (
        (b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"a"), (b":path", TARGET)))


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS)


def request(stream, more=b"", flags=END_STREAM | END_HEADERS):
    return frame(HEADERS, flags, stream, request_fields() + more)


def odd_streams(count):
    return range(1, 2 * count, 2)


# --- The attacks: rows of the threat model, and how many MiB each may cost

def malformed_heads(port):
    """A1, A2, A3, A12, A13, A15: every vector of the gate, and again."""
    for _ in range(5):
        for _, data in vectors.vectors():
            with attacker(port) as made:
                made.send(data)


def tiny_chunks(port):
    with attacker(port) as made:
        made.send(post(b"Transfer-Encoding: chunked\r\n"))
        made.flood(b"1\r\na\r\n" * 1000 for _ in range(2000))
        made.listen()


def chunk_extensions(port):
    for _ in range(50):
        with attacker(port) as made:
            made.send(post(b"Transfer-Encoding: chunked\r\n", b"5;"))
            made.flood(b"a" * 65536 for _ in range(100))


def endless_trailers(port):
    for _ in range(50):
        with attacker(port) as made:
            made.send(post(b"Transfer-Encoding: chunked\r\n", b"0\r\n"))
            made.flood(b"x: " + b"a" * 1000 + b"\r\n" for _ in range(5000))


def endless_heads(port):
    for start in (b"GET / HTTP/1.1\r\n", b"GET /"):
        for _ in range(50):
            with attacker(port) as made:
                made.send(start)
                made.flood(b"x" * 1000 + (b": y\r\n" if b"HTTP" in start else b"") for _ in range(5000))


def oversize_bodies(port):
    for _ in range(50):
        with attacker(port) as made:
            made.send(post(b"Content-Length: 99999999999\r\n", b"x" * 65536))
            made.listen()


def slow_heads(port):
    held = [Attacker(port) for _ in range(CONNECTIONS)]
    for made in held:
        made.send(b"POST " + TARGET + b" HTTP/1.1\r\nHost: a\r\nX-Slow: ")
    time.sleep(1)
    for made in held:
        made.close()


def rapid_reset(port):
    with attacker(port) as made:
        made.send(PREFACE)
        made.flood(b"".join(request(s) + frame(RST_STREAM, 0, s, struct.pack(">I", 8)) for s in range(base, base + 200, 2))
                   for base in range(1, 200_000, 200))


def made_you_reset(port):
    """CVE-2025-8671: what makes the server reset streams that it has begun."""
    with attacker(port) as made:
        made.send(PREFACE)
        made.flood(b"".join(request(s, flags=END_HEADERS) + frame(WINDOW_UPDATE, 0, s, struct.pack(">I", 0))
                            for s in range(base, base + 200, 2)) for base in range(1, 200_000, 200))


def continuation_flood(port):
    with attacker(port) as made:
        made.send(PREFACE + frame(HEADERS, END_STREAM, 1, request_fields()))
        made.flood(frame(CONTINUATION, 0, 1, literal(b"x", b"a" * 1000) * 10) for _ in range(5000))


def hpack_bomb(port):
    """One field of 4,000 bytes put into the table, and then asked for by a byte each: 1 MB of them."""
    for _ in range(4):
        with attacker(port) as made:
            made.send(PREFACE + request(1, literal(b"x", b"a" * 4000, indexed=True)))
            made.flood(request(stream, b"\xbe" * 16000) for stream in range(3, 35, 2))
            made.listen()


def many_fields(port):
    for _ in range(20):
        with attacker(port) as made:
            made.send(PREFACE)
            made.flood(request(stream, b"".join(literal(b"x%d" % i, b"") for i in range(2000))) for stream in odd_streams(100))


def control_frames(port):
    for piece in (frame(PING, payload=b"12345678"), frame(SETTINGS), frame(SETTINGS, payload=struct.pack(">HI", 4, 65535) * 30),
                  frame(PRIORITY, 0, 5, struct.pack(">IB", 3, 1)), frame(WINDOW_UPDATE, payload=struct.pack(">I", 1)),
                  frame(UNKNOWN, payload=b"x" * 100)):
        with attacker(port) as made:
            made.send(PREFACE)
            made.flood(piece * 500 for _ in range(2000))


def empty_data(port):
    with attacker(port) as made:
        made.send(PREFACE + request(1, flags=END_HEADERS))
        made.flood(frame(DATA, 0, 1) * 500 for _ in range(2000))


def idle_admins(port):  # that is the admin port
    held = []
    for _ in range(CONNECTIONS):
        try:
            held.append(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS))
        except OSError:
            break
    time.sleep(1)
    for made in held:
        made.close()


ATTACKS = {
    "A1 to A3, A12, A13, A15: malformed heads": (malformed_heads, 1),
    "A4: chunks of one byte": (tiny_chunks, 1),
    "A4: endless chunk extensions": (chunk_extensions, 1),
    "A4: endless trailers": (endless_trailers, 1),
    "A7: 100,000 streams begun and reset": (rapid_reset, 2),
    "A7: 100,000 streams that we are made to reset": (made_you_reset, 2),
    "A8: a CONTINUATION flood": (continuation_flood, 2),
    "A8: 1 MB of HPACK bombs": (hpack_bomb, 2),
    "A8: many fields": (many_fields, 2),
    "A9: floods of control frames": (control_frames, 1),
    "A9: empty DATA": (empty_data, 1),
    f"A10: {CONNECTIONS} heads that never end": (slow_heads, CONNECTIONS * KIB_PER_CONNECTION / 1024),
    "A11: endless heads and targets": (endless_heads, 1),
    "A11: bodies beyond the limit": (oversize_bodies, 1),
    f"A18: {CONNECTIONS} idle connections to the admin port": (idle_admins, 1),
}


# --- Clients that have been served once and wait

SMALL = b"x" * 2048


def rest_plain(held, stack):
    made = held.enter_context(attacker(stack.port)).socket
    made.sendall(post(b"Content-Length: %d\r\n" % len(SMALL), SMALL))
    made.recv(65536)


def rest_in_tls(held, stack):
    context = ssl.create_default_context(cafile=stack.directory / "ca.crt")
    made = held.enter_context(context.wrap_socket(
        socket.create_connection(("127.0.0.1", stack.tls_port), timeout=PATIENCE_SECONDS), server_hostname="127.0.0.1"))
    made.sendall(post(b"Content-Length: %d\r\n" % len(SMALL), SMALL))
    made.recv(65536)


def rest_in_http2(held, stack):
    made = held.enter_context(attacker(stack.port)).socket
    made.sendall(PREFACE + frame(SETTINGS, flags=1) + request(1, flags=END_HEADERS) + frame(DATA, END_STREAM, 1, SMALL))
    answer = b""
    while SMALL not in answer:
        answer += made.recv(65536)


# KiB a connection. The plain one keeps no buffer at all. TLS adds OpenSSL's state of a session, HTTP/2 nghttp2's frame
# buffer and tables of header fields (proxy/h2_connection.h).
AT_REST = {"HTTP/1.1": (rest_plain, 4), "HTTP/1.1 in TLS": (rest_in_tls, 20), "HTTP/2": (rest_in_http2, 24)}


# --- Measuring

def resident_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise stacks.StackError(f"process {pid} tells no VmRSS")


class Highest:
    """The most that a process holds while this is open."""

    def __init__(self, pid):
        self.pid, self.bytes, self.done = pid, 0, threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self.done.wait(SAMPLE_SECONDS):
            self.bytes = max(self.bytes, resident_bytes(self.pid))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        self.bytes = max(self.bytes, resident_bytes(self.pid))


def serve_a_while(port):
    """What a proxy holds that has been at work, so that an attack is not charged for the first use of anything."""
    for data in (post(b"Content-Length: 65536\r\n", b"x" * 65536), PREFACE + request(1)):
        for _ in range(100):
            with attacker(port) as made:
                made.socket.sendall(data)
                made.socket.recv(65536)
    time.sleep(1)


@contextlib.contextmanager
def proxy_at_work(programs, directory):
    """The stack, and what the proxy holds by then."""
    with stacks.Stack(programs, directory) as stack:
        stack.start_simulator(HERE.parent / "clients/simulator.yaml")
        Authority(stack.directory)
        stack.tls_port = stacks.free_port(0)
        stack.start_proxy(CONFIG, {"127.0.0.1:9100": f"127.0.0.1:{stack.simulator_port}",
                                   "127.0.0.1:8443": f"127.0.0.1:{stack.tls_port}"}, 0, 0)
        serve_a_while(stack.port)
        yield stack, resident_bytes(stack.proxy.pid)


def measure_attack(name, tally, programs, directory):
    attack, allowed = ATTACKS[name]
    with proxy_at_work(programs, directory) as (stack, before):
        with Highest(stack.proxy.pid) as highest:
            attack(stack.admin_port if attack is idle_admins else stack.port)
        grown = max(0, highest.bytes - before) / MIB
        tally.check(f"{name}: {grown:.2f} MiB (at most {allowed:g})", grown <= allowed)
        tally.check("and the proxy still answers", stacks.get(stack.admin_port, "/readyz")[0] == 200)
        check_last_words(stack, tally)


def measure_rest(wire, tally, programs, directory):
    """No attack, but every day's cost: connections that have been served and wait for their next request."""
    rest, allowed = AT_REST[wire]
    with proxy_at_work(programs, directory) as (stack, _), contextlib.ExitStack() as held:
        rest(held, stack)  # the first use of anything is not its cost
        before = resident_bytes(stack.proxy.pid)
        for _ in range(CONNECTIONS):
            rest(held, stack)

        def each():
            return (resident_bytes(stack.proxy.pid) - before) / CONNECTIONS / 1024

        end = time.monotonic() + PATIENCE_SECONDS
        while each() > allowed and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(SETTLES_SECONDS)
        tally.check(f"{CONNECTIONS} connections at rest, {wire}: {each():.1f} KiB each (at most {allowed})",
                    each() <= allowed)
        check_last_words(stack, tally)


MEASUREMENTS = {name: functools.partial(measure_attack, name) for name in ATTACKS} | {
    f"at rest, {wire}": functools.partial(measure_rest, wire) for wire in AT_REST}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, help="a build directory, of a Release")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="those with that word in their names")
    options = parser.parse_args()
    tally = Tally()
    for number, (name, measure) in enumerate(MEASUREMENTS.items()):
        if options.only and not any(word in name for word in options.only):
            continue
        with tempfile.TemporaryDirectory(prefix="understudy-memory-") as directory:
            try:
                measure(tally, options.programs, pathlib.Path(directory) / str(number))
            except (stacks.StackError, OSError) as problem:
                tally.check(f"{name}: everything runs", False, problem)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
