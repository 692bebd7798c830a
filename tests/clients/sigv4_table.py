"""Compares the proxy's signatures with botocore's.

    python sigv4_table.py PATH_TO_SIGV4_TOOL

Every case is signed by botocore's SigV4Auth with the clock frozen and, all in one process, by the proxy's Signer. What
botocore is given is what a client has put on the wire: the encoded URL and the fields to be signed.
"""

import base64
import datetime
import json
import subprocess
import sys
from urllib.parse import quote

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVzLWVhc3QtMSJHMEUCIQD+/=="
BODY = b'{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}'
JSON = ("content-type", "application/json")
PROFILE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOON = "2026-11-20T12:00:00"

MODEL_IDS = {
    "plain id": "anthropic.claude-opus-4-7",
    "id with version": "anthropic.claude-3-haiku-20240307-v1:0",
    "id with context suffix": "anthropic.claude-3-haiku-20240307-v1:0:200k",
    "nova": "amazon.nova-pro-v1:0",
    "us profile": PROFILE,
    "eu profile": "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "apac profile": "apac.amazon.nova-lite-v1:0",
    "global profile": "global.anthropic.claude-opus-4-6-v1",
    "gov profile": "us-gov.anthropic.claude-3-5-sonnet-20240620-v1:0",
    "foundation model ARN": "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-text-express-v1",
    "inference profile ARN": f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{PROFILE}",
    "application profile ARN": "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123def456",
    "provisioned model ARN": "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghij12",
    "imported model ARN": "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghij12",
    "custom model ARN": "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.titan-text-lite-v1:0:4k/abcdefghij12",
    "custom deployment ARN": "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghij12",
    "prompt ARN": "arn:aws:bedrock:us-east-1:123456789012:prompt/PROMPT1234:2",
    "prompt router ARN": "arn:aws:bedrock:us-east-1:123456789012:default-prompt-router/anthropic.claude:1",
    "marketplace ARN": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/my-Endpoint_1",
    "gov ARN": f"arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:inference-profile/us-gov.{PROFILE}",
    "china ARN": "arn:aws-cn:bedrock:cn-north-1::foundation-model/anthropic.claude-v2:1",
}


def case(name, target, **overrides):
    """A case; the host follows from region and service unless it is given."""
    values = dict(name=name, method="POST", target=target, fields=[JSON], body=BODY, access_key=KEY, secret=SECRET,
                  token="", region="us-east-1", service="bedrock", time=NOON)
    values.update(overrides)
    values.setdefault("host", f"bedrock-runtime.{values['region']}.amazonaws.com")
    return values


def model_cases():
    operations = ["invoke", "invoke-with-response-stream", "converse", "converse-stream", "count-tokens"]
    for number, (name, model) in enumerate(MODEL_IDS.items()):
        operation = operations[number % len(operations)]
        yield case(f"{name}, encoded, {operation}", f"/model/{quote(model, safe='')}/{operation}")
        # As the Anthropic SDK sends it: the colons raw.
        yield case(f"{name}, raw colons, {operation}", f"/model/{quote(model, safe=':')}/{operation}",
                   token=TOKEN if number % 2 else "")
    yield case("ARN with raw slash", f"/model/{MODEL_IDS['inference profile ARN']}/converse")
    yield case("lower-case escapes", "/model/anthropic.claude-v2%3a1/invoke")
    yield case("already encoded twice", "/model/anthropic.claude-v2%253A1/invoke")


def path_cases():
    path = f"/model/{quote(PROFILE, safe='')}/converse"
    yield case("path prefix", "/team-a/bedrock" + path, host="gateway.example.com")
    yield case("path prefix with reserved characters", "/a+b,c@d$e&f=g;h!i*j'k(l)" + path)
    yield case("doubled slash behind a prefix", "/prefix/" + path)
    yield case("dot segments", "/x/./y/.." + path)
    yield case("dot segments above the root", "/../.." + path)
    yield case("trailing slash", path + "/")
    yield case("trailing dot segment", path + "/.")
    yield case("root", "/", method="GET", fields=[], body=b"")
    yield case("tilde and unreserved", "/model/a-b.c_d~e/invoke")
    yield case("raw UTF-8 in the path", "/model/modèle-日本/invoke")
    yield case("encoded UTF-8 in the path", "/model/mod%C3%A8le/invoke")
    yield case("every printable character", "/model/" + "".join(
        chr(c) for c in range(0x21, 0x7F) if chr(c) not in '#?[]') + "/invoke")


