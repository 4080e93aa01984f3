"""The same request again: joined, replayed, refused or run anew, and never charged twice (deploy/api.md, Idempotency)."""
import json

from support.pop import Stream, answers_of, chat_body, statuses, unique
from support.runner import test
from support.waiting import until
from support.wire import Answer

SDK = [("X-Stainless-Lang", "js"), ("X-Stainless-Package-Version", "6.0.0"), ("User-Agent", "OpenAI/JS 6.0.0")]


@test
def a_finished_request_is_replayed_byte_by_byte(pop):
    client = pop.client()
    for stream in (False, True):
        identity, key = unique("id"), unique()
        body = chat_body("again", stream=stream, tokens=5, id=identity)
        first = client.send(client.chat_request(body, key))
        second = client.send(client.chat_request(body, key))
        assert first.status == second.status == 200
        assert first.body == second.body
        assert first.field("content-type") == second.field("content-type")
        assert first.field("x-nodex-idempotent-replay") == "false"
        assert second.field("x-nodex-idempotent-replay") == "true"
        assert pop.provider.calls(identity) == 1
    pop.until_settled(client.account, 2)


@test
def a_replay_is_free_even_when_the_balance_is_gone(pop):
    client = pop.client(balance="0.01")
    body = chat_body("last money", model="sim-output", tokens=1000, more={"max_tokens": 1000})
    first = client.send(client.chat_request(body, "broke-1"))
    assert first.status == 200, first
    pop.until_settled(client.account, 1)
    assert pop.balance_nano(client.account) == 0
    second = client.send(client.chat_request(body, "broke-1"))
    assert second.status == 200 and second.body == first.body
    assert client.send(client.chat_request(body, "broke-2")).status == 402


@test
def a_running_request_is_joined_by_any_number_of_duplicates(pop):
    client = pop.client()
    for stream in (False, True):
        identity, key = unique("id"), unique()
        octets = client.chat_request(chat_body("join", stream=stream, tokens=20, pace_ms=20, id=identity), key)
        answers = answers_of([lambda: client.send(octets) for _ in range(8)])
        assert statuses(answers) == {200: 8}, statuses(answers)
        assert len({answer.body for answer in answers}) == 1
        assert pop.provider.calls(identity) == 1
        assert sum(answer.field("x-nodex-idempotent-replay") == "false" for answer in answers) == 1
    pop.until_settled(client.account, 2)
    pop.verify_ledger()


@test
def a_joined_stream_begins_with_its_first_event(pop):
    client = pop.client()
    octets = client.chat_request(chat_body("late", stream=True, tokens=30, pace_ms=20), unique())
    with Stream(client, octets) as first:
        first.read_events(10)
        with Stream(client, octets) as second:
            assert second.answer.field("x-nodex-idempotent-replay") == "true"
            assert second.rest() == first.rest()


@test
def the_same_key_with_another_body_is_refused(pop):
    client = pop.client()
    key = unique()
    assert client.chat("one", idempotency=key, tokens=2).status == 200
    for other in (chat_body("two", tokens=2), chat_body("one", tokens=2, stream=True), chat_body("one", tokens=2, more={"n": 2})):
        answer = client.send(client.chat_request(other, key))
        assert answer.status == 422 and answer.error["code"] == "idempotency_key_reused", answer


@test
def a_running_key_with_another_body_is_refused_too(pop):
    client = pop.client()
    key = unique()
    with Stream(client, client.chat_request(chat_body("one", stream=True, tokens=20, pace_ms=30), key)) as stream:
        assert client.chat("two", idempotency=key).status == 422
        stream.rest()


@test
def order_of_members_and_white_space_make_no_other_request(pop):
    client = pop.client()
    key = unique()
    body = json.loads(chat_body("same", tokens=3, more={"temperature": 1.0, "user": "\u00e9"}))
    first = client.send(client.chat_request(json.dumps(body), key))
    turned = json.dumps(dict(reversed(body.items())), indent=3, ensure_ascii=False)
    second = client.send(client.chat_request(turned.encode(), key))
    assert second.status == 200 and second.body == first.body, second
    assert second.field("x-nodex-idempotent-replay") == "true"


