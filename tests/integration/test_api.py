"""What a customer gets from each route, when nothing goes wrong."""
import json

from support.pop import MODEL, OUTPUT_MODEL, chat_body
from support.runner import test
from support.wire import request, text_of


@test
def a_chat_call_gets_a_whole_completion(pop):
    answer = pop.client().chat("hello", tokens=7)
    assert answer.status == 200, answer
    completion = answer.json
    assert completion["object"] == "chat.completion"
    assert completion["choices"][0]["message"]["role"] == "assistant"
    assert completion["choices"][0]["message"]["content"]
    assert completion["choices"][0]["finish_reason"] == "stop"
    assert completion["usage"]["completion_tokens"] == 7
    assert completion["usage"]["total_tokens"] == completion["usage"]["prompt_tokens"] + 7


@test
def a_streamed_call_gets_numbered_events_and_done(pop):
    answer = pop.client().chat("hello", stream=True, tokens=7)
    assert answer.status == 200, answer
    assert answer.field("content-type") == "text/event-stream; charset=utf-8"
    assert answer.field("cache-control") == "no-cache"
    events = answer.events
    assert [event.id for event in events] == [f"evt_{n:05}" for n in range(1, len(events) + 1)]
    assert events[-1].data == "[DONE]"
    assert text_of(events)
    assert {event.json["object"] for event in events[:-1]} == {"chat.completion.chunk"}


@test
def the_same_prompt_gives_the_same_text_streamed_or_not(pop):
    client = pop.client()
    whole = client.chat("same text", tokens=9).json["choices"][0]["message"]["content"]
    streamed = text_of(client.chat("same text", tokens=9, stream=True).events)
    # The simulated provider's text is a function of the request; only `stream` differs.
    assert len(whole.split()) == len(streamed.split()), (whole, streamed)


@test
def both_base_paths_serve_the_same(pop):
    client = pop.client()
    first, second = client.get("/v1/models"), client.get("/api/v1/models")
    assert first.status == second.status == 200
    assert first.body == second.body
    body = chat_body("hello")
    fields = [*client.fields("base-path"), ("Content-Type", "application/json")]
    answer = client.send(request("POST", "/api/v1/chat/completions", fields, body.encode()))
    assert answer.status == 200, answer


@test
def every_paid_answer_carries_its_metadata(pop):
    client = pop.client()
    answer = client.chat("hello", idempotency="metadata-1")
    assert answer.field("x-nodex-request-id") and answer.field("x-nodex-session-id")
    assert answer.field("x-nodex-node") == "test"
    assert answer.field("x-nodex-idempotency-key") == "metadata-1"
    assert answer.field("x-nodex-idempotent-replay") == "false"
    refused = client.chat("hello", model="no-such-model")
    assert refused.field("x-nodex-request-id") == refused.error["request_id"]
    assert refused.field("x-nodex-node") == "test"


@test
def request_ids_are_never_used_twice(pop):
    client = pop.client()
    answers = [client.chat("hello") for _ in range(5)] + [client.get("/v1/models") for _ in range(5)]
    ids = [answer.field("x-nodex-request-id") for answer in answers]
    assert len(set(ids)) == len(ids), ids


@test
def rate_limit_fields_tell_what_is_left(pop):
    client = pop.client(rpm=10, tpm=100_000)
    remaining = [int(client.chat("hello", tokens=1).field("x-ratelimit-remaining-requests")) for _ in range(3)]
    assert remaining[0] > remaining[1] > remaining[2], remaining
    answer = client.chat("hello")
    assert answer.field("x-ratelimit-limit-requests") == "10"
    assert answer.field("x-ratelimit-limit-tokens") == "100000"
    assert answer.field("x-ratelimit-reset-requests")[-1] == "s"


@test
def above_the_rate_limit_a_request_is_told_when_to_come_again(pop):
    client = pop.client(rpm=3)
    answers = [client.chat("hello", tokens=1) for _ in range(6)]
    limited = [answer for answer in answers if answer.status == 429]
    assert limited and answers[0].status == 200, answers
    assert limited[0].error["code"] == "rate_limited"
    assert int(limited[0].field("retry-after-ms")) > 0
    assert int(limited[0].field("retry-after")) >= 1
    assert limited[0].field("x-should-retry") == "true"


