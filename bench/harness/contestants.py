"""Who takes part, and how each is configured at its best: one worker, keep-alive on both sides, no logs."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .machine import PROXY_CORE, BenchError, Process, free_port
from .peer import Peer

MANY_REQUESTS = 1_000_000_000  # per connection: never a reason to close


@dataclass(frozen=True)
class Contestant:
    name: str
    label: str
    kind: str  # direct, nginx, haproxy, nghttpx, understudy
    mirror: float = 0  # percent
    hung: bool = False  # the candidate accepts and never answers
    signed: bool = True  # understudy: SigV4 with static keys; otherwise the client's bearer token goes on
    streaming: bool = False  # nginx: proxy_buffering off
    one_read: bool = False  # nginx: a header buffer that takes head and small body in one read
    tls: bool = False  # clients come by TLS

    @property
    def auth(self) -> str:
        """What the client sends."""
        return "sigv4" if self.signed else "bearer"

    def available(self, understudy: Path | None) -> bool:
        if self.kind == "understudy":
            return understudy is not None
        return self.kind == "direct" or shutil.which(self.kind) is not None


def understudy_contestants() -> list[Contestant]:
    made = []
    for signed, word in ((True, "signed"), (False, "bearer")):
        def add(name: str, label: str, **keys):
            made.append(
                Contestant(f"understudy-{name}-{word}", f"Understudy, {label}, {word}",
                           "understudy", signed=signed, **keys)
            )
        add("off", "mirror off")
        add("10", "mirror 10 %", mirror=10)
        add("100", "mirror 100 %", mirror=100)
        add("hung", "mirror 100 % hung", mirror=100, hung=True)
    return made


ALL = {
    one.name: one
    for one in [
        Contestant("direct", "direct, no proxy", "direct"),
        Contestant("nginx", "nginx proxy_pass", "nginx"),
        Contestant("nginx-one-read", "nginx proxy_pass, 4k header buffer", "nginx", one_read=True),
        Contestant("nginx-unbuffered", "nginx proxy_pass, unbuffered", "nginx", streaming=True),
        Contestant("nginx-mirror", "nginx mirror 100 %", "nginx", mirror=100),
        Contestant("nginx-mirror-hung", "nginx mirror 100 % hung", "nginx", mirror=100, hung=True),
        Contestant("haproxy", "HAProxy", "haproxy"),
        Contestant("nghttpx", "nghttpx, HTTP/2", "nghttpx"),
        Contestant("nginx-tls", "nginx, TLS", "nginx", tls=True),
        Contestant("understudy-tls", "Understudy, TLS", "understudy", tls=True),
        *understudy_contestants(),
    ]
}


def make_certificate(directory: Path):
    """P-256, as most have it, for 127.0.0.1."""
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                           "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                           "-keyout", directory / "tls.key", "-out", directory / "tls.crt"], capture_output=True, text=True)
    if made.returncode:
        raise BenchError(f"openssl makes no certificate: {made.stderr[-300:]}")


class Proxy(Process):
    """A running contestant. `port` is where the load goes."""

    def __init__(self, contestant: Contestant, peer: Peer, directory: Path, understudy: Path | None):
        self.contestant = contestant
        self.port = free_port()
        directory.mkdir(parents=True, exist_ok=True)
        if contestant.tls:
            make_certificate(directory)
        candidate = peer.ports["hung" if contestant.hung else "candidate"]
        command = COMMANDS[contestant.kind](
            contestant, directory, self.port, peer.ports["primary"], candidate, understudy
        )
        super().__init__(command, PROXY_CORE, directory / "log")
        try:
            self.wait_for_port(self.port)
        except BenchError:
            self.stop()
            raise


def nginx_command(contestant, directory, port, primary, candidate, _) -> list[str]:
    passing = """
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;"""
    if contestant.streaming:
        passing += "\n      proxy_buffering off;"
    # A request of 2 KiB is then read at once; larger ones get slower by it, so the anchor goes without.
    header_buffer = "client_header_buffer_size 4k;" if contestant.one_read else ""
    mirror = "mirror /mirror; mirror_request_body on;" if contestant.mirror else ""
    tls = (f"ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {directory}/tls.crt; ssl_certificate_key {directory}/tls.key;"
           if contestant.tls else "")
    # nginx reads a body in memory only when it fits the buffer; otherwise it goes through a file.
    (directory / "nginx.conf").write_text(f"""
daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {directory}/nginx.pid;
error_log {directory}/log crit;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  client_body_buffer_size 128k;
  {header_buffer}
  client_max_body_size 64m;
  keepalive_requests {MANY_REQUESTS};
  keepalive_timeout 300s;
  tcp_nodelay on;
  upstream primary {{
    server 127.0.0.1:{primary};
    keepalive 2048;
    keepalive_requests {MANY_REQUESTS};
    keepalive_timeout 300s;
  }}
  upstream candidate {{
    server 127.0.0.1:{candidate};
    keepalive 2048;
    keepalive_requests {MANY_REQUESTS};
    keepalive_timeout 300s;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096{" ssl" if tls else ""};
    {tls}
    location / {{
      {mirror}
      proxy_pass http://primary;{passing}
    }}
    location = /mirror {{
      internal;
      proxy_pass http://candidate$request_uri;{passing}
    }}
  }}
}}
""")
    return ["nginx", "-p", str(directory), "-c", str(directory / "nginx.conf"),
            "-e", str(directory / "log")]


def haproxy_command(contestant, directory, port, primary, _candidate, _) -> list[str]:
    (directory / "haproxy.cfg").write_text(f"""
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  no log
  option http-no-delay
  http-reuse always
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
frontend bench
  bind 127.0.0.1:{port} backlog 4096
  default_backend bedrock
backend bedrock
  server primary 127.0.0.1:{primary} maxconn 8000
""")
    return ["haproxy", "-db", "-f", str(directory / "haproxy.cfg")]


def nghttpx_command(contestant, directory, port, primary, _candidate, _) -> list[str]:
    return ["nghttpx", "--single-process", "--workers=1", f"--frontend=127.0.0.1,{port};no-tls",
            f"--backend=127.0.0.1,{primary}", f"--errorlog-file={directory}/log", "--conf=/dev/null"]


def understudy_command(contestant, directory, port, primary, candidate, program) -> list[str]:
    keys = ("{source: static, access_key_id: AKIDEXAMPLE, "
            "secret_access_key: wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY}")
    # A copy carries no credential of the client: the candidate has a token of its own.
    primary_credentials, candidate_credentials = (
        (keys, keys) if contestant.signed
        else ("{source: forward_bearer}", "{source: bearer, token: bedrock-api-key-CANDIDATE}"))

    def upstream(name: str, to: int, credentials: str) -> str:
        return (f"  {name}:\n    endpoint: http://127.0.0.1:{to}\n    region: us-east-1\n"
                f"    credentials: {credentials}\n")

    upstreams = upstream("primary", primary, primary_credentials)
    candidate_of_route = ""
    if contestant.mirror:
        upstreams += upstream("candidate", candidate, candidate_credentials)
        candidate_of_route = f"""
    candidate: {{upstream: candidate, model: us.anthropic.claude-sonnet-5}}
    shadow: {{percent: {contestant.mirror}}}"""
    tls = "\n    tls: {certificate: tls.crt, key: tls.key}" if contestant.tls else ""
    (directory / "config.yaml").write_text(f"""
listeners:
  - address: 127.0.0.1:{port}{tls}
admin: {{address: 127.0.0.1:{free_port()}}}
threads: {{io: 1}}
# As nginx's keepalive_requests: h2load opens no other connection when one is drained.
limits: {{http2: {{max_streams: 1000000000}}}}
upstreams:
{upstreams}
routes:
  - name: bench
    match: {{models: ["*"]}}
    primary: {{upstream: primary}}{candidate_of_route}
""")
    return [str(program), "serve", "--config", str(directory / "config.yaml")]


COMMANDS = {"nginx": nginx_command, "haproxy": haproxy_command, "nghttpx": nghttpx_command,
            "understudy": understudy_command}