@test
def both_spellings_of_the_header_name_the_same_key(pop):
    client = pop.client()
    key, body = unique(), chat_body("spelling", tokens=2)
    first = client.send(client.chat_request(body, key))
    second = client.send(client.chat_request(body, None, [("Idempotency-Key", key)]))
    assert second.body == first.body and second.field("x-nodex-idempotent-replay") == "true"


@test
def accounts_do_not_share_keys(pop):
    one, two = pop.client(), pop.client()
    key = unique()
    first, second = one.chat("mine", idempotency=key, tokens=2), two.chat("not yours", idempotency=key, tokens=2)
    assert first.status == second.status == 200
    assert second.field("x-nodex-idempotent-replay") == "false"


@test
def the_policy_required_wants_a_key_from_everybody(pop):
    client = pop.client(policy="required")
    for fields in ([], SDK):
        answer = client.chat("hello", idempotency=None, fields=fields)
        assert answer.status == 400 and answer.error["code"] == "idempotency_key_required", answer
    assert client.chat("hello").status == 200


@test
def the_policy_sdk_makes_keys_for_the_official_clients_only(pop):
    client = pop.client()
    answer = client.chat("hello", idempotency=None)
    assert answer.status == 400 and answer.error["code"] == "idempotency_key_required"
    answer = client.chat("hello", idempotency=None, fields=SDK)
    assert answer.status == 200, answer
    assert answer.field("x-nodex-idempotency-key")


@test
def the_policy_generate_makes_keys_for_everybody(pop):
    client = pop.client(policy="generate")
    first, second = (client.chat("hello", idempotency=None) for _ in range(2))
    assert first.status == second.status == 200
    made = first.field("x-nodex-idempotency-key"), second.field("x-nodex-idempotency-key")
    assert made[0] and made[1] and made[0] != made[1]
    # The generated key is good for asking again.
    again = client.chat("hello", idempotency=made[0])
    assert again.body == first.body and again.field("x-nodex-idempotent-replay") == "true"


@test
def an_sdks_own_retry_does_not_run_the_model_again(pop):
    client = pop.client()
    identity = unique("id")
    body = chat_body("retried", tokens=20, pace_ms=20, id=identity)
    first_try = client.chat_request(body, None, [*SDK, ("X-Stainless-Retry-Count", "0")])
    retry = client.chat_request(body, None, [*SDK, ("X-Stainless-Retry-Count", "1")])
    with client.wire() as cut:
        cut.send(first_try)
        until(lambda: pop.provider.calls(identity) == 1, 5, "the model runs")
        cut.reset()
    answer = client.send(retry)
    assert answer.status == 200, answer
    assert pop.provider.calls(identity) == 1
    assert len(pop.until_settled(client.account, 1)) == 1
    # A new call with the same body is a new request.
    assert client.send(first_try).field("x-nodex-idempotent-replay") == "false"
    assert pop.provider.calls(identity) == 2


@test
def a_failure_before_anything_was_produced_sets_the_key_free(pop):
    client = pop.client()
    key = unique()
    failed = client.chat("hello", idempotency=key, status=503)
    assert failed.status in (502, 503), failed
    assert failed.field("x-should-retry") == "true"
    assert client.chat("other body", idempotency=key, tokens=2).status == 200
    assert len(pop.until_settled(client.account, 1)) == 1


@test
def a_replay_survives_a_kill_and_a_restart(pop):
    client = pop.client()
    calls = {}
    for stream in (False, True):
        body = chat_body("durable", stream=stream, tokens=6)
        calls[unique()] = (body, None)
    for key, (body, _) in calls.items():
        calls[key] = (body, client.send(client.chat_request(body, key)))
    pop.kill()
    pop.restart()
    for key, (body, first) in calls.items():
        again = client.send(client.chat_request(body, key))
        assert isinstance(first, Answer) and again.status == 200 and again.body == first.body
        assert again.field("x-nodex-idempotent-replay") == "true"
    pop.until_settled(client.account, 2)
    pop.verify_ledger()
