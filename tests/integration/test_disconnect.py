"""A client that goes away: drained to the end or cancelled, as promised, and charged for what was produced."""
import json

from support.pop import Stream, chat_body, unique
from support.runner import test
from support.waiting import holds, until


def begin(pop, client, *, idempotency, fields=(), reset=True, **options):
    """Starts a long call, reads a little, and goes away. Returns the id of the prompt."""
    identity = unique("id")
    body = chat_body("leaving", stream=True, id=identity, **options)
    with Stream(client, client.chat_request(body, idempotency, fields)) as stream:
        stream.read_events(3)
        if reset:
            stream.wire.reset()
    return identity, body


@test
def with_a_key_of_its_own_the_answer_is_finished_and_kept(pop):
    client = pop.client()
    key = unique()
    identity, body = begin(pop, client, idempotency=key, tokens=30, pace_ms=20)
    charge = pop.until_settled(client.account, 1)[0]
    assert charge["units"]["output"] == 30 and charge["usage_source"] == "provider", charge
    answer = client.send(client.chat_request(body, key))
    assert answer.status == 200 and answer.events[-1].data == "[DONE]"
    assert pop.provider.calls(identity) == 1


@test
def without_a_key_the_provider_is_cancelled_within_four_seconds(pop):
    client = pop.client(policy="generate")
    for reset in (True, False):
        begin(pop, client, idempotency=None, reset=reset, tokens=1000, pace_ms=20)
        until(lambda: pop.provider.running() == 0, 4.5, "the provider is cancelled")
    for charge in pop.until_settled(client.account, 2):
        assert 0 < charge["units"]["output"] < 400, charge
    pop.verify_ledger()


@test
def the_client_may_choose_what_happens_when_it_goes(pop):
    client = pop.client(policy="generate")
    begin(pop, client, idempotency=unique(), fields=[("X-Nodex-On-Disconnect", "cancel")], tokens=1000, pace_ms=20)
    until(lambda: pop.provider.running() == 0, 4.5, "the provider is cancelled although there was a key")
    begin(pop, client, idempotency=None, fields=[("X-Nodex-On-Disconnect", "drain")], tokens=150, pace_ms=20)
    # 150 tokens take 3 s: longer than the grace of a cancelled call with its 2 s.
    rows = pop.until_settled(client.account, 2)
    assert 150 in [row["units"]["output"] for row in rows], rows
    wrong = client.chat("hello", fields=[("X-Nodex-On-Disconnect", "maybe")])
    assert wrong.status == 400, wrong


@test
def a_client_that_comes_back_within_the_grace_keeps_the_run_alive(pop):
    client = pop.client(policy="generate")
    key = unique()
    identity, body = begin(pop, client, idempotency=key, fields=[("X-Nodex-On-Disconnect", "cancel")], tokens=200,
                           pace_ms=20)
    again = client.send(client.chat_request(body, key))
    assert again.status == 200 and again.events[-1].data == "[DONE]", again
    assert pop.provider.calls(identity) == 1
    assert pop.until_settled(client.account, 1)[0]["units"]["output"] == 200


@test
def a_non_streamed_call_that_loses_its_client_is_finished_too(pop):
    client = pop.client()
    key, identity = unique(), unique("id")
    body = chat_body("leaving", tokens=20, pace_ms=20, id=identity)
    with client.wire() as wire:
        wire.send(client.chat_request(body, key))
        until(lambda: pop.provider.calls(identity) == 1, 5, "the model runs")
        wire.reset()
    assert pop.until_settled(client.account, 1)[0]["units"]["output"] == 20
    answer = client.send(client.chat_request(body, key))
    assert answer.status == 200 and json.loads(answer.body)["usage"]["completion_tokens"] == 20
    assert pop.provider.calls(identity) == 1


@test
def descriptors_come_back_after_clients_have_gone(pop):
    client = pop.client(policy="generate")
    client.chat("warm up")
    before = pop.edge.descriptors()
    for _ in range(20):
        begin(pop, client, idempotency=None, tokens=1000, pace_ms=20)
    until(lambda: pop.provider.running() == 0, 6, "all are cancelled")
    until(lambda: pop.edge.descriptors() <= before + 4, 10, "descriptors are back")


@test
def a_client_that_asks_for_close_is_closed_after_its_answer(pop):
    client = pop.client()
    with client.wire() as wire:
        answer = client.send(client.chat_request(chat_body("bye", tokens=2), "new", [("Connection", "close")]), wire=wire)
        assert answer.status == 200
        assert answer.field("connection") == "close"
        assert wire.ended()


@test
def a_drained_run_does_not_stop_when_others_leave(pop):
    client = pop.client()
    key = unique()
    body = chat_body("many", stream=True, tokens=60, pace_ms=20)
    octets = client.chat_request(body, key)
    with Stream(client, octets) as first, Stream(client, octets) as second:
        first.read_events(2)
        second.read_events(2)
        first.wire.reset()
        holds(lambda: pop.provider.running() >= 1, 0.3, "the run goes on")
        assert second.rest().endswith(b"[DONE]\n\n")
    assert len(pop.until_settled(client.account, 1)) == 1
