"""What customers sent and were sent, for the operator who may see it: read at any POP, destroyed at every one."""
import json
import os
import pathlib
import re
import subprocess

from support import built, programs
from support.cluster import Cluster
from support.pop import AdminRefusal, Pop, UnixConnection, chat_body, unique
from support.runner import test
from support.waiting import until

CANARY = "canary-of-the-prompt-4410"
READERS = {"node": {"admin_reads_bodies": True}}
OK, REFUSED, FAILED = 0, 2, 4


def nodex(pop, *arguments):
    """The command line's exit status, standard output and standard error."""
    run = subprocess.run([programs.find(built.DIRECTORY, "nodex"), *arguments], capture_output=True, text=True, timeout=90,
                         check=False, env={**os.environ, "NODEX_ADMIN": f"unix:{pop.admin.path}"}, stdin=subprocess.DEVNULL)
    return run.returncode, run.stdout, run.stderr


def fetched(pop, request, kind="answer"):
    """Status, fields and octets of GET /admin/bodies/..."""
    connection = UnixConnection(pop.admin.path)
    try:
        connection.request("GET", f"/admin/bodies/{request}/{kind}")
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def code(pop, request, kind="answer"):
    status, _, octets = fetched(pop, request, kind)
    return status, json.loads(octets)["error"]["code"]


def said(pop, stream=True):
    """A settled request at that POP: its id, its answer's octets, the idempotency key and body it was asked with."""
    client = pop.client()
    key, body = unique(), chat_body(CANARY, stream=stream, tokens=5)
    answer = client.send(client.chat_request(body, key))
    assert answer.status == 200, answer
    request = answer.field("x-nodex-request-id")

    def known():
        try:
            return pop.admin("request.show", request_id=request)["answer"] is not None
        except AdminRefusal:
            return False
    until(known, 30, "the ledger knows the request")
    return client, request, answer.body, (key, body)


def state(pop, request):
    result = pop.admin("body.status", request_id=request)
    return result["state"], result["waiting_for"]


@test
def an_operator_who_may_reads_both_bodies_at_the_pop_itself(folder):
    with Pop(config=READERS) as pop:
        _, request, answer, _ = said(pop)
        status, fields, octets = fetched(pop, request)
        assert status == 200 and octets == answer and fields["x-nodex-pop"] == "1", (status, octets)
        assert fields["x-nodex-complete"] == "true" and fields["content-type"] == "application/octet-stream"
        status, _, octets = fetched(pop, request, "request")
        assert status == 200 and CANARY.encode() in octets
        ended, out, err = nodex(pop, "admin", "body", "get", request, "--kind", "request")
        assert ended == OK and CANARY in out, (ended, out, err)
        assert code(pop, "00" * 16) == (404, "not_found")
        assert fetched(pop, "short")[0] == 404
        until(lambda: pop.edge_log().count('"body_read"') == 4, 20, "every look is in the log")
        reads = [json.loads(line) for line in pop.edge_log().splitlines() if '"body_read"' in line]
        assert [read["outcome"] for read in reads] == ["read", "read", "read", "not_found"], reads
        assert reads[0]["request"] == request and CANARY not in pop.edge_log()


@test
def without_the_permission_nothing_is_read(folder):
    with Pop() as pop:
        _, request, _, _ = said(pop)
        assert code(pop, request) == (403, "forbidden")
        ended, out, err = nodex(pop, "admin", "body", "get", request)
        assert ended == REFUSED and not out and "admin_reads_bodies" in err, (ended, out, err)


@test
def a_deleted_body_is_gone_for_operators_and_clients_and_its_key_leaves_the_disk(folder):
    with Pop(config=READERS) as pop:
        client, request, _, (key, body) = said(pop)
        charged = pop.balance_nano(client.account)
        assert nodex(pop, "admin", "body", "delete", request)[0] == 1  # without --yes
        ended, out, err = nodex(pop, "--json", "admin", "body", "delete", request, "--yes")
        assert ended == OK and json.loads(out)["state"] == "destroyed", (ended, out, err)
        assert code(pop, request) == (410, "body_deleted")
        assert client.send(client.chat_request(body, key)).status == 410
        assert pop.balance_nano(client.account) == charged
        assert pop.admin("request.show", request_id=request)["deleted"] is True
        assert nodex(pop, "admin", "body", "delete", request, "--yes")[0] == OK  # said again
        assert nodex(pop, "admin", "body", "delete", "00" * 16, "--yes")[0] == REFUSED
        # The purge is a minute away at most, and at once after a restart.
        pop.kill()
        pop.restart()
        until(lambda: '"destroyed_keys_purged"' in pop.edge_log(), 90, "the files are rewritten")
        pop.verify_ledger()