@test
def above_its_concurrency_a_key_is_limited_and_below_it_is_not(pop):
    client = pop.client(concurrency=1)
    with client.wire() as slow:
        slow.send(client.chat_request(chat_body("hello", stream=True, tokens=2, pace_ms=400)))
        slow.head()
        assert client.chat("hello").error["code"] == "rate_limited"
    # A finished request makes room again.
    pop.until_settled(client.account, 1)
    assert client.chat("hello").status == 200


@test
def models_lists_what_is_on_sale_in_the_shape_of_openai(pop):
    answer = pop.client().get("/v1/models")
    assert answer.status == 200
    listing = answer.json
    assert listing["object"] == "list"
    models = {model["id"]: model for model in listing["data"]}
    assert MODEL in models and OUTPUT_MODEL in models
    assert models[MODEL]["object"] == "model"
    assert models[MODEL]["owned_by"] == "nodex"
    assert 128_000 in models[MODEL].values(), models[MODEL]


@test
def models_has_the_shape_of_anthropic_when_its_version_is_sent(pop):
    answer = pop.client().get("/v1/models", [("anthropic-version", "2023-06-01")])
    listing = answer.json
    assert {"data", "has_more", "first_id", "last_id"} <= set(listing), listing
    assert listing["data"][0]["type"] == "model"


@test
def one_model_is_found_by_id_and_an_unknown_one_is_not(pop):
    client = pop.client()
    assert client.get(f"/v1/models/{MODEL}").json["id"] == MODEL
    missing = client.get("/v1/models/nothing")
    assert missing.status == 404
    assert missing.error["code"] == "model_not_found"


@test
def a_key_with_a_model_list_sees_and_uses_only_that(pop):
    client = pop.client(models=[OUTPUT_MODEL])
    assert [model["id"] for model in client.get("/v1/models").json["data"]] == [OUTPUT_MODEL]
    refused = client.chat("hello", model=MODEL)
    assert refused.status == 403
    assert refused.error["code"] == "model_forbidden"
    assert client.chat("hello", model=OUTPUT_MODEL).status == 200


@test
def an_alias_reaches_its_model(pop):
    client = pop.client()
    assert client.chat("hello", model="sim-alias", tokens=3).status == 200
    rows = pop.until_settled(client.account, 1)
    assert rows[0]["model"] == MODEL


@test
def unknown_fields_reach_the_provider_untouched(pop):
    client = pop.client()
    more = {"metadata": {"purpose": "test"}, "x_unknown": [1, {"deep": None}], "logit_bias": {"50256": -100}}
    answer = client.chat("hello", more=more, tokens=2)
    assert answer.status == 200, answer


@test
def tools_pass_through_in_both_directions(pop):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}}}}]
    client = pop.client()
    whole = client.chat("call tool", more={"tools": tools}).json["choices"][0]
    assert whole["finish_reason"] == "tool_calls"
    assert whole["message"]["tool_calls"][0]["function"]["name"] == "weather"
    events = client.chat("call tool", stream=True, more={"tools": tools}).events
    deltas = [choice["delta"] for event in events[:-1] for choice in event.json["choices"]]
    calls = [call for delta in deltas for call in delta.get("tool_calls") or []]
    assert calls[0]["function"]["name"] == "weather"
    json.loads("".join(call["function"].get("arguments", "") for call in calls))


@test
def usage_is_injected_for_us_and_hidden_from_a_client_that_did_not_ask(pop):
    client = pop.client()
    events = client.chat("hello", stream=True, tokens=4).events
    assert all("usage" not in event.json or event.json["usage"] is None for event in events[:-1])
    assert all(event.json["choices"] for event in events[:-1])
    charge = pop.until_settled(client.account, 1)[0]
    assert charge["units"]["output"] == 4, charge
    assert charge["usage_source"] == "provider", charge


@test
def usage_is_shown_to_a_client_that_asked(pop):
    events = pop.client().chat("hello", stream=True, tokens=4, more={"stream_options": {"include_usage": True}}).events
    usage = [event.json["usage"] for event in events[:-1] if event.json.get("usage")]
    assert len(usage) == 1
    assert usage[0]["completion_tokens"] == 4


