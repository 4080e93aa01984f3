"""Sessions and references to bodies at the centre; a POP that begins a new history on its old disk."""
import glob
import json
import os

from support.pop import AdminRefusal, Pop, chat_body, unique
from support.runner import test
from support.waiting import until

CANARY = "canary-of-the-prompt-7731"


def settled(pop, answer):
    """The ledger's reference of a request, once its settlement is applied."""
    def shown():
        try:
            return pop.admin("request.show", request_id=answer.field("x-nodex-request-id"))
        except AdminRefusal:
            return None
    return until(shown, 10, "the settlement is applied")


@test
def a_session_shows_its_requests_and_where_their_bodies_are_but_not_what_is_in_them():
    with Pop() as pop:
        client = pop.client()
        fields = [("X-Nodex-Session-Id", "my-conversation")]
        stream = client.chat(CANARY, stream=True, tokens=3, fields=fields)
        whole = client.chat(CANARY, tokens=3, fields=fields)
        for answer in (stream, whole):
            settled(pop, answer)
        sessions = pop.admin("session.list", account=client.account)["sessions"]
        assert len(sessions) == 1 and sessions[0]["requests"] == 2, sessions
        shown = pop.admin("session.show", account=client.account, session=sessions[0]["session"])["requests"]
        by_id = {request["request_id"]: request for request in shown}
        for answer in (stream, whole):
            request = by_id[answer.field("x-nodex-request-id")]
            assert request["account"] == client.account and request["amount_nano"] > 0, request
            for kind in ("request", "answer"):
                body = request[kind]
                assert len(body["body"]) == 32 and len(body["sha256"]) == 64 and body["sealed_bytes"] > 0, body
                assert body["key_version"] >= 65_536, body
            assert pop.admin("request.show", request_id=request["request_id"])["answer"] == request["answer"]
        assert CANARY not in json.dumps(shown)
        pop.verify_ledger()


@test
def what_clients_send_is_not_kept_when_it_is_switched_off():
    with Pop(config={"storage": {"request_bodies": False}}) as pop:
        client = pop.client()
        answer = client.chat("hello", tokens=2)
        pop.until_quiet()
        shown = settled(pop, answer)
        assert shown["request"] is None and shown["answer"]["sealed_bytes"] > 0, shown


@test
def a_reinstalled_pop_keeps_its_answers_and_begins_a_new_incarnation():
    with Pop() as pop:
        client = pop.client()
        key, body = unique(), chat_body("hello", tokens=3)
        first = client.send(client.chat_request(body, key))
        settled(pop, first)
        balance = pop.admin("balance.show", account=client.account)["balance"]
        pop.kill()
        assert pop.program("--reinstall").wait(30) == 0, pop.edge_log()[-3000:]
        files = glob.glob(os.path.join(pop.data_dir, "outbox-*.jsonl"))
        assert len(files) == 1, files
        with open(files[0], encoding="ascii") as file:
            lines = [json.loads(line) for line in file]
        assert [line["request_id"] for line in lines] == [first.field("x-nodex-request-id")], lines
        pop.restart()
        again = client.send(client.chat_request(body, key))
        assert again.body == first.body and again.field("x-nodex-idempotent-replay") == "true"
        assert pop.admin("balance.show", account=client.account)["balance"] == balance
        fresh = client.chat("hello again", tokens=3)
        assert fresh.status == 200, fresh
        assert settled(pop, fresh)["incarnation"] == 2
        pop.verify_ledger()
