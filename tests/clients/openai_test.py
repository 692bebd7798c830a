"""The OpenAI SDK, unmodified but for its endpoint, through the proxy; answers are held against the simulator's own."""

import sys

import openai

import checks
import second_wire
from checks import PROXY, check, check_equal
from second_wire import QUESTION, TOKEN, WEATHER

PRIMARY, CANDIDATE = "openai.gpt-oss-20b", "openai.gpt-oss-120b"
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
CHAT_TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}]
RESPONSE_TOOLS = [{"type": "function", "name": "get_weather", "parameters": WEATHER}]


def make_client(endpoint, retries=0, headers=None, prefix="/openai/v1"):
    return openai.OpenAI(api_key=TOKEN, base_url=endpoint + prefix, max_retries=retries, default_headers=headers,
                         timeout=60)


def chat(client, model=PRIMARY, **more):
    return client.chat.completions.create(model=model, messages=MESSAGES, **more).model_dump()


def chat_stream(client, **more):
    stream = client.chat.completions.create(model=PRIMARY, messages=MESSAGES, stream=True,
                                            stream_options={"include_usage": True}, **more)
    return [chunk.model_dump() for chunk in stream]


def response(client, model=PRIMARY, **more):
    return client.responses.create(model=model, input=QUESTION, instructions="Be brief.", **more).model_dump()


def response_stream(client, **more):
    stream = client.responses.create(model=PRIMARY, input=QUESTION, stream=True, **more)
    return [event.model_dump() for event in stream]


def streamed_chat_text(client):
    """By the SDK's own helper, which adds the pieces up."""
    with client.chat.completions.stream(model=PRIMARY, messages=MESSAGES) as stream:
        for _ in stream:
            pass
        return stream.get_final_completion().choices[0].message.content


CALLS = {
    "a chat completion": chat,
    "a chat completion with tools": lambda client: chat(client, tools=CHAT_TOOLS),
    "a streamed chat completion": chat_stream,
    "a streamed chat completion with tools": lambda client: chat_stream(client, tools=CHAT_TOOLS),
    "a chat completion of 30 tokens": lambda client: chat(client, max_completion_tokens=30),
    "the stream helper of chat completions": streamed_chat_text,
    "a response": response,
    "a response with tools": lambda client: response(client, tools=RESPONSE_TOOLS),
    "a streamed response": response_stream,
    "a streamed response with tools": lambda client: response_stream(client, tools=RESPONSE_TOOLS),
    "a response of 30 tokens": lambda client: response(client, max_output_tokens=30),
    "the list of models": lambda client: [model.id for model in client.models.list()],
}
CLASSES = {400: "BadRequestError", 403: "PermissionDeniedError", 404: "NotFoundError", 429: "RateLimitError",
           500: "InternalServerError", 503: "InternalServerError"}


def answers_say_what_they_should():
    tool = chat(make_client(PROXY), tools=CHAT_TOOLS)["choices"][0]
    check_equal("a tool call is a tool call", (tool["finish_reason"], tool["message"]["tool_calls"][0]["function"]["name"]),
                ("tool_calls", "get_weather"))
    check("a stream ends with its usage", chat_stream(make_client(PROXY))[-1]["usage"]["completion_tokens"] > 0)
    plain = chat(make_client(PROXY))["choices"][0]["message"]["content"]
    pieces = [chunk["choices"][0]["delta"]["content"] or "" for chunk in chat_stream(make_client(PROXY))
              if chunk["choices"]]
    check_equal("a stream's pieces are the whole answer", "".join(pieces), plain)
    check_equal("the other prefix gives the same answer", chat(make_client(PROXY, prefix="/v1")), chat(make_client(PROXY)))


def large_bodies_pass():
    text = "x" * 20_000_000

    def ask(client):
        message = {"role": "user", "content": text}
        return client.chat.completions.create(model=PRIMARY, messages=[message]).model_dump()
    proxied = second_wire.told(ask, make_client(PROXY))
    check("a body of 20 MB arrives whole, says the model",
          proxied[0] == "answer" and proxied[1]["usage"]["prompt_tokens"] == len(text) // 4, checks.shorten(proxied))


def a_stream_can_be_left():
    def begin(client):
        with client.chat.completions.create(model=PRIMARY, messages=MESSAGES, stream=True) as stream:
            return next(iter(stream)).object == "chat.completion.chunk"
    second_wire.an_abort_ends_the_call_upstream(make_client, begin)


def main():
    print(f"openai {openai.__version__}, proxy {PROXY}")
    second_wire.run([
        ("every call answers alike", lambda: second_wire.answers_alike(make_client, CALLS)),
        ("answers say what they should", answers_say_what_they_should),
        ("copies name the candidate", lambda: second_wire.copies_name_the_candidate(make_client, chat, PRIMARY, CANDIDATE)),
        ("fifty at once", lambda: second_wire.many_at_once_are_answered(make_client, chat)),
        ("large bodies", large_bodies_pass),
        ("an abort", a_stream_can_be_left),
        ("broken streams of chat completions",
         lambda: second_wire.broken_streams_end_as_they_do_directly(make_client, chat_stream)),
        ("broken streams of responses",
         lambda: second_wire.broken_streams_end_as_they_do_directly(make_client, response_stream, error_event_raises=False)),
        ("errors", lambda: second_wire.errors_raise_the_usual_classes(make_client, chat, CLASSES)),
        ("errors of responses", lambda: second_wire.errors_raise_the_usual_classes(make_client, response, CLASSES)),
        ("an unknown model", lambda: second_wire.errors_of_the_proxy_raise_the_usual_classes(
            make_client, chat, "NotFoundError", 404)),
        ("retries", lambda: second_wire.retries_are_the_clients_own(make_client, chat, PRIMARY)),
        ("the books", second_wire.the_books_balance)])


if __name__ == "__main__":
    main()
    sys.exit(1 if checks.failures else 0)