@test
def balance_tells_the_accounts_and_the_keys_money(pop):
    client = pop.client(balance="5", budget="2")
    body = client.get("/v1/balance").json
    assert body["balance"] == "5" and body["currency"] == "USD" and body["total_spent"] == "0", body
    assert body["last_updated"]
    client.chat("hello", model=OUTPUT_MODEL, tokens=1000, more={"max_tokens": 1000})
    pop.until_settled(client.account, 1)
    body = client.get("/v1/balance").json
    assert body["balance"] == "4.99" and body["total_spent"] == "0.01", body
    assert body["key"]["budget"] == "2" and body["key"]["spent"] == "0.01", body


@test
def usage_lists_this_accounts_rows_page_by_page(pop):
    client = pop.client()
    for _ in range(5):
        client.chat("hello", tokens=2)
    pop.until_settled(client.account, 5)
    seen, cursor = [], ""
    while True:
        page = client.get(f"/v1/usage?limit=2{cursor}").json
        seen += [row["request_id"] for row in page["data"] if row["kind"] == "charge"]
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen)) == 5, seen
    assert pop.client().get("/v1/usage").json["data"] == []


@test
def status_names_the_node_and_its_providers_and_needs_no_key(pop):
    with pop.wire() as wire:
        wire.send(request("GET", "/v1/status"))
        answer = wire.answer()
    status = answer.json
    assert status["node"] == "test" and status["region"] == "local" and status["version"]
    assert status["central"] == "linked"
    assert [provider["name"] for provider in status["providers"]] == ["provider"]
    assert b"127.0.0.1" not in answer.body and b"secret" not in answer.body


@test
def health_and_probes_need_no_key(pop):
    with pop.wire() as wire:
        for method, path in (("GET", "/healthz"), ("GET", "/readyz"), ("HEAD", "/"), ("HEAD", "/api/hello")):
            wire.send(request(method, path))
            assert wire.answer(method).status == 200, path


@test
def head_of_a_listing_has_its_length_and_no_body(pop):
    client = pop.client()
    with client.wire() as wire:
        head = client.get("/v1/models", wire=wire, method="HEAD")
        whole = client.get("/v1/models", wire=wire)
    assert head.status == 200 and head.body == b""
    assert head.field("content-length") == whole.field("content-length")


@test
def a_browser_may_ask_first(pop):
    fields = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "POST"),
              ("Access-Control-Request-Headers", "authorization")]
    with pop.wire() as wire:
        wire.send(request("OPTIONS", "/v1/chat/completions", fields))
        answer = wire.answer()
    assert answer.status == 204, answer
    assert answer.field("access-control-allow-origin") == "*"
    assert "authorization" in answer.field("access-control-allow-headers").lower()


@test
def unknown_paths_and_wrong_methods_are_errors_in_the_envelope(pop):
    client = pop.client()
    assert client.get("/v1/nothing").error["code"] == "not_found"
    wrong = client.get("/v1/chat/completions")
    assert wrong.status == 405 and wrong.error["code"] == "method_not_allowed"
    assert "POST" in wrong.field("allow")


@test
def metrics_count_what_happened(pop):
    client = pop.client()
    before = pop.metrics()
    client.chat("hello", tokens=3)
    pop.until_settled(client.account, 1)
    after = pop.metrics()
    grown = {name for name in after if after[name] > before.get(name, 0)}
    assert any("request" in name for name in grown), sorted(grown)
    assert any("bucket" in name for name in after), sorted(after)[:50]


@test
def keys_may_be_sent_by_either_header_or_both_when_equal(pop):
    client = pop.client()
    key = client.key
    for fields in ([("Authorization", f"Bearer {key}")], [("x-api-key", key)],
                   [("authorization", f"bearer {key}"), ("X-Api-Key", key)]):
        with pop.wire() as wire:
            wire.send(request("GET", "/v1/models", fields))
            assert wire.answer().status == 200, fields


@test
def a_websocket_upgrade_on_responses_is_refused_at_once(pop):
    fields = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
              ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
    with pop.wire() as wire:
        wire.send(request("GET", "/v1/responses", fields))
        assert wire.answer().status == 426
