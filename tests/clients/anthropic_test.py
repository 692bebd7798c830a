"""The Anthropic SDK, unmodified but for its endpoint, through the proxy: Messages on the second wire (Anthropic and
AnthropicBedrockMantle), and AnthropicBedrock on the first. Answers are held against the simulator's own."""

import sys

import anthropic

import checks
import second_wire
from checks import PROXY, SIMULATOR, check, check_equal
from second_wire import QUESTION, TOKEN, WEATHER

PRIMARY, CANDIDATE = "anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-sonnet-5"
ASKED = {"max_tokens": 200, "messages": [{"role": "user", "content": QUESTION}]}
TOOLS = [{"name": "get_weather", "description": "Tells the weather.", "input_schema": WEATHER}]
KEYS = {"aws_access_key": "AKIDEXAMPLE", "aws_secret_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "aws_region": "us-east-1"}


def make_client(endpoint, retries=0, headers=None):
    return anthropic.Anthropic(api_key=TOKEN, base_url=endpoint + "/anthropic", max_retries=retries,
                               default_headers=headers, timeout=60)


def make_mantle_client(endpoint, retries=0, headers=None):
    return anthropic.AnthropicBedrockMantle(**KEYS, base_url=endpoint + "/anthropic", max_retries=retries,
                                            default_headers=headers, timeout=60)


def make_bedrock_client(endpoint, retries=0, headers=None):
    return anthropic.AnthropicBedrock(**KEYS, base_url=endpoint, max_retries=retries, default_headers=headers,
                                      timeout=60)


def create(client, model=PRIMARY, **more):
    return client.messages.create(model=model, **ASKED, **more).model_dump()


def stream(client, model=PRIMARY, **more):
    return [event.model_dump() for event in client.messages.create(model=model, stream=True, **ASKED, **more)]


def final_message(client):
    """By the SDK's own helper, which adds the pieces up."""
    with client.messages.stream(model=PRIMARY, **ASKED, tools=TOOLS) as events:
        return events.get_final_message().model_dump()


def count_tokens(client):
    return client.messages.count_tokens(model=PRIMARY, messages=ASKED["messages"]).model_dump()


CALLS = {
    "a message": create,
    "a message with tools": lambda client: create(client, tools=TOOLS),
    "a message with a system prompt": lambda client: create(client, system="Be brief."),
    "a streamed message": stream,
    "a streamed message with tools": lambda client: stream(client, tools=TOOLS),
    "the stream helper": final_message,
    "counting tokens": count_tokens,
}
CLASSES = {400: "BadRequestError", 403: "PermissionDeniedError", 404: "NotFoundError", 429: "RateLimitError",
           500: "InternalServerError"}


def answers_say_what_they_should():
    tool = create(make_client(PROXY), tools=TOOLS)
    check_equal("a tool call is a tool call", (tool["stop_reason"], tool["content"][-1]["name"]),
                ("tool_use", "get_weather"))
    plain = create(make_client(PROXY))
    check("an answer says what it used", plain["usage"]["output_tokens"] > 0, plain)
    pieces = [event["delta"]["text"] for event in stream(make_client(PROXY)) if event["type"] == "content_block_delta"]
    check_equal("a stream's pieces are the whole answer", "".join(pieces), plain["content"][0]["text"])


def a_stream_can_be_left():
    def begin(client):
        with client.messages.create(model=PRIMARY, stream=True, **ASKED) as events:
            return next(iter(events)).type == "message_start"
    second_wire.an_abort_ends_the_call_upstream(make_client, begin)


def the_first_wire_answers_alike():
    profile = "us." + PRIMARY
    calls = {
        "AnthropicBedrock's message": lambda client: create(client, profile),
        "AnthropicBedrock's message with tools": lambda client: create(client, profile, tools=TOOLS),
        "AnthropicBedrock's streamed message": lambda client: stream(client, profile),
    }
    second_wire.answers_alike(make_bedrock_client, calls)
    failed = second_wire.told(lambda client: create(client, profile),
                              make_bedrock_client(PROXY, headers={"x-sim-status": "429"}))
    direct = second_wire.told(lambda client: create(client, profile),
                              make_bedrock_client(SIMULATOR, headers={"x-sim-status": "429"}))
    check_equal("AnthropicBedrock's errors are the same as directly", failed, direct)


def main():
    print(f"anthropic {anthropic.__version__}, proxy {PROXY}")
    second_wire.run([
        ("every call answers alike", lambda: second_wire.answers_alike(make_client, CALLS)),
        ("every call of the Mantle client answers alike", lambda: second_wire.answers_alike(make_mantle_client, CALLS)),
        ("answers say what they should", answers_say_what_they_should),
        ("copies name the candidate",
         lambda: second_wire.copies_name_the_candidate(make_client, create, PRIMARY, CANDIDATE)),
        ("fifty at once", lambda: second_wire.many_at_once_are_answered(make_client, create)),
        ("an abort", a_stream_can_be_left),
        ("broken streams", lambda: second_wire.broken_streams_end_as_they_do_directly(make_client, stream)),
        ("the first wire", the_first_wire_answers_alike),
        ("errors", lambda: second_wire.errors_raise_the_usual_classes(make_client, create, CLASSES)),
        ("an unknown model", lambda: second_wire.errors_of_the_proxy_raise_the_usual_classes(
            make_client, create, "NotFoundError", 404)),
        ("retries", lambda: second_wire.retries_are_the_clients_own(make_client, create, PRIMARY)),
        ("the books", second_wire.the_books_balance)])


if __name__ == "__main__":
    main()
    sys.exit(1 if checks.failures else 0)
