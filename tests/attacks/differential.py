"""The same bytes to nginx, HAProxy and the proxy, and what each makes of them for the server behind it.

What the proxy accepts must be split into requests and bodies as those split it that accept it too: a front and a back that
disagree about where a request ends are how requests are smuggled. Refusing more is no difference. answers.py has the other
direction.
"""

import concurrent.futures
import shutil
import socket
import socketserver
import threading

import answers
import stack as stacks
import vectors

FIRST_BYTE_SECONDS = 1.5
REST_SECONDS = 0.3
LONG = 1 << 20
# Differences that are right: (vector, other server) -> why.
EXPLAINED = {(f"content-length {zero}", "nginx"): "the second request's method is abcdeGET, and nginx takes capitals only"
             for zero in ("0", "00")}

OURS = """
listeners: [{address: "127.0.0.1:8080"}]
admin: {address: 127.0.0.1:9901}
upstreams:
  recorder: {endpoint: "http://127.0.0.1:9100", region: us-east-1, credentials: {source: none}}
default_route: {upstream: recorder}
limits: {header_timeout: 2s, body_idle_timeout: 2s, keep_alive_timeout: 2s}
drain: {lame_duck: 0s, timeout: 2s}
"""


class Recorder(socketserver.ThreadingTCPServer):
    """A server that reads strictly, and remembers what requests it was sent."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Visit)
        self.port = self.server_address[1]
        self.lock, self.requests = threading.Lock(), []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def remember(self, request):
        with self.lock:
            self.requests.append(request)

    def taken(self):
        with self.lock:
            requests, self.requests = self.requests, []
            return requests


class Malformed(Exception):
    pass


class Visit(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            while (head := self.head()):
                method, target, version = head[0].split(b" ")
                fields = {}
                for field in head[1:]:
                    name, colon, value = field.partition(b":")
                    if not colon or name.lower() in fields:
                        raise Malformed(field)
                    fields[name.lower()] = value.strip(b" \t")
                self.server.remember((method, target, self.body(fields)))
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                if version != b"HTTP/1.1" or fields.get(b"connection", b"").lower() == b"close":
                    return
        except (Malformed, ValueError) as problem:
            self.server.remember(("malformed", repr(problem)))
        except OSError:
            pass

    def line(self):
        line = self.rfile.readline(LONG)
        if line and not line.endswith(b"\r\n"):
            raise Malformed(line)
        return line[:-2]

    def head(self):
        lines = []
        while (line := self.line()):
            lines.append(line)
        return lines

    def body(self, fields):
        length, coding = fields.get(b"content-length"), fields.get(b"transfer-encoding")
        if length is not None and coding is not None:
            raise Malformed(b"both framings")
        if coding is None:
            size = int(length or b"0")
            body = self.rfile.read(min(size, LONG))
            if len(body) < size:
                raise OSError("cut")  # a proxy that gave up, not a request
            return body
        if coding.lower() != b"chunked":
            raise Malformed(coding)
        body = b""
        while (size := int(self.line().partition(b";")[0], 16)):
            body += self.rfile.read(size)
            if self.rfile.read(2) != b"\r\n":
                raise OSError("cut")
        while self.line():
            pass
        return body


def temporary_paths(directory):
    """nginx would use the system's directories."""
    return " ".join(f"{kind}_temp_path {directory}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))


def nginx(directory, port, upstream):
    (directory / "nginx.conf").write_text(f"""
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/error.log crit;
events {{ worker_connections 512; }}
http {{
  access_log off;
  {temporary_paths(directory)}
  client_header_timeout 2s; client_body_timeout 2s; keepalive_timeout 2s;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{upstream};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
    }}
  }}
}}
""")
    return ["nginx", "-p", directory, "-c", directory / "nginx.conf", "-e", directory / "early.log"]


def haproxy(directory, port, upstream):
    (directory / "haproxy.cfg").write_text(f"""
defaults
  mode http
  timeout connect 2s
  timeout client 2s
  timeout server 5s
  timeout http-request 2s
frontend front
  bind 127.0.0.1:{port}
  default_backend back
backend back
  server recorder 127.0.0.1:{upstream}
""")
    return ["haproxy", "-db", "-f", directory / "haproxy.cfg"]


OTHERS = {"nginx": nginx, "haproxy": haproxy}


def send(port, data):
    """Until the server closes or has nothing more to say."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        try:
            client.sendall(data)
            client.settimeout(FIRST_BYTE_SECONDS)
            while client.recv(65536):
                client.settimeout(REST_SECONDS)
        except OSError:
            pass


def requests_of(port, recorder):
    """What reached the recorder behind `port`, vector by vector."""
    recorder.taken()  # what told that all is ready
    made = []
    for _, data in vectors.vectors():
        send(port, data)
        made.append(recorder.taken())
    return made


def same_split(ours, theirs):
    """Where both passed something on, ours are the requests that theirs begin with. Fewer may be ours: we refuse more, and
    bytes that we took for a body would show in the request they are the body of. One more is a request that the other took
    for something else or for none, which is how requests are smuggled."""
    return not ours or not theirs or ours == theirs[:len(ours)]


def check_same_split(tally):
    """That the comparison itself can tell."""
    one, other, smuggled = ("POST", "/a", b""), ("POST", "/a", b"abcde"), ("GET", "/smuggled", b"")
    right = [([], [one]), ([one], []), ([one], [one]), ([one, smuggled], [one, smuggled]), ([one], [one, smuggled])]
    wrong = [([one, smuggled], [one]), ([one], [other]), ([one, smuggled], [other]), ([smuggled], [one, smuggled])]
    tally.check("the comparison passes what is split alike", all(same_split(*pair) for pair in right), right)
    tally.check("the comparison finds a request too many and another body", not any(same_split(*pair) for pair in wrong), wrong)


def compare(tally, passed):
    ours = passed["understudy"]
    failed_before = tally.failed
    accepted = sum(map(bool, ours))
    for other in OTHERS:
        both = sum(bool(mine) and bool(theirs) for mine, theirs in zip(ours, passed[other]))
        print(f"of {len(ours)} vectors the proxy accepts {accepted}, {other} {sum(map(bool, passed[other]))}, both {both}")
        tally.check(f"enough is accepted by {other} as well to be compared", both >= 20, both)
    for number, (name, _) in enumerate(vectors.vectors()):
        name = name.decode("latin-1")
        malformed = [each for each in ours[number] if each[0] == "malformed"]
        if malformed:
            tally.check(f"what the proxy makes of [{name!r}] is well formed", False, malformed)
        for other in OTHERS:
            theirs = passed[other][number]
            if same_split(ours[number], theirs):
                continue
            reason = EXPLAINED.get((name, other))
            if reason:
                print(f"differs from {other}, rightly: {name!r}: {reason}")
            else:
                tally.check(f"[{name!r}] is split as {other} splits it", False, f"{ours[number]}, {other}: {theirs}")
    tally.check("nothing that the proxy accepts is split differently by those who accept it",
                tally.failed == failed_before, "see above")


def run_three(programs, place, make_server, try_all):
    """`try_all(port, server)` for each of the three, a server of its own behind it; what came out by name."""
    started, places = [], {}
    with stacks.Stack(programs, place) as stack:
        try:
            for name, command in OTHERS.items():
                own, port, server = place / name, stacks.free_port(), make_server()
                own.mkdir()
                program = stacks.Program(name, command(own, port, server.port), own / "out.log")
                started.append(program)
                program.wait_until(lambda port=port: stacks.get(port, "/")[0] == 200)
                places[name] = (port, server)
            server = make_server()
            stack.start_proxy(OURS, {"127.0.0.1:9100": f"127.0.0.1:{server.port}"}, 0, 0)
            places["understudy"] = (stack.port, server)
            with concurrent.futures.ThreadPoolExecutor(len(places)) as pool:
                runs = {name: pool.submit(try_all, *where) for name, where in places.items()}
                return {name: run.result() for name, run in runs.items()}
        finally:
            for program in started:
                program.stop()
            for _, server in places.values():
                server.shutdown()
                server.server_close()


def run(tally, programs, directory):
    missing = [name for name in OTHERS if not shutil.which(name)]
    if missing:
        return tally.check("nginx and HAProxy are here", False, f"{missing} missing")
    check_same_split(tally)
    compare(tally, run_three(programs, directory / "requests", Recorder, requests_of))
    answers.compare(tally, run_three(programs, directory / "answers", answers.Server, answers.answers_of), OTHERS)
