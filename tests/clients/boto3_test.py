"""The AWS SDK for Python, unmodified, through the proxy; most answers are held against the simulator's own.

Run by run.py, which starts both programs and says where they are.
"""

import base64
import hashlib
import http.client
import json
import random
import sys
import urllib.parse

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

import checks
from checks import (ADMIN, PROXY, SIMULATOR, check, check_equal, header, last_sequence, metrics, outcome,
                    requests_after, settle)

PRIMARY = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CANDIDATE = "us.anthropic.claude-sonnet-5"
ECHO = "understudy.echo-v1:0"
# The proxy signs afresh, so a client's own keys need not be good ones; the simulator knows just these.
KEYS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
QUESTION = [{"role": "user", "content": [{"text": "Why is the sky blue?"}]}]
WEATHER = {"tools": [{"toolSpec": {"name": "get_weather", "inputSchema": {
    "json": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}}]}
ANTHROPIC = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 200,
                        "messages": [{"role": "user", "content": "Why is the sky blue?"}]})


def client(endpoint, attempts=1, fault=None):
    """A Bedrock client as any application makes it. `fault` = (header, value) tells the simulator to fail."""
    made = boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=endpoint, **KEYS,
                        config=Config(retries={"mode": "standard", "total_max_attempts": attempts}, read_timeout=60))
    if fault:
        def ask_for_fault(params, **_):
            params["headers"][fault[0]] = fault[1]
        made.meta.events.register("before-call.bedrock-runtime.*", ask_for_fault)
    return made


def model_of(call):
    """The model that a logged request asked for, out of its path."""
    return urllib.parse.unquote(call["target"].split("/")[2])


def strip(answer):
    """An answer without what differs between any two calls: ids and dates."""
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def converse(client, **more):
    return strip(client.converse(modelId=PRIMARY, messages=QUESTION, **more))


def converse_stream(client, **more):
    return list(client.converse_stream(modelId=PRIMARY, messages=QUESTION, **more)["stream"])


def invoke(client):
    return client.invoke_model(modelId=PRIMARY, body=ANTHROPIC)["body"].read()


def invoke_stream(client):
    return list(client.invoke_model_with_response_stream(modelId=PRIMARY, body=ANTHROPIC)["body"])


def count_tokens(client):
    return strip(client.count_tokens(modelId=PRIMARY, input={"converse": {"messages": QUESTION}}))


def converse_tools(client):
    return converse(client, toolConfig=WEATHER)


OPERATIONS = {"Converse": converse, "Converse with tools": converse_tools, "ConverseStream": converse_stream,
              "InvokeModel": invoke, "InvokeModelWithResponseStream": invoke_stream, "CountTokens": count_tokens}


def operations_answer_alike():
    for name, call in OPERATIONS.items():
        direct, proxied = outcome(call, client(SIMULATOR)), outcome(call, client(PROXY))
        check(f"{name} succeeds", proxied[0] == "answer", proxied)
        check_equal(f"{name} gives the same answer through the proxy as directly", proxied, direct)
    answer = client(PROXY).converse(modelId=PRIMARY, messages=QUESTION)["ResponseMetadata"]
    check("an answer carries Bedrock's RequestId", answer.get("RequestId"), answer)
    headers = answer["HTTPHeaders"]
    check_equal("an answer names its variant", headers.get("x-understudy-variant"), "primary")
    check_equal("an answer names its route", headers.get("x-understudy-route"), "sonnet")


def raw_call(endpoint, path, body):
    """Status, headers and bytes as they are on the wire; signed by botocore."""
    url = endpoint + path
    request = AWSRequest(method="POST", url=url, data=body, headers={"content-type": "application/json"})
    SigV4Auth(Credentials(KEYS["aws_access_key_id"], KEYS["aws_secret_access_key"]), "bedrock", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=60)
    try:
        connection.request("POST", path, body, dict(request.headers.items()))
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers, answer.read()
    finally:
        connection.close()


def bytes_on_the_wire_are_equal():
    converse_body = json.dumps({"messages": QUESTION}).encode()
    count_body = json.dumps({"input": {"invokeModel": {"body": base64.b64encode(ANTHROPIC.encode()).decode()}}}).encode()
    model = urllib.parse.quote(PRIMARY, safe="")
    # What may differ: ids and dates, which the simulator makes anew, and what the proxy adds by its promise.
    own = {"x-understudy-variant", "x-understudy-route"}
    changing = {"date", "x-amzn-requestid", "x-amzn-bedrock-invocation-latency", "connection", "keep-alive"}
    for operation, body in {"converse": converse_body, "converse-stream": converse_body, "invoke": ANTHROPIC.encode(),
                            "invoke-with-response-stream": ANTHROPIC.encode(), "count-tokens": count_body,
                            "invoke-something-else": b"{}"}.items():
        path = f"/model/{model}/{operation}"
        direct, proxied = raw_call(SIMULATOR, path, body), raw_call(PROXY, path, body)
        check_equal(f"{operation}: the same status", proxied[0], direct[0])
        check_equal(f"{operation}: the same {len(direct[2])} bytes of body", proxied[2], direct[2])
        check_equal(f"{operation}: the same headers and the proxy's two",
                    {name: value for name, value in proxied[1].items() if name not in changing | own},
                    {name: value for name, value in direct[1].items() if name not in changing})


