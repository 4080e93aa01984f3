"""Providers that fail: before the first byte another one is tried, after it the client is told in the stream, and
nothing broken ever looks complete."""
from support.pop import MODEL, Pop, chat_body, unique
from support.runner import test
from support.waiting import until
from support.wire import Cut, data_events, text_of

QUICK = {"connect_timeout_ms": 500, "first_byte_timeout_ms": 700, "idle_timeout_ms": 700}


def quick_pop(**options):
    """A node whose providers have short timeouts and whose first provider is always chosen first."""
    pop = Pop(**options)
    for index, provider in enumerate(pop.config["provider"]):
        provider.update(QUICK)
        provider["weight"] = 10_000 if index == 0 else 1
    pop.write_config()
    pop.kill()
    pop.restart()
    return pop


@test
def an_error_status_of_the_provider_is_ours_to_tell(pop):
    client = pop.client()
    for status, expected in ((500, {502, 503}), (503, {502, 503}), (401, {502}), (403, {502}), (404, {400, 404, 502})):
        for stream in (False, True):
            answer = client.chat("hello", stream=stream, status=status, body_text="provider_internals")
            assert answer.status in expected, (status, answer)
            assert b"provider_internals" not in answer.body, "the provider's text is relayed"
            assert answer.error["request_id"] == answer.field("x-nodex-request-id")
    assert pop.charges(client.account) == []
    assert pop.balance_nano(client.account) == 10_000_000_000


@test
def a_bad_request_in_the_providers_eyes_is_the_clients(pop):
    client = pop.client()
    answer = client.chat("hello", status=400)
    assert answer.status == 400, answer
    assert answer.field("x-should-retry") != "true"
    assert pop.charges(client.account) == []


@test
def a_rate_limit_of_the_provider_is_told_as_a_matter_of_waiting(pop):
    answer = pop.client().chat("hello", status=429, retry_after=7)
    assert answer.status in (429, 503), answer
    assert answer.error["code"] in ("rate_limited", "upstream_unavailable", "overloaded"), answer


@test
def an_answer_that_breaks_http_is_a_gateway_error_and_poisons_nothing(pop):
    client = pop.client()
    for fault in ({"bad_status_line": True}, {"redirect": True}, {"bad_json": True}, {"wrong_content_type": True},
                  {"gzip_lie": True}, {"cut_bytes": 20}):
        answer = client.chat("hello", tokens=3, **fault)
        assert answer.status in (502, 503), (fault, answer)
        assert answer.error["code"] in ("gateway_error", "upstream_error", "upstream_unavailable", "upstream_lost"), answer
        good = client.chat("after " + str(fault), tokens=3)
        assert good.status == 200 and good.json["usage"]["completion_tokens"] == 3, (fault, good)
    pop.verify_ledger()


@test
def bytes_after_an_answer_do_not_become_the_next_one(pop):
    client = pop.client()
    for _ in range(5):
        client.chat("hello", tokens=3, extra_bytes=200)
        good = client.chat("next", tokens=4)
        assert good.status == 200 and good.json["usage"]["completion_tokens"] == 4, good


def cut_stream(client, **fault):
    key = unique()
    body = chat_body("faulty", stream=True, tokens=10, **fault)
    answer = client.send(client.chat_request(body, key))
    return key, body, answer


@test
def a_stream_that_is_cut_says_so_inside_and_is_charged_for_what_came(pop):
    client = pop.client()
    faults = [{"cut_after": 4}, {"reset_after": 4}, {"no_done": True, "cut_after": 4}, {"cut_bytes": 900}]
    for fault in faults:
        key, body, answer = cut_stream(client, **fault)
        assert answer.status == 200, (fault, answer)
        events = answer.events
        assert "error" in events[-1].json, (fault, events[-1])
        assert all(event.data != "[DONE]" for event in events), fault
        again = client.send(client.chat_request(body, key))
        assert [event.data for event in data_events(again.body)][:-1] == [event.data for event in events][:-1], fault
    rows = pop.until_settled(client.account, len(faults))
    for row in rows:
        assert row["units"]["output"] < 20, row
    pop.verify_ledger()


@test
def a_stream_without_done_never_looks_complete(pop):
    client = pop.client()
    _, _, answer = cut_stream(client, no_done=True)
    # A finish reason came, so the text is whole; but the protocol's own end is missing and must not be invented.
    last = answer.events[-1]
    assert last.data == "[DONE]" or "error" in last.json, last
    pop.until_settled(client.account, 1)


