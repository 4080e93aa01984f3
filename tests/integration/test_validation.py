"""What is refused before it costs anything: the body, its parameters, and the idempotency key."""
import json

from support.pop import MODEL, chat_body
from support.runner import test
from support.wire import request


def refused(client, body, idempotency="new"):
    """The error of a chat call that must be refused with 400 and reach no provider."""
    calls = client.pop.provider.calls()
    answer = client.send(client.chat_request(body, idempotency))
    assert answer.status == 400, (body if len(body) < 300 else body[:300], answer)
    assert client.pop.provider.calls() == calls, "the provider was called"
    return answer.error


@test
def parameters_outside_their_range_are_named(pop):
    client = pop.client()
    for name, values in {
            "temperature": [-0.1, 2.1, "hot"], "top_p": [-0.01, 1.01], "frequency_penalty": [-2.1, 2.1],
            "presence_penalty": [-2.1, 2.1], "n": [0, 129, 1.5], "max_tokens": [0, -1],
            "max_completion_tokens": [0], "stop": [[], ["a", "b", "c", "d", "e"], 7]}.items():
        for value in values:
            error = refused(client, chat_body("hello", more={name: value}))
            assert error["param"] == name, (name, value, error)
            assert error["code"] == "invalid_request_error", error


@test
def parameters_at_their_bounds_are_taken(pop):
    client = pop.client()
    for name, values in {"temperature": [0, 2, None], "top_p": [0, 1], "frequency_penalty": [-2, 2],
                         "presence_penalty": [-2, 2], "n": [1, 2], "max_tokens": [1],
                         "stop": ["a", ["a", "b", "c", "d"], None]}.items():
        for value in values:
            answer = client.chat("hello", tokens=1, more={name: value})
            assert answer.status == 200, (name, value, answer)


@test
def what_must_be_there_must_be_there(pop):
    client = pop.client()
    messages = [{"role": "user", "content": "x"}]
    assert refused(client, json.dumps({"messages": messages}))["param"] == "model"
    assert refused(client, json.dumps({"model": MODEL}))["param"] == "messages"
    assert refused(client, json.dumps({"model": MODEL, "messages": []}))["param"] == "messages"
    assert refused(client, json.dumps({"model": 7, "messages": messages}))["param"] == "model"


@test
def json_that_two_readers_could_read_differently_is_refused(pop):
    client = pop.client()
    good = chat_body("hello")
    shapes = {
        "not JSON": b"{broken", "empty": b" ", "trailing": good.encode() + b"x", "an array": b"[]",
        "two values": good.encode() * 2, "a BOM": b"\xef\xbb\xbf" + good.encode(),
        "duplicate key": good.replace('"model"', '"model": "other", "model"', 1).encode(),
        "escaped duplicate": good.replace('"model"', '"mod\\u0065l": "other", "model"', 1).encode(),
        "broken UTF-8": good.replace("hello", "hel").encode()[:-4] + b'\xc3"}]}',
        "lone surrogate": good.replace("hello", "\\ud800").encode(),
        "control character": good.replace("hello", "a\nb").encode(),
        "NaN": good[:-1].encode() + b', "temperature": NaN}',
        "leading zero": good[:-1].encode() + b', "n": 01}',
    }
    for name, body in shapes.items():
        assert refused(client, body)["code"] == "invalid_request_error", name


@test
def json_depth_64_is_taken_and_65_is_not(pop):
    client = pop.client()

    def nested(depth):  # inside the body's own object, which is the first level
        return json.loads("[" * (depth - 1) + "]" * (depth - 1))
    assert client.chat("hello", tokens=1, more={"x": nested(64)}).status == 200
    refused(client, chat_body("hello", more={"x": nested(65)}))
    deep = chat_body("hello")[:-1] + ', "x": ' + "[" * 500_000 + "]" * 500_000 + "}"
    refused(client, deep)


@test
def ten_thousand_keys_of_an_object_are_taken_and_one_more_is_not(pop):
    client = pop.client()
    assert client.chat("hello", tokens=1, more={"x": {f"k{n}": n for n in range(10_000)}}).status == 200
    refused(client, chat_body("hello", more={"x": {f"k{n}": n for n in range(10_001)}}))


@test
def an_idempotency_key_has_1_to_255_visible_characters(pop):
    client = pop.client()
    for good in ("k", "k" * 255, "!~azAZ09"):
        assert client.chat("hello", tokens=1, idempotency=good + str(id(good)) if len(good) < 200 else good).status == 200
    for bad in ("k" * 256, "with space", "tab\there", "\x7f", "caf\xe9"):
        answer = client.chat("hello", idempotency=bad)
        assert answer.status == 400, (bad, answer)
    empty = client.send(request("POST", "/v1/chat/completions", [
        *client.fields(), ("X-Idempotency-Key", ""), ("Content-Type", "application/json")], chat_body("x").encode()))
    assert empty.status == 400, empty


@test
def two_idempotency_keys_must_be_the_same(pop):
    client = pop.client()
    body = chat_body("hello", tokens=1)
    same = client.chat_request(body, "both-1", [("Idempotency-Key", "both-1")])
    other = client.chat_request(body, "both-2", [("Idempotency-Key", "both-3")])
    assert client.send(same).status == 200
    assert client.send(other).status == 400


@test
def an_encoded_or_foreign_body_is_refused(pop):
    client = pop.client()
    body = chat_body("hello").encode()
    for field in (("Content-Encoding", "gzip"), ("Content-Encoding", "zstd")):
        answer = client.send(client.chat_request(body, "new", [field]))
        assert answer.status in (400, 415), answer
    form = client.send(request("POST", "/v1/chat/completions", [
        *client.fields("form-1"), ("Content-Type", "application/x-www-form-urlencoded")], body))
    assert form.status in (400, 415), form


@test
def refused_requests_do_not_use_up_their_key_and_cost_nothing(pop):
    client = pop.client()
    assert client.chat("hello", idempotency="free-1", more={"n": 0}).status == 400
    assert client.chat("hello", idempotency="free-1", model="nothing").status == 404
    assert client.chat("hello", idempotency="free-1", tokens=2).status == 200
    assert len(pop.until_settled(client.account, 1)) == 1


@test
def a_client_that_writes_json_into_texts_gets_it_back_as_text(pop):
    client = pop.client()
    name = 'x"},"y":{"\\u0000'
    answer = client.chat("hello", model=name)
    assert answer.status == 404
    assert answer.error["code"] == "model_not_found"