def bodies_of_every_size_come_back():
    chance = random.Random(1)
    direct, proxied = client(SIMULATOR), client(PROXY)
    for size in (0, 1, 2, 1023, 4096, 65536, 1_000_001, 8 << 20, 20_000_000, 20 << 20):
        body = chance.randbytes(size)
        back = [one.invoke_model(modelId=ECHO, body=body)["body"].read() for one in (direct, proxied)]
        check(f"a body of {size:,} bytes comes back byte for byte", back[1] == back[0] == body,
              [hashlib.sha256(each).hexdigest()[:16] for each in (*back, body)])


def errors_raise_the_usual_classes():
    for status, name in {400: "ValidationException", 403: "AccessDeniedException", 404: "ResourceNotFoundException",
                         408: "ModelTimeoutException", 424: "ModelErrorException", 429: "ThrottlingException",
                         500: "InternalServerException", 503: "ServiceUnavailableException"}.items():
        fault = ("x-sim-status", str(status))
        direct, proxied = (outcome(converse, client(endpoint, fault=fault)) for endpoint in (SIMULATOR, PROXY))
        check_equal(f"a status of {status} raises {name}", proxied[:2], ("error", name))
        check_equal(f"{name} says the same through the proxy as directly", proxied, direct)


def broken_streams_fail_as_they_do_directly():
    for fault in ("exception_midstream:throttlingException:2", "exception_midstream:modelStreamErrorException:2",
                  "truncate_midstream:2", "bad_crc:2"):
        for name, call in (("ConverseStream", converse_stream), ("InvokeModelWithResponseStream", invoke_stream)):
            direct, proxied = (outcome(call, client(endpoint, fault=("x-sim-fault", fault)))
                               for endpoint in (SIMULATOR, PROXY))
            check(f"{name} with {fault} is an error to the client", proxied[0] == "error", proxied)
            check_equal(f"{name} with {fault} is the same error as directly", proxied[:2], direct[:2])


def retries_are_the_clients_own():
    for status in (429, 503):
        before = last_sequence()
        failed = outcome(converse, client(PROXY, attempts=3, fault=("x-sim-status", str(status))))
        settle()
        calls = requests_after(before)
        served = [call for call in calls if model_of(call) == PRIMARY]
        check(f"a call that keeps failing with {status} fails in the end", failed[0] == "error", failed)
        check_equal(f"three attempts of the SDK at {status} are three calls upstream", len(served), 3)
        check_equal(f"all attempts at {status} carry one invocation id",
                    len({header(call, "amz-sdk-invocation-id") for call in served}), 1)
        check_equal(f"a call that failed with {status} is not asked of the candidate",
                    [model_of(call) for call in calls if model_of(call) != PRIMARY], [])


def an_attempt_that_failed_is_shadowed_once_when_it_succeeds():
    retrying = client(PROXY, attempts=3)
    attempts = []

    def fail_first(request, **_):
        if not attempts:
            request.headers["x-sim-status"] = "500"  # 429 or 503 would pause the copies
        attempts.append(request)
    retrying.meta.events.register("before-send.bedrock-runtime.*", fail_first)
    before = last_sequence()
    answer = outcome(converse, retrying)
    settle()
    models = [model_of(call) for call in requests_after(before)]
    check("a call that succeeds at the second attempt gives an answer", answer[0] == "answer", answer)
    check_equal("it was two calls to the primary", models.count(PRIMARY), 2)
    check_equal("it was one call to the candidate", models.count(CANDIDATE), 1)


def targets_reach_the_upstream_as_they_were_sent():
    arn = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{PRIMARY}"
    for model in (PRIMARY, arn):
        before = last_sequence()
        answer = outcome(lambda: client(PROXY).converse(modelId=model, messages=QUESTION))
        settle()
        calls = requests_after(before)
        check(f"a call to {model} is answered", answer[0] == "answer", answer)
        wanted = f"/model/{urllib.parse.quote(model, safe='')}/converse"
        check_equal(f"its path goes on as it came, {wanted}", calls[0]["target"] if calls else None, wanted)
        check_equal("it is asked of the candidate once", [model_of(call) for call in calls[1:]], [CANDIDATE])


def every_other_path_is_proxied_and_never_shadowed():
    before = metrics().total("shadow_eligible_total")
    direct, proxied = (outcome(lambda: strip(client(endpoint).list_async_invokes())) for endpoint in (SIMULATOR, PROXY))
    check_equal("ListAsyncInvokes ends as it does directly", proxied[:2], direct[:2])
    check_equal("ListAsyncInvokes is not eligible for the candidate", metrics().total("shadow_eligible_total"), before)


def the_books_balance():
    now = settle()
    eligible, ended = now.total("shadow_eligible_total"), now.total("shadow_total")
    check("requests were eligible", eligible > 0)
    check_equal("eligible = skipped + dropped + compared + failed", ended, eligible)
    check("pairs were compared", now.total("shadow_total", result="compared") > 0)


def main():
    print(f"boto3 {boto3.__version__}, proxy {PROXY}, admin {ADMIN}, simulator {SIMULATOR}")
    # Throttling last: it pauses the copies for some seconds.
    for part in (operations_answer_alike, bytes_on_the_wire_are_equal, bodies_of_every_size_come_back,
                 an_attempt_that_failed_is_shadowed_once_when_it_succeeds,
                 targets_reach_the_upstream_as_they_were_sent, every_other_path_is_proxied_and_never_shadowed,
                 broken_streams_fail_as_they_do_directly, errors_raise_the_usual_classes, retries_are_the_clients_own,
                 the_books_balance):
        print(f"\n{part.__name__.replace('_', ' ')}:")
        ended = outcome(part)
        if ended[0] == "error":
            check(f"{part.__name__.replace('_', ' ')} runs to its end", False, ended)


if __name__ == "__main__":
    main()
    sys.exit(1 if checks.failures else 0)