def query_cases():
    queries = {
        "none but a mark": "?",
        "times": "?submitTimeAfter=2023-11-14T22%3A13%3A20Z&submitTimeBefore=2023-12-14T22%3A13%3A20Z",
        "raw colons": "?submitTimeAfter=2023-11-14T22:13:20Z",
        "unsorted": "?statusEquals=Completed&maxResults=5&sortOrder=Ascending&sortBy=SubmissionTime",
        "next token": "?nextToken=AbC%2Fd%2BeF%3D%3D&maxResults=1000",
        "raw base64 token": "?nextToken=AbC/d+eF==&maxResults=1",
        "empty value": "?nextToken=&maxResults=1",
        "no equals sign": "?flag&maxResults=1",
        "equal names": "?a=2&a=10&a=1&A=3",
        "name is another's prefix": "?ab=1&a=2&a-b=3&a%20b=4",
        "empty pairs": "?&a=1&&b=2&",
        "encoded and raw UTF-8": "?q=%C3%A9&r=é",
        "question mark in a value": "?a=b?c=d",
    }
    for name, query in queries.items():
        yield case(f"query: {name}", "/async-invoke" + query, method="GET", fields=[], body=b"")
    yield case("control plane query", "/inference-profiles?type=SYSTEM_DEFINED&maxResults=1000", method="GET",
               fields=[], body=b"", host="bedrock.us-east-1.amazonaws.com")


def field_cases():
    target = f"/model/{quote(PROFILE, safe='')}/invoke"
    bedrock = [("X-Amzn-Bedrock-Trace", "ENABLED_FULL"), ("X-Amzn-Bedrock-GuardrailIdentifier", "gr-1"),
               ("X-Amzn-Bedrock-GuardrailVersion", "DRAFT"), ("X-Amzn-Bedrock-Service-Tier", "flex"),
               ("X-Amzn-Bedrock-PerformanceConfig-Latency", "optimized"),
               ("X-Amzn-Bedrock-Request-Metadata", '{"tenant": "a b",  "leg":"shadow"}'), ("Accept", "*/*"), JSON]
    yield case("no field but host", target, fields=[])
    yield case("all fields of InvokeModel", target, fields=bedrock)
    yield case("all fields of InvokeModel, reversed, token", target, fields=bedrock[::-1], token=TOKEN)
    yield case("stream accept", target + "-with-response-stream", fields=[("X-Amzn-Bedrock-Accept", "application/json")])
    yield case("spaces and tabs", target, fields=[("X-Amz-Meta", "  a   b \t c  "), ("X-Amz-Blank", "   "), JSON])
    yield case("spaces inside quotes", target, fields=[("X-Amz-Meta", '"a   b"'), JSON])
    yield case("repeated field", target, fields=[("X-Amz-Meta", " one "), JSON, ("x-amz-meta", "two"), ("X-AMZ-META", "1")])
    yield case("UTF-8 value", target, fields=[("X-Amzn-Bedrock-Request-Metadata", '{"équipe":"日本 🚀"}'), JSON])
    yield case("names that sort around each other", target,
               fields=[("x-amz-a-b", "1"), ("x-amz-a", "2"), ("x-amz-ab", "3"), ("x-amz_a", "4")])
    yield case("an older signature's fields", target, token=TOKEN, fields=[
        JSON, ("X-Amz-Date", "20200101T000000Z"), ("X-Amz-Security-Token", "old"), ("Authorization", "AWS4-HMAC-SHA256 x")])
    yield case("port in host", target, host="localhost:8080")
    yield case("IPv6 host", target, host="[::1]:8080")
    yield case("sixty fields", target, fields=[(f"x-amz-meta-{n * 37 % 60}", str(n)) for n in range(60)])


