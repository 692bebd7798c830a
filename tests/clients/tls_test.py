"""The AWS SDK for Python, unmodified, on a TLS listener that asks who comes: by API key and by its own signature.

Run by run.py, which makes the certificate and the keys and starts both programs.
"""

import http.client
import json
import os
import pathlib
import socket
import ssl
import sys
import time
import urllib.parse

import boto3
from botocore.config import Config

import checks
from checks import check, check_equal, header, last_sequence, outcome, requests_after, settle
from run import API_KEY, PROMPT, SECRET, make_certificate

URL = os.environ["UNDERSTUDY_TLS_URL"]
DIRECTORY = pathlib.Path(os.environ["UNDERSTUDY_TLS_DIRECTORY"])
CERTIFICATE = DIRECTORY / "tls.crt"
PORT = urllib.parse.urlsplit(URL).port
KEYS = ("AKIDEXAMPLE", SECRET)
MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
QUESTION = [{"role": "user", "content": [{"text": PROMPT}]}]


def client(key=None, keys=KEYS, verify=str(CERTIFICATE)):
    """A client as any application makes it; `key` is what AWS_BEARER_TOKEN_BEDROCK holds then."""
    os.environ.pop("AWS_BEARER_TOKEN_BEDROCK", None)
    if key:
        os.environ["AWS_BEARER_TOKEN_BEDROCK"] = key
    signing = {} if key else {"aws_access_key_id": keys[0], "aws_secret_access_key": keys[1]}
    return boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=URL, verify=verify, **signing,
                        config=Config(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=60))


def converse(made):
    return made.converse(modelId=MODEL, messages=QUESTION)["output"]["message"]["content"][0]["text"]


def error_code(made):
    try:
        converse(made)
    except Exception as problem:  # what the SDK raises is the check
        return getattr(problem, "response", {}).get("Error", {}).get("Code") or type(problem).__name__
    return "none"


def both_ways_are_taken():
    for name, key in (("an API key", API_KEY), ("its own signature", None)):
        made = client(key)
        check(f"Converse with {name} is answered", outcome(converse, made)[0] == "answer", outcome(converse, made))
        stream = outcome(lambda: list(made.converse_stream(modelId=MODEL, messages=QUESTION)["stream"]))
        check(f"ConverseStream with {name} is answered", stream[0] == "answer" and len(stream[1]) > 2, stream)
        body = os.urandom(3_000_000)
        back = outcome(lambda: made.invoke_model(modelId="understudy.echo-v1:0", body=body)["body"].read())
        check(f"3 MB come back with {name}", back == ("answer", body))


def wrong_credentials_raise_the_usual_errors():
    check_equal("a wrong API key", error_code(client("a-key-that-nobody-has")), "AccessDeniedException")
    check_equal("an unknown access key", error_code(client(keys=("AKIDOTHER", KEYS[1]))), "UnrecognizedClientException")
    check_equal("a wrong secret", error_code(client(keys=(KEYS[0], "not-the-secret-at-all"))),
                "InvalidSignatureException")
    check_equal("a certificate nobody vouches for", error_code(client(API_KEY, verify=True)), "SSLError")


def the_upstream_never_sees_the_clients_key():
    before = last_sequence()
    converse(client(API_KEY))
    settle()
    calls = requests_after(before)
    check("the call went upstream", len(calls) >= 1)
    check("no request upstream holds the client's key", API_KEY not in json.dumps(calls))
    check("requests upstream carry the proxy's signature",
          all(header(call, "authorization").startswith("AWS4-HMAC-SHA256") for call in calls))


def connect(session=None, version=ssl.TLSVersion.TLSv1_3):
    context = connect.contexts.setdefault(version, ssl.create_default_context(cafile=str(CERTIFICATE)))
    context.maximum_version = version
    return context.wrap_socket(socket.create_connection(("127.0.0.1", PORT), timeout=30), session=session,
                               server_hostname="127.0.0.1")


connect.contexts = {}


def ask(connection):
    """One request on that connection; its status."""
    connection.sendall(b"GET /inference-profiles HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: " + API_KEY.encode()
                       + b"\r\n\r\n")
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer.status


def sessions_are_resumed():
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with connect(version=version) as first:
            ask(first)  # in TLS 1.3 the session comes behind the handshake
            session = first.session
        reused = 0
        for _ in range(8):
            with connect(session, version) as again:
                reused += again.session_reused
                ask(again)
                session = again.session
        check_equal(f"{version.name}: eight of eight connections resume the session", reused, 8)


def a_new_certificate_is_taken_up_without_a_cut():
    with connect() as kept:
        ask(kept)
        make_certificate(DIRECTORY)
        end = time.monotonic() + 30
        served = False
        while not served and time.monotonic() < end:
            served = ssl.get_server_certificate(("127.0.0.1", PORT)).strip() == CERTIFICATE.read_text().strip()
            time.sleep(0.1)
        check("the new certificate is served", served)
        check_equal("a connection of before goes on", ask(kept), 200)
    check("the SDK takes the new certificate", outcome(converse, client(API_KEY))[0] == "answer")


def main():
    print(f"boto3 {boto3.__version__}, {ssl.OPENSSL_VERSION}, proxy {URL}")
    for part in (both_ways_are_taken, wrong_credentials_raise_the_usual_errors, the_upstream_never_sees_the_clients_key,
                 sessions_are_resumed, a_new_certificate_is_taken_up_without_a_cut):
        print(f"\n{part.__name__.replace('_', ' ')}:")
        ended = outcome(part)
        if ended[0] == "error":
            check(f"{part.__name__.replace('_', ' ')} runs to its end", False, ended)


if __name__ == "__main__":
    main()
    sys.exit(1 if checks.failures else 0)
