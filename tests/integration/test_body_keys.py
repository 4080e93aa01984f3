"""A customer's body key comes after the customer, or goes: who is told to come again, and who that it is gone. Everything real; the
key is held up by the POP's own nats-server, which does not let the POP ask for it."""
import json
import signal

from test_bodies import fetched

from support.cluster import Cluster
from support.pop import chat_body, unique
from support.runner import test
from support.waiting import until

CONFIG = {"node": {"admin_reads_bodies": True}}


def let_ask_for_keys(cluster, pop, may):
    """Whether that POP may ask the centre for body keys, from now on."""
    path, server = cluster.net.path(f"pop-{pop}", "nats.conf"), cluster.servers[f"pop-{pop}"]
    with open(path, encoding="utf-8") as file:
        text = file.read()
    denied = ', permissions: { publish: { deny: "nx.v1.rpc.kek" } } } ] }'
    head, user, rest = text.partition("{ user: edge")
    line, end, rest = rest.partition("\n")
    line = line.replace(denied, " } ] }") if may else line.replace(" } ] }", denied)
    with open(path, "w", encoding="utf-8") as file:
        file.write(head + user + line + end + rest)
    before = server.log().count("Reloaded server configuration")
    server.program.signal(signal.SIGHUP)
    until(lambda: server.log().count("Reloaded server configuration") > before, 10, f"the nats-server has read it\n{server.log()[-2000:]}")


def refusal(answer):
    return answer.status, answer.error["code"] if answer.status != 200 else None


def body_refusal(pop, request):
    """Status and code of an operator's read of an answer."""
    status, _, octets = fetched(pop, request)
    return status, json.loads(octets)["error"]["code"] if status != 200 else None


@test
def a_customer_whose_key_comes_after_him_is_told_to_come_again_and_not_that_he_is_blocked():
    with Cluster(config=CONFIG) as cluster:
        one, two = cluster.pops
        until(lambda: two.metrics()["nodex_peers"] == 1 and one.metrics()["nodex_peers"] == 1, 60, "the POPs know each other")
        let_ask_for_keys(cluster, 2, False)
        here, there = cluster.clients()  # known at both; at POP 2 without the body key
        refused = there.chat()
        assert refusal(refused) == (503, "account_unavailable"), refused
        assert refused.field("retry-after") == "1" and refused.field("x-should-retry") == "true", refused
        key, body = unique(), chat_body("of the first POP", stream=True, tokens=8)
        answer = here.send(here.chat_request(body, key))
        assert answer.status == 200, answer
        request = answer.field("x-nodex-request-id")
        resume = there.chat_request(body, key, [("Last-Event-ID", "evt_00003")])
        repeat = there.chat_request(body, key)
        for octets in (resume, repeat):
            assert refusal(there.send(octets)) == (503, "account_unavailable"), octets
        until(lambda: body_refusal(one, request)[0] == 200, 30, "the centre knows the answer")
        assert body_refusal(two, request) == (503, "body_key_away")
        assert two.provider.calls() == 0, "nothing ran that was refused"
        # Killed between the account and its key, it starts with what it stored and finds the rest.
        two.kill()
        let_ask_for_keys(cluster, 2, True)
        two.restart()
        until(lambda: there.chat().status == 200, 30, "the key is here")
        assert there.send(repeat).body == answer.body
        assert answer.body.endswith(there.send(resume).body)
        assert body_refusal(two, request)[0] == 200
        one.admin("account.block", account=here.account)
        until(lambda: refusal(there.chat()) == (403, "account_blocked"), 20, "blocked is blocked")


@test
def a_shredded_answer_is_gone_in_every_later_life_also_before_the_next_key_comes():
    with Cluster(config=CONFIG) as cluster:
        one, two = cluster.pops
        here, there = cluster.clients()
        until(lambda: there.chat().status == 200, 30, "the key is here")
        body, key = chat_body("to be destroyed", stream=True, tokens=8), unique()
        octets = there.chat_request(body, key)
        answer = there.send(octets)
        assert answer.status == 200, answer
        request = answer.field("x-nodex-request-id")
        until(lambda: body_refusal(two, request)[0] == 200, 30, "the centre knows the answer")
        let_ask_for_keys(cluster, 2, False)
        one.admin("account.shred", account=here.account)
        until(lambda: refusal(there.send(octets)) == (410, "stream_expired"), 20, "the order is carried out")
        # The account is not blocked: its next key is on its way.
        assert refusal(there.chat()) == (503, "account_unavailable")
        assert body_refusal(two, request) == (410, "body_shredded")
        # Killed, and started without the centre: with what it stored.
        two.kill()
        cluster.servers["hub-a"].kill()
        two.restart()
        assert refusal(there.send(octets)) == (410, "stream_expired")
        let_ask_for_keys(cluster, 2, True)
        cluster.servers["hub-a"].start()
        until(lambda: there.chat().status == 200, 60, "the next key is here")
        assert refusal(there.send(octets)) == (410, "stream_expired")
        assert body_refusal(two, request) == (410, "body_shredded")