@test
def a_body_is_read_through_another_pop_and_deleted_at_the_owner_and_its_buddy(folder):
    with Cluster(config=READERS) as cluster:
        one, two = cluster.pops
        until(lambda: two.metrics()["nodex_peers"] == 1 and one.metrics()["nodex_peers"] == 1, 60, "the POPs know each other")
        _, request, answer, _ = said(one)
        status, fields, octets = fetched(two, request)
        assert status == 200 and octets == answer and fields["x-nodex-pop"] == "1", (status, octets)
        assert CANARY.encode() in fetched(two, request, "request")[2]
        until(lambda: one.metrics()["nodex_copies_finished_total"] >= 1, 30, "the answer is at the buddy")
        one.kill()
        status, fields, octets = fetched(two, request)  # the answer's copy; what the client sent has none
        assert status == 200 and octets == answer and fields["x-nodex-pop"] == "2", (status, octets)
        assert code(two, request, "request") == (503, "owner_away")
        # Ordered while the owner is away: not done, and said so.
        ended, out, err = nodex(two, "admin", "body", "delete", request, "--yes", "--wait", "3")
        assert ended == FAILED and "not yet destroyed at POP 1" in err, (ended, out, err)
        assert code(two, request) == (410, "body_deleted")
        assert state(two, request)[0] == "ordered" and 1 in state(two, request)[1]
        one.restart()
        until(lambda: state(two, request) == ("destroyed", []), 30, "every POP has destroyed its keys")
        assert sum(pop.metrics()["nodex_bodies_destroyed_total"] for pop in (one, two)) >= 2


@test
def a_kill_in_the_middle_of_a_deletion_is_followed_by_its_end(folder):
    with Cluster(config=READERS) as cluster:
        one, two = cluster.pops
        for victim in ("owner", "centre", "buddy"):
            client, request, _, (key, body) = said(one)
            assert two.admin("body.delete", request_id=request)["state"] == "ordered"
            if victim == "centre":
                cluster.central.kill()
                cluster.central.start()
            else:
                pop = one if victim == "owner" else two
                pop.kill()
                pop.restart()

            def done(request=request):
                try:
                    return state(two, request)[0] == "destroyed"
                except AdminRefusal:  # the centre is not linked yet
                    return False
            until(done, 60, f"the deletion is finished after the {victim}'s end")
            # Told as done means done: the owner cannot replay it.
            assert client.send(client.chat_request(body, key)).status == 410, victim


@test
def a_pop_that_is_not_trusted_reads_a_body_on_the_word_of_an_operator_only(folder):
    with Cluster(config=READERS) as cluster:
        one, two = cluster.pops
        _, request, answer, _ = said(one)
        until(lambda: fetched(two, request)[0] == 200, 60, "the POPs know each other")
        cluster.central.config["pop"][1]["admin"] = False
        cluster.central.write_config()
        cluster.central.reload()
        assert code(two, request) == (403, "operator_key_missing")
        ended, out, err = nodex(two, "admin", "body", "get", request)
        assert ended == REFUSED and not out and "--operator" in err, (ended, out, err)
        assert fetched(one, request)[2] == answer
        # On an operator's word this POP is told as well, and with a key that nobody knows it is not.
        known, unknown = cluster.net.path("operators", "operator.key"), os.path.join(folder, "unknown.key")
        cluster.central.config["operator"] = [{"name": "operator", "key": known}]
        cluster.central.write_config()
        cluster.central.reload()
        ended, out, err = nodex(two, "--operator", known, "admin", "body", "get", request)
        assert ended == 0 and out.encode() == answer, (ended, out, err)
        assert nodex(two, "admin", "operator", "new", "unknown", unknown)[0] == 0
        ended, out, err = nodex(two, "--operator", unknown, "admin", "body", "get", request)
        assert ended == REFUSED and not out, (ended, out, err)


def wrapped_keys(central, account):
    """The account's body keys, as the ledger's write-ahead log has them: row 'k' and the account's number, and a value that ends with
    the newest key, wrapped (72 octets)."""
    found = set()
    for path in pathlib.Path(central.folder, "data", "db").glob("*.log"):
        octets = path.read_bytes()
        for row in re.finditer(re.escape(b"\x09k" + account.to_bytes(8, "big")), octets):
            size = octets[row.end()]  # of the value: below 128
            value = octets[row.end() + 1:row.end() + 1 + size]
            if 72 < size < 128 and len(value) == size:
                found.add(value[-72:])
    return found


@test
def keys_of_a_shredded_account_leave_the_disk_of_the_centre(folder):
    with Cluster(pops=1) as cluster:
        one, central = cluster.pops[0], cluster.central

        def files_with(key):
            return [path for path in pathlib.Path(central.folder, "data").rglob("*") if path.is_file() and key in path.read_bytes()]
        # Far from the numbers of API keys, whose rows look alike.
        accounts = [one.account(None) for _ in range(8)]
        leaves = accounts[-1]
        until(lambda: wrapped_keys(central, leaves), 30, "the POP has asked for a body key")
        (key,) = wrapped_keys(central, leaves)
        assert one.admin("account.shred", account=leaves)["shreds"] == 1
        assert files_with(key)  # else this test would show nothing
        # The purge is a minute away at most, and at once after a restart: a kill forgets no destruction.
        central.kill()
        central.start()
        until(lambda: '"destroyed_keys_purged"' in central.log(), 90, "the files are rewritten")
        assert not files_with(key)
