"""Who may do what: keys, their states and their refusals."""
import os
import stat

from support.pop import chat_body
from support.runner import test
from support.waiting import until
from support.wire import request


def ask(pop, fields, path="/v1/models", method="GET", body=b""):
    with pop.wire() as wire:
        wire.send(request(method, path, fields, body))
        return wire.answer(method)


def bearer(key):
    return [("Authorization", f"Bearer {key}")]


@test
def without_a_key_nothing_is_told(pop):
    for path in ("/v1/models", "/v1/balance", "/v1/usage"):
        answer = ask(pop, [], path)
        assert answer.status == 401 and answer.error["code"] == "unauthenticated", answer
        assert answer.field("www-authenticate") == "Bearer"


@test
def an_unknown_or_malformed_key_is_refused(pop):
    key = pop.client().key
    swapped = key[:-1] + ("a" if key[-1] != "a" else "b")
    for wrong in (swapped, key[:-1], key + "x", key.upper(), "nxk_", "sk-1234", "x" * 4000):
        answer = ask(pop, bearer(wrong))
        assert answer.status == 401 and answer.error["code"] == "invalid_api_key", (wrong, answer)
        assert wrong.encode() not in answer.body, "a key is echoed"


@test
def two_different_credentials_are_refused(pop):
    one, two = pop.client().key, pop.client().key
    for fields in ([*bearer(one), ("x-api-key", two)], bearer(one) + bearer(two),
                   [("x-api-key", one), ("x-api-key", two)]):
        answer = ask(pop, fields)
        assert answer.status in (400, 401), answer
        assert answer.error


@test
def authentication_comes_before_the_body_is_judged(pop):
    answer = ask(pop, [("Content-Type", "application/json")], "/v1/chat/completions", "POST", b"{broken")
    assert answer.status == 401, answer


@test
def a_suspended_key_is_refused_until_it_is_resumed(pop):
    client = pop.client()
    pop.admin("key.suspend", key_id=client.key_id)
    refused = until(lambda: _refusal(client), 5, "the suspension is known")
    assert refused.status == 403 and refused.error["code"] == "key_suspended", refused
    pop.admin("key.resume", key_id=client.key_id)
    until(lambda: client.get("/v1/models").status == 200, 5, "the key works again")


def _refusal(client):
    answer = client.get("/v1/models")
    return answer if answer.status != 200 else None


@test
def a_revoked_key_is_refused_for_good(pop):
    client = pop.client()
    pop.admin("key.revoke", key_id=client.key_id)
    refused = until(lambda: _refusal(client), 5, "the revocation is known")
    assert refused.status == 403 and refused.error["code"] == "key_revoked", refused


@test
def an_expired_key_is_refused(pop):
    client = pop.client()
    pop.admin("key.update", key_id=client.key_id, expires_at=1_000_000_000)
    refused = until(lambda: _refusal(client), 5, "the expiry is known")
    assert refused.status == 403 and refused.error["code"] == "key_expired", refused


@test
def a_blocked_account_is_refused_and_charged_nothing(pop):
    client = pop.client()
    pop.admin("account.block", account=client.account)
    refused = until(lambda: _refused_chat(client), 5, "the block is known")
    assert refused.status == 403 and refused.error["code"] == "account_blocked", refused
    charged = len(pop.charges(client.account))
    pop.admin("account.unblock", account=client.account)
    until(lambda: client.chat("hello").status == 200, 5, "the account works again")
    assert len(pop.until_settled(client.account, charged + 1)) == charged + 1


def _refused_chat(client):
    answer = client.chat("hello", tokens=1)
    return answer if answer.status != 200 else None


@test
def an_account_sees_no_other_accounts_money_or_usage(pop):
    rich, poor = pop.client(balance="7"), pop.client(balance="1")
    rich.chat("hello", tokens=2)
    pop.until_settled(rich.account, 1)
    assert poor.get("/v1/balance").json["balance"] == "1"
    assert poor.get("/v1/usage").json["data"] == []
    # Naming another key of another account finds nothing either.
    answer = poor.get(f"/v1/usage?key_id={rich.key_id}")
    assert answer.status in (200, 400, 404)
    assert answer.status != 200 or answer.json["data"] == []


@test
def keys_of_one_account_share_idempotency_and_money_but_not_their_spend(pop):
    client = pop.client()
    other, _ = pop.key(client.account)
    body = chat_body("shared", tokens=3)
    first = client.send(client.chat_request(body, "shared-1"))
    again = type(client)(pop, other)
    second = again.send(again.chat_request(body, "shared-1"))
    assert second.status == 200 and second.body == first.body
    assert second.field("x-nodex-idempotent-replay") == "true"
    pop.until_settled(client.account, 1)
    spent = again.get("/v1/balance").json["key"]["spent"]
    assert spent == "0", spent


@test
def the_admin_socket_is_for_its_owner_only(pop):
    assert stat.S_IMODE(os.stat(pop.admin.path).st_mode) == 0o600
    for plain in (False, True):
        with pop.wire(plain=plain) as wire:
            wire.send(request("POST", "/admin", [("Content-Type", "application/json")], b"{}"))
            assert wire.answer().status in (401, 404)
