"""Mixed Bedrock traffic as an application makes it: every request goes through an ordinary boto3 client."""

import concurrent.futures
import json
import threading

TOPICS = ["tides", "bread ovens", "railway signals", "bees", "glaciers", "violins", "lighthouses", "sourdough", "canals",
          "comets", "windmills", "chess openings", "coral reefs", "type design", "kites", "volcanoes", "paper", "orchards"]
STYLES = ["Explain {} to a curious ten-year-old.", "Give three surprising facts about {}.",
          "Write a short note on the history of {}.", "What do experts on {} disagree about?"]

WEATHER = {"toolSpec": {
    "name": "get_weather", "description": "The weather at a place",
    "inputSchema": {"json": {"type": "object", "properties": {"city": {"type": "string"},
                                                              "unit": {"type": "string", "enum": ["C", "F"]}},
                             "required": ["city"]}}}}


def prompt(number):
    return STYLES[number % len(STYLES)].format(TOPICS[number // len(STYLES) % len(TOPICS)]) + f" (No. {number})"


def messages(text):
    return [{"role": "user", "content": [{"text": text}]}]


def converse(client, model, number):
    client.converse(modelId=model, messages=messages(prompt(number)), inferenceConfig={"maxTokens": 400})


def converse_json(client, model, number):
    client.converse(modelId=model, system=[{"text": "Answer with one JSON object and nothing else."}],
                    messages=messages("As JSON with the keys title and summary: " + prompt(number)),
                    inferenceConfig={"maxTokens": 400})


def converse_tools(client, model, number):
    client.converse(modelId=model, messages=messages(f"What is the weather in city number {number}?"),
                    toolConfig={"tools": [WEATHER]}, inferenceConfig={"maxTokens": 400})


def converse_stream(client, model, number):
    answer = client.converse_stream(modelId=model, messages=messages(prompt(number)), inferenceConfig={"maxTokens": 400})
    for _ in answer["stream"]:
        pass


def anthropic_body(number):
    return json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 400,
                       "messages": [{"role": "user", "content": prompt(number)}]})


def invoke(client, model, number):
    client.invoke_model(modelId=model, body=anthropic_body(number))["body"].read()


def invoke_stream(client, model, number):
    answer = client.invoke_model_with_response_stream(modelId=model, body=anthropic_body(number))
    for _ in answer["body"]:
        pass


def count_tokens(client, model, number):
    client.count_tokens(modelId=model, input={"converse": {"messages": messages(prompt(number))}})


def probe(client, model, number):
    """What health checks of applications look like; the proxy does not bother the candidate with it."""
    client.converse(modelId=model, messages=messages("ping"), inferenceConfig={"maxTokens": 1})


# How often each comes in a round of twenty.
MIX = [(converse, 5), (converse_stream, 5), (converse_json, 3), (converse_tools, 2), (invoke, 2), (invoke_stream, 1),
       (count_tokens, 1), (probe, 1)]
ANTHROPIC_ONLY = {invoke, invoke_stream, count_tokens}


def plan(requests, model):
    """The operations to run, in order. Bodies of InvokeModel are Anthropic's, so other models get Converse instead."""
    anthropic = "anthropic" in model
    round_of = [operation if anthropic or operation not in ANTHROPIC_ONLY else converse
                for operation, share in MIX for _ in range(share)]
    # 7 and 20 have no common factor: neighbours differ.
    return [round_of[number * 7 % len(round_of)] for number in range(requests)]


def send(client, model, requests, in_parallel, progress):
    """Sends everything; progress(done, failures) is told after each. Returns the failures as {text: count}."""
    lock = threading.Lock()
    failures, done = {}, 0

    def one(numbered):
        nonlocal done
        number, operation = numbered
        failure = None
        try:
            operation(client, model, number)
        except Exception as problem:  # whatever an SDK may raise is a failed request, and is told as such
            failure = f"{operation.__name__}: {type(problem).__name__}: {problem}"
        with lock:
            done += 1
            if failure:
                failures[failure] = failures.get(failure, 0) + 1
            progress(done, sum(failures.values()))

    with concurrent.futures.ThreadPoolExecutor(in_parallel) as threads:
        list(threads.map(one, enumerate(plan(requests, model))))
    return failures