def body_cases():
    target = f"/model/{quote(PROFILE, safe='')}/invoke"
    for size in (0, 1, 55, 56, 63, 64, 65, 4096, 1_000_000):
        yield case(f"body of {size} bytes", target, body=bytes(n % 251 for n in range(size)))


def scope_cases():
    target = f"/model/{quote(PROFILE, safe='')}/converse"
    times = ["2026-11-20T23:59:59", "2026-11-21T00:00:00", "2026-12-31T23:59:59", "2027-01-01T00:00:00",
             "2028-02-28T23:59:59", "2028-02-29T00:00:00", "2028-03-01T00:00:00", "1999-12-31T23:59:59",
             "2100-02-28T01:02:03", "2026-11-20T12:00:00"]
    for time in times:
        yield case(f"at {time}", target, time=time, token=TOKEN if time.startswith("2028") else "")
    for region in ("us-gov-west-1", "us-gov-east-1", "cn-north-1", "eu-central-1", "ap-southeast-2"):
        yield case(f"region {region}", target, region=region)
    yield case("mantle", "/anthropic/v1/messages", service="bedrock-mantle", host="bedrock-mantle.us-east-1.api.aws")
    yield case("mantle with token", "/openai/v1/chat/completions", service="bedrock-mantle", token=TOKEN,
               host="bedrock-mantle.us-west-2.api.aws", region="us-west-2")
    yield case("long token", target, token="T" * 3000)
    for length in (1, 59, 60, 61, 200):  # "AWS4" + 60 characters fill one block of the hash
        yield case(f"secret of {length} characters", target, secret="s" * length)
    for number in range(12):  # more than the signer keeps keys for, twice over
        yield case(f"credentials {number % 6 + 1} of 6 in {'us-east-1' if number < 6 else 'us-west-2'}", target,
                   access_key=f"AKID{number % 6}", secret=f"secret/{number % 6}",
                   region="us-east-1" if number < 6 else "us-west-2")
    yield case("the first key again", target)


def freeze_botocore(moment):
    if hasattr(botocore.auth, "get_current_datetime"):
        botocore.auth.get_current_datetime = lambda *_, **__: moment
        return

    class Frozen(datetime.datetime):  # botocore before 1.40
        @classmethod
        def utcnow(cls):
            return moment

    botocore.auth.datetime.datetime = Frozen


def signed_by_botocore(values):
    freeze_botocore(datetime.datetime.fromisoformat(values["time"]))
    request = AWSRequest(values["method"], f"http://{values['host']}{values['target']}", data=values["body"])
    for name, value in [("Host", values["host"]), *values["fields"]]:
        request.headers[name] = value
    keys = Credentials(values["access_key"], values["secret"], values["token"] or None)
    botocore.auth.SigV4Auth(keys, values["service"], values["region"]).add_auth(request)
    return {name.lower(): request.headers[name]
            for name in ("X-Amz-Date", "X-Amz-Security-Token", "Authorization") if name in request.headers}


def as_tool_input(values):
    moment = datetime.datetime.fromisoformat(values["time"]).replace(tzinfo=datetime.timezone.utc)
    line = {key: values[key] for key in ("method", "target", "access_key", "secret", "token", "region", "service")}
    line["fields"] = [("Host", values["host"]), *values["fields"]]
    line["body_base64"] = base64.b64encode(values["body"]).decode()
    line["time"] = int(moment.timestamp())
    return json.dumps(line)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    cases = [*model_cases(), *path_cases(), *query_cases(), *field_cases(), *body_cases(), *scope_cases()]
    run = subprocess.run([sys.argv[1]], input="\n".join(map(as_tool_input, cases)) + "\n", capture_output=True,
                         text=True, timeout=120)
    answers = run.stdout.splitlines()
    if run.returncode != 0 or len(answers) != len(cases):
        sys.exit(f"the tool answered {len(answers)} of {len(cases)} cases: {run.stderr.strip()}")
    failed = 0
    for values, answer in zip(cases, answers):
        expected, actual = signed_by_botocore(values), json.loads(answer)
        if expected != actual:
            failed += 1
            print(f"FAILED {values['name']}\n  botocore {expected}\n  proxy    {actual}")
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
