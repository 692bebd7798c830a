"""Who takes part, and how each is configured at its best: one worker, keep-alive on both sides, no logs."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .machine import PEER_CORE, PROXY_CORE, BenchError, Process, free_port
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
    to_tls: bool = False  # the upstream speaks TLS, and its certificate is verified

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
        Contestant("nginx-mirror-unbuffered", "nginx mirror 100 %, unbuffered", "nginx", mirror=100, streaming=True),
        Contestant("nginx-mirror-hung", "nginx mirror 100 % hung", "nginx", mirror=100, hung=True),
        Contestant("haproxy", "HAProxy", "haproxy"),
        Contestant("nghttpx", "nghttpx, HTTP/2", "nghttpx"),
        Contestant("nginx-tls", "nginx, TLS", "nginx", tls=True),
        Contestant("understudy-tls", "Understudy, TLS", "understudy", tls=True),
        Contestant("nginx-to-tls", "nginx proxy_pass, to TLS", "nginx", to_tls=True),
        Contestant("haproxy-to-tls", "HAProxy, to TLS", "haproxy", to_tls=True),
        Contestant("understudy-to-tls-bearer", "Understudy, to TLS, bearer", "understudy", signed=False, to_tls=True),
        Contestant("understudy-to-tls-signed", "Understudy, to TLS, signed", "understudy", to_tls=True),
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


@dataclass(frozen=True)
class Upstreams:
    """The ports that a contestant sends to. With a `certificate` the primary speaks TLS."""

    primary: int
    candidate: int
    certificate: Path | None = None


class TlsEnd(Process):
    """HAProxy speaking TLS before the fake Bedrock, on its core: bench-peer speaks none."""

    @staticmethod
    def available() -> bool:
        return shutil.which("haproxy") is not None

    def __init__(self, peer: Peer, directory: Path):
        self.port = free_port()
        directory.mkdir()
        make_certificate(directory)
        self.certificate = directory / "tls.crt"
        both = directory / "tls.pem"
        both.write_text(self.certificate.read_text() + (directory / "tls.key").read_text())
        command = haproxy(directory, f"127.0.0.1:{self.port} ssl crt {both}", f"127.0.0.1:{peer.ports['primary']}")
        super().__init__(command, PEER_CORE, directory / "log")
        self.wait_for_port(self.port)


def upstreams_of(contestant: Contestant, peer: Peer, tls_end: TlsEnd | None = None) -> Upstreams:
    candidate = peer.ports["hung" if contestant.hung else "candidate"]
    if contestant.to_tls:
        return Upstreams(tls_end.port, candidate, tls_end.certificate)
    return Upstreams(peer.ports["primary"], candidate)


class Proxy(Process):
    """A running contestant. `port` is where the load goes."""

    def __init__(self, contestant: Contestant, upstreams: Upstreams, directory: Path, understudy: Path | None):
        self.contestant = contestant
        self.port = free_port()
        directory.mkdir(parents=True, exist_ok=True)
        if contestant.tls:
            make_certificate(directory)
        command = COMMANDS[contestant.kind](contestant, directory, self.port, upstreams, understudy)
        super().__init__(command, PROXY_CORE, directory / "log")
        self.wait_for_port(self.port)


def nginx_command(contestant, directory, port, upstreams: Upstreams, _) -> list[str]:
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
    to = "https" if upstreams.certificate else "http"
    verification = ("proxy_ssl_verify on; proxy_ssl_name 127.0.0.1; proxy_ssl_protocols TLSv1.2 TLSv1.3; "
                    f"proxy_ssl_trusted_certificate {upstreams.certificate};" if upstreams.certificate else "")
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
    server 127.0.0.1:{upstreams.primary};
    keepalive 2048;
    keepalive_requests {MANY_REQUESTS};
    keepalive_timeout 300s;
  }}
  upstream candidate {{
    server 127.0.0.1:{upstreams.candidate};
    keepalive 2048;
    keepalive_requests {MANY_REQUESTS};
    keepalive_timeout 300s;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096{" ssl" if tls else ""};
    {tls}
    location / {{
      {mirror}
      proxy_pass {to}://primary;{passing}
      {verification}
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


def haproxy(directory: Path, bind: str, server: str) -> list[str]:
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
  bind {bind} backlog 4096
  default_backend bedrock
backend bedrock
  server primary {server} maxconn 8000
""")
    return ["haproxy", "-db", "-f", str(directory / "haproxy.cfg")]


def haproxy_command(_contestant, directory, port, upstreams: Upstreams, _) -> list[str]:
    verified = f" ssl verify required ca-file {upstreams.certificate}" if upstreams.certificate else ""
    return haproxy(directory, f"127.0.0.1:{port}", f"127.0.0.1:{upstreams.primary}{verified}")


def nghttpx_command(_contestant, directory, port, upstreams: Upstreams, _) -> list[str]:
    return ["nghttpx", "--single-process", "--workers=1", f"--frontend=127.0.0.1,{port};no-tls",
            f"--backend=127.0.0.1,{upstreams.primary}", f"--errorlog-file={directory}/log", "--conf=/dev/null"]


def understudy_command(contestant, directory, port, upstreams: Upstreams, program) -> list[str]:
    keys = ("{source: static, access_key_id: AKIDEXAMPLE, "
            "secret_access_key: wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY}")
    # A copy carries no credential of the client: the candidate has a token of its own.
    primary_credentials, candidate_credentials = (
        (keys, keys) if contestant.signed
        else ("{source: forward_bearer}", "{source: bearer, token: bedrock-api-key-CANDIDATE}"))

    def upstream(name: str, to: int, credentials: str, certificate: Path | None = None) -> str:
        endpoint = f"https://127.0.0.1:{to}\n    ca_file: {certificate}" if certificate else f"http://127.0.0.1:{to}"
        return (f"  {name}:\n    endpoint: {endpoint}\n    region: us-east-1\n"
                f"    credentials: {credentials}\n")

    to_upstreams = upstream("primary", upstreams.primary, primary_credentials, upstreams.certificate)
    candidate_of_route = ""
    if contestant.mirror:
        to_upstreams += upstream("candidate", upstreams.candidate, candidate_credentials)
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
{to_upstreams}
routes:
  - name: bench
    match: {{models: ["*"]}}
    primary: {{upstream: primary}}{candidate_of_route}
""")
    return [str(program), "serve", "--config", str(directory / "config.yaml")]


COMMANDS = {"nginx": nginx_command, "haproxy": haproxy_command, "nghttpx": nghttpx_command,
            "understudy": understudy_command}
