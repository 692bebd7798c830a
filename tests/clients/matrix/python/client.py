"""Makes the calls that ../../matrix.py asks for, with one of the clients for Python. ../README.md has the conversation."""

import concurrent.futures
import datetime
import json
import os
import sys

PROFILE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
BARE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
ECHO = "understudy.echo-v1:0"
INVOCATION = "arn:aws:bedrock:us-east-1:123456789012:async-invoke/aaaaaaaaaaa1"
KEYS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
TOKEN = "bedrock-api-key-of-the-tests"


def stable(value):
    """Text that two equal answers share: their ids and dates are left out."""
    if hasattr(value, "model_dump"):
        value = value.model_dump()
    return json.dumps(value, sort_keys=True, default=lambda each: each.decode() if isinstance(each, bytes) else repr(each))


def unary(method, parameters):
    """An operation that has one plain answer; `parameters` makes its arguments of the prompt."""
    return lambda self, prompt: self.without_metadata(getattr(self.client, method)(**parameters(prompt)))


class Boto3:
    import_name = "boto3"

    def __init__(self, endpoint, attempts, header):
        import boto3
        from botocore.config import Config
        self.client = boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=endpoint, **KEYS,
                                   config=Config(retries={"mode": "standard", "total_max_attempts": attempts},
                                                 read_timeout=120, max_pool_connections=50))
        if header:
            self.client.meta.events.register("before-call.bedrock-runtime.*",
                                             lambda params, **_: params["headers"].update(header))

    @staticmethod
    def body(prompt):
        return json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 200,
                           "messages": [{"role": "user", "content": prompt}]})

    @staticmethod
    def messages(prompt):
        return [{"role": "user", "content": [{"text": prompt}]}]

    @staticmethod
    def without_metadata(answer):
        return {key: value for key, value in answer.items() if key != "ResponseMetadata"}

    def Converse(self, prompt):
        return self.without_metadata(self.client.converse(modelId=PROFILE, messages=self.messages(prompt)))

    def ConverseStream(self, prompt):
        return self.client.converse_stream(modelId=PROFILE, messages=self.messages(prompt))["stream"]

    def InvokeModel(self, prompt):
        return self.client.invoke_model(modelId=PROFILE, body=self.body(prompt))["body"].read()

    def InvokeModelWithResponseStream(self, prompt):
        return self.client.invoke_model_with_response_stream(modelId=PROFILE, body=self.body(prompt))["body"]

    def CountTokens(self, prompt):
        return self.without_metadata(
            self.client.count_tokens(modelId=PROFILE, input={"converse": {"messages": self.messages(prompt)}}))

    ApplyGuardrail = unary("apply_guardrail", lambda prompt: {
        "guardrailIdentifier": "abcdefghij12", "guardrailVersion": "DRAFT", "source": "INPUT",
        "content": [{"text": {"text": prompt}}]})
    InvokeGuardrailChecks = unary("invoke_guardrail_checks", lambda prompt: {
        "messages": Boto3.messages(prompt),
        "checks": {"contentFilter": {"categories": [{"category": "HATE"}]}}})
    StartAsyncInvoke = unary("start_async_invoke", lambda prompt: {
        "clientRequestToken": "one-token", "modelId": "amazon.nova-reel-v1:0", "modelInput": {"text": prompt},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://example/output"}}})
    GetAsyncInvoke = unary("get_async_invoke", lambda _: {"invocationArn": INVOCATION})
    ListAsyncInvokes = unary("list_async_invokes", lambda _: {
        "statusEquals": "Completed", "maxResults": 1, "sortOrder": "Descending",
        "submitTimeAfter": datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)})

    def Echo(self, size, index):
        sent = bytes([index]) * size
        return self.client.invoke_model(modelId=ECHO, body=sent)["body"].read() == sent


class AnthropicBedrock:
    import_name = "anthropic"

    def __init__(self, endpoint, attempts, header):
        import anthropic
        self.client = anthropic.AnthropicBedrock(
            aws_access_key=KEYS["aws_access_key_id"], aws_secret_key=KEYS["aws_secret_access_key"], aws_region="us-east-1",
            base_url=endpoint, max_retries=attempts - 1, default_headers=header, timeout=120)
        self.model = PROFILE

    def ask(self, prompt, **more):
        return self.client.messages.create(model=self.model, max_tokens=200,
                                           messages=[{"role": "user", "content": prompt}], **more)

    def InvokeModel(self, prompt):
        return self.ask(prompt)

    def InvokeModelWithResponseStream(self, prompt):
        return self.ask(prompt, stream=True)


class Anthropic(AnthropicBedrock):
    """The Messages API of the second wire."""

    def __init__(self, endpoint, attempts, header):
        import anthropic
        self.client = anthropic.Anthropic(api_key=TOKEN, base_url=f"{endpoint}/anthropic", max_retries=attempts - 1,
                                          default_headers=header, timeout=120)
        self.model = BARE

    def Messages(self, prompt):
        return self.ask(prompt)

    def MessagesStream(self, prompt):
        return self.ask(prompt, stream=True)

    def MessagesCountTokens(self, prompt):
        return self.client.messages.count_tokens(model=self.model, messages=[{"role": "user", "content": prompt}])


class OpenAI:
    import_name = "openai"
    model = "openai.gpt-oss-20b"

    def __init__(self, endpoint, attempts, header):
        import openai
        self.client = openai.OpenAI(api_key=TOKEN, base_url=f"{endpoint}/openai/v1", max_retries=attempts - 1,
                                    default_headers=header, timeout=120)

    def chat(self, prompt, **more):
        return self.client.chat.completions.create(model=self.model, messages=[{"role": "user", "content": prompt}], **more)

    def ChatCompletions(self, prompt):
        return self.chat(prompt)

    def ChatCompletionsStream(self, prompt):
        return self.chat(prompt, stream=True)

    def Responses(self, prompt):
        return self.client.responses.create(model=self.model, input=prompt)

    def ResponsesStream(self, prompt):
        return self.client.responses.create(model=self.model, input=prompt, stream=True)

    def ListModels(self, _):
        return [model.model_dump() for model in self.client.models.list()]


class LangChainConverse:
    import_name = "langchain_aws"

    def __init__(self, endpoint, attempts, header):
        from langchain_aws import ChatBedrock, ChatBedrockConverse
        client = Boto3(endpoint, attempts, header).client
        self.converse = ChatBedrockConverse(model=PROFILE, client=client, bedrock_client=client, max_tokens=200)
        self.invoke = ChatBedrock(model=PROFILE, client=client, bedrock_client=client, max_tokens=200,
                                  beta_use_converse_api=False)

    @staticmethod
    def told(message):
        return [message.content, getattr(message, "usage_metadata", None)]

    def Converse(self, prompt):
        return self.told(self.converse.invoke(prompt))

    def ConverseStream(self, prompt):
        return (self.told(piece) for piece in self.converse.stream(prompt))

    def InvokeModel(self, prompt):
        return self.told(self.invoke.invoke(prompt))

    def InvokeModelWithResponseStream(self, prompt):
        return (self.told(piece) for piece in self.invoke.stream(prompt))


CLIENTS = {"boto3": Boto3, "anthropic-bedrock": AnthropicBedrock, "langchain-aws": LangChainConverse,
           "anthropic": Anthropic, "openai": OpenAI}


def call(client, operation, size, index, leave):
    """What one call came to, in a line."""
    try:
        if operation == "Echo":
            return f"answer came back: {client.Echo(size, index)}"
        prompt = "Why is the sky blue?".ljust(size, "x")
        answer = getattr(client, operation)(prompt)
        if "Stream" not in operation:
            return "answer " + stable(answer)
        if leave:
            next(iter(answer))
            answer.close()
            return "answer left"
        return "answer " + " ".join(stable(event) for event in answer)
    except Exception as problem:
        said = getattr(problem, "response", None)
        said = said.get("Error") if isinstance(said, dict) else getattr(problem, "body", None) or str(problem)
        return f"error {type(problem).__name__} " + " ".join(str(said).split())


def main():
    kind = CLIENTS[sys.argv[1]]
    import importlib.metadata as metadata
    package = {"langchain_aws": "langchain-aws"}.get(kind.import_name, kind.import_name)
    print(f"{package} {metadata.version(package)}, Python {sys.version.split()[0]}", flush=True)
    kept = []  # so that an abort is not the collector's doing
    for line in sys.stdin:
        operation, endpoint, attempts, header, size, times, leave = line.split()
        client = kind(endpoint, int(attempts), dict([header.split("=", 1)]) if header != "-" else {})
        kept.append(client)
        with concurrent.futures.ThreadPoolExecutor(int(times)) as pool:
            outcomes = pool.map(lambda index: call(client, operation, int(size), index, leave == "leave"),
                                range(int(times)))
            print(" || ".join(sorted(set(outcomes))), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    main()