@test
def an_error_event_of_the_provider_reaches_the_client_and_ends_the_stream(pop):
    client = pop.client()
    _, _, answer = cut_stream(client, error_event_after=4)
    events = answer.events
    assert "error" in events[-1].json, events[-1]
    assert all(event.data != "[DONE]" for event in events)
    row = pop.until_settled(client.account, 1)[0]
    # What came before is charged; the error's text is not.
    assert row["units"]["output"] < len(text_of(events[:-1]).encode()) + 1, row


@test
def usage_that_is_missing_is_counted_and_marked(pop):
    client = pop.client()
    for stream in (False, True):
        assert client.chat("count me", stream=stream, tokens=10, no_usage=True).status == 200
    rows = pop.until_settled(client.account, 2)
    for row in rows:
        assert row["usage_source"] != "provider", row
        assert row["units"]["output"] > 0, row


@test
def a_huge_event_passes_and_a_monstrous_one_ends_the_stream(pop):
    client = pop.client()
    answer = client.chat("huge", stream=True, tokens=3, huge_event=1_000_000)
    assert answer.status == 200 and answer.events[-1].data == "[DONE]"
    try:
        answer = client.chat("monstrous", stream=True, tokens=3, huge_event=9_000_000)
        assert answer.status in (502, 503) or "error" in answer.events[-1].json, answer
    except Cut:
        pass  # visibly cut is allowed; complete is not
    assert client.chat("alive", tokens=1).status == 200


@test
def a_silent_provider_is_given_up_in_time():
    with quick_pop() as pop:
        client = pop.client()
        for stream in (False, True):
            answer = client.chat("hello", stream=stream, hang=True)
            assert answer.status == 504 and answer.error["code"] == "upstream_timeout", answer
        answer = client.chat("hello", stream=True, tokens=10, hang_after=3)
        assert answer.status == 200 and "error" in answer.events[-1].json, answer
        assert pop.provider.running() == 0 or until(lambda: pop.provider.running() == 0, 3, "cancelled upstream")
        rows = pop.until_settled(client.account, 1)
        assert len(rows) == 1, rows


@test
def before_the_first_byte_another_provider_is_tried():
    with quick_pop(providers=2) as pop:
        client = pop.client()
        pop.providers[0].program.kill()
        answers = [client.chat("hello", stream=stream, tokens=3) for stream in (False, True) for _ in range(4)]
        assert {answer.status for answer in answers} == {200}, answers
        assert pop.providers[1].calls() == 8
        status = client.get("/v1/status").json["providers"]
        assert len(status) == 2
        # Its return is noticed by a probe, without any request failing.
        pop.providers[0].start()
        until(lambda: (client.chat("hello", tokens=1), pop.providers[0].calls() > 0)[1], 40, "the first is back")
        pop.until_settled(client.account, len(pop.charges(client.account)))
        pop.verify_ledger()


@test
def an_error_status_is_tried_elsewhere_once_and_charged_once():
    with quick_pop(providers=2) as pop:
        client = pop.client()
        answer = client.chat("hello", status=503)
        assert answer.status in (502, 503), answer
        assert pop.providers[0].calls() + pop.providers[1].calls() == 2
        assert pop.charges(client.account) == []


@test
def after_the_first_byte_no_other_provider_is_tried():
    with quick_pop(providers=2) as pop:
        client = pop.client()
        identity = unique("id")
        answer = client.chat("hello", stream=True, tokens=10, cut_after=3, id=identity)
        assert "error" in answer.events[-1].json
        assert pop.providers[0].calls(identity) + pop.providers[1].calls(identity) == 1
        assert len(pop.until_settled(client.account, 1)) == 1


@test
def with_no_provider_at_all_the_client_is_told_to_come_again():
    with quick_pop() as pop:
        client = pop.client()
        pop.provider.program.kill()
        key = unique()
        answer = client.chat("hello", idempotency=key)
        assert answer.status == 503 and answer.error["code"] == "upstream_unavailable", answer
        assert answer.field("x-should-retry") == "true"
        assert pop.balance_nano(client.account) == 10_000_000_000
        pop.provider.start()
        until(lambda: client.chat("hello", idempotency=key, tokens=2).status == 200, 40, "the key is free again")


@test
def the_clients_own_fields_are_not_leaked_to_the_provider(pop):
    client = pop.client()
    fields = [("X-Private", "leak-marker-1"), ("Cookie", "leak-marker-2"), ("OpenAI-Organization", "leak-marker-3")]
    assert client.chat("hello", fields=fields, tokens=2).status == 200
    with open(pop.provider.program.log, "rb") as log:
        assert b"leak-marker" not in log.read()


@test
def models_are_renamed_for_the_provider_and_nothing_else_is(pop):
    answer = pop.client().chat("hello", tokens=2)
    assert answer.json["model"] in (MODEL, "provider-sim"), answer.json
