"""What the clients of the second wire are checked for in the same way."""

import concurrent.futures

import checks
from checks import (PROXY, SIMULATOR, check, check_equal, header, last_sequence, metrics, outcome, requests_after,
                    settle)
from run import TRANSPORT

TOKEN = "bedrock-api-key-of-the-tests"  # the simulator's; the proxy signs with keys of its own
QUESTION = "Why is the sky blue?"
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def error_of(problem, *fields):
    """What an application sees of an SDK's exception: its class, and what stands in it."""
    return ("error", type(problem).__name__, *(getattr(problem, field, None) for field in fields))


def told(call, client):
    """An answer, or the error with status and body."""
    try:
        return "answer", call(client)
    except Exception as problem:
        return error_of(problem, "status_code", "body")


def answers_alike(make_client, calls):
    """Each call gives through the proxy what it gives directly; returns nothing."""
    for name, call in calls.items():
        direct, proxied = told(call, make_client(SIMULATOR)), told(call, make_client(PROXY))
        check(f"{name} succeeds", proxied[0] == "answer", proxied)
        check_equal(f"{name} gives the same answer through the proxy as directly", proxied, direct)


def errors_raise_the_usual_classes(make_client, call, classes):
    for status, name in classes.items():
        headers = {"x-sim-status": str(status)}
        direct, proxied = (told(call, make_client(end, headers=headers)) for end in (SIMULATOR, PROXY))
        check_equal(f"a status of {status} raises {name}", proxied[:3], ("error", name, status))
        check_equal(f"{name} says the same through the proxy as directly", proxied, direct)


def errors_of_the_proxy_raise_the_usual_classes(make_client, call_with_model, name, code):
    """A model that no route knows, at a proxy whose default route has no such model either."""
    proxied = told(lambda client: call_with_model(client, "unknown.model"), make_client(PROXY))
    check_equal("a model that is not there raises the usual error", proxied[:3], ("error", name, code))


def broken_streams_end_as_they_do_directly(make_client, stream, error_event_raises=True):
    for fault in ("exception_midstream:overloaded:3", "truncate_midstream:3"):
        headers = {"x-sim-fault": fault}
        direct, proxied = (outcome(stream, make_client(end, headers=headers)) for end in (SIMULATOR, PROXY))
        raises = error_event_raises or fault.startswith("truncate")
        check(f"a stream with {fault} {'is an error' if raises else 'tells of its error'}",
              (proxied[0] == "error") == raises, proxied)
        if raises:
            direct, proxied = (TRANSPORT.get(each[1], each[1]) for each in (direct, proxied))
        check_equal(f"a stream with {fault} ends as it does directly", proxied, direct)


def retries_are_the_clients_own(make_client, call, model):
    settle()
    before = last_sequence()
    failed = outcome(call, make_client(PROXY, retries=2, headers={"x-sim-status": "500"}))
    settle()
    calls = requests_after(before)
    check("a call that keeps failing fails in the end", failed[0] == "error", failed)
    check_equal("three attempts of the SDK are three calls upstream, none of them copied",
                [(each["model"], header(each, "x-stainless-retry-count")) for each in calls],
                [(model, "0"), (model, "1"), (model, "2")])


def many_at_once_are_answered(make_client, call):
    wanted = told(call, make_client(PROXY))
    client = make_client(PROXY)
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: told(call, client), range(50)))
    check_equal("fifty calls at once get fifty right answers", sum(each == wanted for each in answers), 50)


def an_abort_ends_the_call_upstream(make_client, begin_stream):
    """`begin_stream` opens a stream that hangs, reads its first event and closes it."""
    before = checks.simulator_counts()["abandoned"]
    client = make_client(PROXY, headers={"x-sim-fault": "hang_midstream:6"})
    check("a stream gives its first event before its end is there", begin_stream(client))
    check("what the client left is left upstream too",
          checks.eventually(lambda: checks.simulator_counts()["abandoned"] > before))


def copies_name_the_candidate(make_client, call, primary, candidate):
    settle()
    before = last_sequence()
    call(make_client(PROXY))
    settle()
    check_equal("the primary is asked, then the candidate under its own name",
                [each["model"] for each in requests_after(before)], [primary, candidate])


def the_books_balance():
    now = settle()
    eligible, ended = now.total("shadow_eligible_total"), now.total("shadow_total")
    check("requests were eligible", eligible > 0)
    check_equal("eligible = skipped + dropped + compared + failed", ended, eligible)
    check("pairs were compared", now.total("shadow_total", result="compared") > 0)
    check_equal("no body was unclear about its model", metrics().total("body_model_unread_total"), 0)


def run(parts):
    for name, part in parts:
        print(f"\n{name}:")
        ended = outcome(part)
        if ended[0] == "error":
            check(f"{name} runs to its end", False, ended)
