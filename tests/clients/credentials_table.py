"""Compares where the proxy finds credentials with where botocore does.

    python credentials_table.py PATH_TO_CREDENTIALS_TOOL

Each case is an environment with profile files. botocore resolves it in this process, the proxy's chain in the tool, both
against the same stand-ins for STS, IAM Identity Center, a container endpoint and the instance metadata service. Their
answers' access key ids tell who was asked for what, in which order, so equal ids mean an equal path.
"""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
from urllib.parse import parse_qs, urlsplit

HOME = tempfile.mkdtemp(prefix="understudy-credentials-")
os.environ["HOME"] = HOME  # botocore looks for its token cache when it is imported

import botocore.exceptions  # noqa: E402
import botocore.session  # noqa: E402

FAR = "2099-01-01T00:00:00Z"
ROLE = "arn:aws:iam::123456789012:role/"


class Services(http.server.BaseHTTPRequestHandler):
    """All of them on one port; they differ in their paths."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body, status=200):
        body = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def metadata(self, name):
        self.answer(json.dumps({"Code": "Success", "AccessKeyId": name, "SecretAccessKey": "of-" + name,
                                "Token": "token", "Expiration": FAR}))

    def do_PUT(self):
        self.answer("imds-token")

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path.endswith("/security-credentials/"):
            self.answer("web")
        elif url.path.startswith("/latest/meta-data/iam/security-credentials/"):
            self.metadata("IMDS-" + url.path.rsplit("/", 1)[1])
        elif url.path.startswith("/container"):
            self.metadata("CONTAINER-" + self.headers.get("Authorization", "none"))
        elif url.path == "/federation/credentials":
            query = parse_qs(url.query)
            name = "SSO-" + query["role_name"][0] + "-" + self.headers["x-amz-sso_bearer_token"]
            self.answer(json.dumps({"roleCredentials": {
                "accessKeyId": name, "secretAccessKey": "of-" + name, "sessionToken": "token",
                "expiration": 4070908800000}}))
        else:
            self.answer("nothing", 404)

    def do_POST(self):
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        action = form["Action"][0]
        who = form.get("WebIdentityToken", [""])[0]
        if "Authorization" in self.headers:
            who = self.headers["Authorization"].split("Credential=")[1].split("/")[0]
        parts = [form["RoleArn"][0].rsplit("/", 1)[1], form.get("ExternalId", ["-"])[0],
                 form.get("DurationSeconds", ["-"])[0], "by", who]
        name = "STS-" + "-".join(parts)
        self.answer(f"<{action}Response xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><{action}Result>"
                    f"<AssumedRoleUser><AssumedRoleId>x:y</AssumedRoleId><Arn>arn:aws:sts::123456789012:a/b</Arn>"
                    f"</AssumedRoleUser><Credentials><AccessKeyId>{name}</AccessKeyId><SecretAccessKey>of-{name}"
                    f"</SecretAccessKey><SessionToken>token</SessionToken><Expiration>{FAR}</Expiration></Credentials>"
                    f"</{action}Result></{action}Response>")


KEYS = {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "of-env"}
WEB = {"AWS_WEB_IDENTITY_TOKEN_FILE": HOME + "/jwt", "AWS_ROLE_ARN": ROLE + "web"}
CONTAINER = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{url}/container"}
STATIC = "aws_access_key_id = {0}\naws_secret_access_key = of-{0}\n"
PROCESS = "credential_process = " + HOME + "/keys '{0}'\n"
SESSION = "[sso-session work]\nsso_region = us-east-1\nsso_start_url = https://start/work\n"
SSO = "sso_session = work\nsso_account_id = 1\nsso_role_name = dev\n"
LEGACY = "sso_region = us-east-1\nsso_start_url = https://start/old\nsso_account_id = 1\nsso_role_name = ops\n"


def assume(role, source, more=""):
    return f"role_arn = {ROLE}{role}\n{source}\n{more}"


def cases():
    """(name, environment, config file, credentials file, profile)"""
    yield "environment", KEYS, "", "", ""
    yield "environment with token", {**KEYS, "AWS_SESSION_TOKEN": "t"}, "", "", ""
    yield "environment with the token's old name", {**KEYS, "AWS_SECURITY_TOKEN": "t"}, "", "", ""
    yield "environment before everything", {**KEYS, **WEB, **CONTAINER}, "[default]\n" + PROCESS.format("P"), \
        "[default]\n" + STATIC.format("FILE"), ""
    yield "environment before the profile that it chooses", {**KEYS, "AWS_PROFILE": "dev"}, "", \
        "[dev]\n" + STATIC.format("FILE"), ""
    yield "a named profile before the environment", KEYS, "", "[dev]\n" + STATIC.format("FILE"), "dev"
    yield "web identity", WEB, "", "", ""
    yield "web identity before the credentials file", WEB, "", "[default]\n" + STATIC.format("FILE"), ""
    yield "web identity of a profile", {}, f"[profile dev]\nrole_arn = {ROLE}p\nweb_identity_token_file = {HOME}/jwt\n", \
        "", "dev"
    yield "web identity's role out of the profile", {"AWS_WEB_IDENTITY_TOKEN_FILE": HOME + "/jwt"}, \
        f"[default]\nrole_arn = {ROLE}p\nweb_identity_token_file = /nowhere\n", "", ""
    yield "a named profile is blind to the variables of web identity", WEB, "", "[dev]\n" + STATIC.format("FILE"), "dev"
    yield "a role of the default profile before web identity", WEB, \
        "[default]\n" + assume("r", "source_profile = base") + "[profile base]\n" + STATIC.format("BASE"), "", ""
    yield "credentials file", {}, "", "[default]\n" + STATIC.format("FILE"), ""
    yield "credentials file with a token", {}, "", "[default]\n" + STATIC.format("FILE") + "aws_session_token = t\n", ""
    yield "credentials file with both names of the token", {}, "", "[default]\n" + STATIC.format("FILE") + \
        "aws_session_token = t\naws_security_token = s\n", ""
    yield "credentials file before the config file", {}, "[default]\n" + STATIC.format("CONFIG"), \
        "[default]\n" + STATIC.format("FILE"), ""
    yield "config file", {}, "[default]\n" + STATIC.format("CONFIG"), "", ""
    yield "config file's profile", {"AWS_PROFILE": "dev"}, "[profile dev]\n" + STATIC.format("CONFIG"), "", ""
    yield "the variable's old name", {"AWS_DEFAULT_PROFILE": "dev"}, "", "[dev]\n" + STATIC.format("FILE"), ""
    yield "credentials file before a process", {}, "[default]\n" + PROCESS.format("P"), \
        "[default]\n" + STATIC.format("FILE"), ""
    yield "a process before the config file", {}, "[default]\n" + PROCESS.format("P") + STATIC.format("CONFIG"), "", ""
    yield "a process with quotes", {}, "[default]\n" + f"credential_process = \"{HOME}/keys\" 'A B' \"c\\\"d\" e\\ f\n", \
        "", ""
    yield "a process of the credentials file", {}, "", "[default]\n" + PROCESS.format("P"), ""
    yield "single sign-on", {}, "[default]\n" + SSO + SESSION, "", ""
    yield "single sign-on, the old way", {}, "[default]\n" + LEGACY, "", ""
    yield "single sign-on before the credentials file", {}, "[default]\n" + SSO + SESSION, \
        "[default]\n" + STATIC.format("FILE"), ""
    yield "an sso-session alone gives no credentials", CONTAINER, "[default]\nsso_session = work\n" + SESSION, "", ""
    yield "a role with a source_profile", {}, "[default]\n" + \
        assume("r", "source_profile = base", "external_id = x1\nduration_seconds = 1200\n") + "[profile base]\n" + \
        STATIC.format("BASE"), "", ""
    yield "a role with keys of the credentials file", {}, "[profile r]\n" + assume("r", "source_profile = base"), \
        "[base]\n" + STATIC.format("FILE"), "r"
    yield "three roles", {}, "[default]\n" + assume("a", "source_profile = b") + "[profile b]\n" + \
        assume("b", "source_profile = c") + "[profile c]\n" + assume("c", "source_profile = d") + "[profile d]\n" + \
        STATIC.format("BASE"), "", ""
    yield "a role before keys beside it", {}, "[default]\n" + assume("r", "source_profile = default") + \
        STATIC.format("SELF"), "", ""
    yield "a source_profile's keys before its role", {}, "[default]\n" + assume("a", "source_profile = b") + \
        "[profile b]\n" + assume("b", "source_profile = c") + STATIC.format("B") + "[profile c]\n" + \
        STATIC.format("C"), "", ""
    yield "a role with a process", {}, "[default]\n" + assume("r", "source_profile = p") + "[profile p]\n" + \
        PROCESS.format("P"), "", ""
    yield "a role with single sign-on", {}, "[default]\n" + assume("r", "source_profile = s") + "[profile s]\n" + SSO + \
        SESSION, "", ""
    yield "a role with web identity", WEB, "[default]\n" + assume("r", "source_profile = w") + "[profile w]\n" + \
        f"role_arn = {ROLE}w\nweb_identity_token_file = {HOME}/jwt\n", "", ""
    yield "a role with the environment", KEYS, "[profile r]\n" + assume("r", "credential_source = Environment"), "", "r"
    yield "a role with a container", CONTAINER, "[default]\n" + assume("r", "credential_source = EcsContainer"), "", ""
    yield "a role with instance metadata", CONTAINER, "[default]\n" + \
        assume("r", "credential_source = Ec2InstanceMetadata"), "", ""
    yield "container", CONTAINER, "", "", ""
    yield "container with a token", {**CONTAINER, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "abc"}, "", "", ""
    yield "container with a token file", {**CONTAINER, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "abc",
                                          "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": HOME + "/pod-token"}, "", "", ""
    yield "a profile without keys, then a container", {**CONTAINER, "AWS_PROFILE": "dev"}, \
        "[profile dev]\nregion = us-east-1\n", "", ""
    yield "instance metadata", {}, "", "", ""
    yield "instance metadata after a profile without keys", {}, "[default]\nregion = us-east-1\n", "", ""
    yield "nothing", {"AWS_EC2_METADATA_DISABLED": "true"}, "", "", ""
    # Both refuse; how they say it is theirs.
    yield "half of a key pair", {"AWS_ACCESS_KEY_ID": "ENV"}, "", "", ""
    yield "a role with nothing to assume it with", {}, f"[default]\nrole_arn = {ROLE}r\n", "", ""
    yield "a role with two sources", KEYS, "[default]\n" + \
        assume("r", "source_profile = b\ncredential_source = Environment") + "[profile b]\n" + STATIC.format("B"), \
        "", "default"
    yield "a source_profile that is not there", {}, "[default]\n" + assume("r", "source_profile = none"), "", ""
    yield "roles in a circle", {}, "[default]\n" + assume("a", "source_profile = b") + "[profile b]\n" + \
        assume("b", "source_profile = default"), "", ""
    yield "a role that is its own source", {}, "[default]\n" + assume("a", "source_profile = default"), "", ""
    yield "an unknown credential_source", {}, "[default]\n" + assume("a", "credential_source = Moon"), "", ""
    yield "an sso-session that is not there", {}, "[default]\n" + SSO, "", ""
    yield "single sign-on without a region", {}, "[default]\nsso_account_id = 1\nsso_role_name = r\n", "", ""
    yield "single sign-on without a token", {}, "[default]\n" + LEGACY.replace("old", "never"), "", ""
    yield "web identity without a role", {"AWS_WEB_IDENTITY_TOKEN_FILE": HOME + "/jwt"}, "", "", ""
    yield "web identity without its file", {**WEB, "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere"}, "", "", ""
    yield "a process that fails", {}, "[default]\ncredential_process = /bin/false\n", "", ""
    yield "a process that is not there", {}, "[default]\ncredential_process = /nowhere\n", "", ""
    yield "a process of another version", {}, "[default]\ncredential_process = " + HOME + "/keys version2\n", "", ""
    yield "a container on a host that may not be asked", {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/x"}, "", "", ""
    yield "a container's token that is two lines", {**CONTAINER, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a\r\nb"}, "", "", ""


def write_home():
    home = pathlib.Path(HOME)
    (home / "jwt").write_text("jwt-of-the-pod")
    (home / "pod-token").write_text("of-the-pod")
    keys = home / "keys"
    keys.write_text("#!/bin/sh\n"
                    "[ \"$1\" = version2 ] && echo '{\"Version\": 2}' && exit\n"
                    "id=$(echo \"PROCESS-$#-$*\" | tr -c 'A-Za-z0-9\\n' -)\n"
                    "echo \"{\\\"Version\\\": 1, \\\"AccessKeyId\\\": \\\"$id\\\", \\\"SecretAccessKey\\\": \\\"s\\\"}\"\n")
    keys.chmod(0o700)
    cache = home / ".aws/sso/cache"
    cache.mkdir(parents=True)
    import hashlib
    for name, token in (("work", "of-session"), ("https://start/old", "of-start-url")):
        (cache / (hashlib.sha1(name.encode()).hexdigest() + ".json")).write_text(
            json.dumps({"accessToken": token, "expiresAt": FAR, "startUrl": "x", "region": "us-east-1"}))


def environment_of(number, environment, config, credentials, url):
    directory = pathlib.Path(HOME) / f"case-{number}"
    directory.mkdir()
    (directory / "config").write_text(config)
    (directory / "credentials").write_text(credentials)
    return {"HOME": HOME, "PATH": "/usr/bin:/bin", "AWS_CONFIG_FILE": str(directory / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(directory / "credentials"), "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_STS": url, "AWS_ENDPOINT_URL_SSO": url, "AWS_ENDPOINT_URL_SSO_OIDC": url,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": url, "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "1",
            **{name: value.replace("{url}", url) for name, value in environment.items()}}


def found_by_botocore(environment, profile):
    saved = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        credentials = botocore.session.Session(profile=profile or None).get_credentials()
        if credentials is None:
            return "none"
        keys = credentials.get_frozen_credentials()
        return {"access_key_id": keys.access_key, "secret_access_key": keys.secret_key,
                "session_token": keys.token or ""}
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, ValueError, OSError):
        return "none"
    finally:
        os.environ.clear()
        os.environ.update(saved)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write_home()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Services)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    rows = [(name, environment_of(number, environment, config, credentials, url), profile)
            for number, (name, environment, config, credentials, profile) in enumerate(cases())]
    questions = "\n".join(json.dumps({"environment": environment, "profile": profile})
                          for _, environment, profile in rows)
    run = subprocess.run([sys.argv[1]], input=questions + "\n", capture_output=True, text=True, timeout=300)
    answers = run.stdout.splitlines()
    if run.returncode != 0 or len(answers) != len(rows):
        sys.exit(f"the tool answered {len(answers)} of {len(rows)} cases: {run.stderr.strip()}")
    failed = 0
    for (name, environment, profile), answer in zip(rows, answers):
        expected, actual = found_by_botocore(environment, profile), json.loads(answer)
        if (actual if "error" not in actual else "none") != expected:
            failed += 1
            print(f"FAILED {name}\n  botocore {expected}\n  proxy    {actual}")
    server.shutdown()
    print(f"{len(rows) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
