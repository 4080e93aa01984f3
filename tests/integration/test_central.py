"""A centre and two POPs over real nats-servers: one ledger, spending without a round trip, and no loss when a part dies."""
import threading

from support.cluster import Cluster
from support.pop import NANO, OUTPUT_MODEL, AdminRefusal, chat_body, unique
from support.runner import test
from support.waiting import until, until_logged

TOKENS = 10
PRICE = 10 * NANO // 1_000_000 * TOKENS  # of one call, in nano-units


def pay(client, idempotency=None):
    """A call that costs PRICE exactly: as much is reserved as is spent."""
    body = chat_body("pay", model=OUTPUT_MODEL, tokens=TOKENS, more={"max_tokens": TOKENS})
    return client.send(client.chat_request(body, idempotency or unique()))


class Traffic:
    """Customers who call without a pause (or with one of `pause` seconds, where leases must last), each at a POP, until told to stop;
    remembers what was answered."""

    def __init__(self, clients, pause=0):
        self.stopping, self.pause = threading.Event(), pause
        self.answers = []
        self.threads = [threading.Thread(target=self._run, args=(client,), daemon=True) for client in clients]
        for thread in self.threads:
            thread.start()

    def _run(self, client):
        while not self.stopping.wait(self.pause):
            self.answers.append(pay(client).status)

    def wait_for(self, more, seconds=60):
        before = len(self.answers)
        until(lambda: len(self.answers) >= before + more, seconds, f"{more} more answers")

    def end(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
        return self.answers


def assert_within_leases(answers):
    """Calls are answered, or refused because the POP's own money is used up: nothing else, and not from the first moment."""
    assert set(answers) <= {200, 503} and 503 not in answers[:21], answers


def level(cluster, client, calls, balance):
    """Every outbox is drained, every call charged once (as many as `calls`, where known), and the rows add up to the balance
    to the nano-unit."""
    for pop in cluster.pops:
        pop.until_quiet(90)
    first = cluster.pops[0]

    # Metrics are a tick old: an outbox that shows empty may have got a settlement since.
    def added_up():
        found = first.charges(client.account)
        return found if calls in (None, len(found)) and first.balance_nano(client.account) == balance - len(found) * PRICE else None
    rows = until(added_up, 20, f"{calls or 'all'} calls are charged and add up to the balance")
    assert all(row["amount_nano"] == PRICE for row in rows)
    assert len({row["request_id"] for row in rows}) == len(rows)
    first.verify_ledger()


@test
def a_customer_made_through_one_pop_is_served_by_both_and_charged_at_the_centre(folder):
    with Cluster() as cluster:
        one, two = cluster.pops
        client = one.client(balance="10")
        assert pay(client).status == 200
        other = cluster.at(two, client)
        assert pay(other).status == 200
        level(cluster, client, 2, 10 * NANO)
        assert two.balance_nano(client.account) == 10 * NANO - 2 * PRICE
        # An operator's change at the other POP counts at this one.
        two.admin("key.revoke", key_id=client.key_id)
        until(lambda: pay(client).status == 403, 10, "the key is refused where it was made")


@test
def a_centre_that_is_killed_stops_nobody_who_has_a_lease(folder):
    with Cluster() as cluster:
        one, two = cluster.pops
        client = one.client(balance="10")
        other = cluster.at(two, client)
        traffic = Traffic([client, client, other, other])
        traffic.wait_for(20)
        cluster.central.kill()
        traffic.wait_for(40)  # within the leases, then refused
        cluster.central.start()
        traffic.wait_for(20)
        answers = traffic.end()
        until(lambda: pay(client).status == 200 and pay(other).status == 200, 20, "money is granted again")
        assert_within_leases(answers)
        level(cluster, client, None, 10 * NANO)


@test
def a_nats_server_that_is_killed_stops_nobody_who_has_a_lease(folder):
    with Cluster() as cluster:
        one, two = cluster.pops
        client = one.client(balance="10")
        other = cluster.at(two, client)
        traffic = Traffic([client, client, other, other])
        traffic.wait_for(20)
        for name in ("pop-1", "hub-a", "centre"):
            cluster.servers[name].kill()
            traffic.wait_for(20)
            cluster.servers[name].start()
            traffic.wait_for(20)
        answers = traffic.end()
        until(lambda: pay(client).status == 200 and pay(other).status == 200, 20, "money is granted again")
        assert_within_leases(answers)
        level(cluster, client, None, 10 * NANO)


@test
def a_pop_with_a_wrong_or_unknown_link_key_is_not_heard_until_a_reload_knows_it(folder):
    with Cluster(pops=1) as cluster:
        pop, central = cluster.pops[0], cluster.central
        right = list(central.config["pop"])
        central.config["pop"] = [{"id": 7, "link_key": right[0]["link_key"]}]
        central.write_config()
        central.reload()
        try:
            pop.admin("account.list")
            raise AssertionError("an unknown POP was answered")
        except AdminRefusal as refusal:
            assert refusal.status == 503, refusal
        until_logged(central.log, '"error":"not_found"', "central_refused_message")
        central.config["pop"] = right
        central.write_config()
        central.reload()
        until(lambda: pop.admin.status()["central"] == "linked", 20, "the POP is heard again")
        pop.admin("account.list")


@test
def a_pop_that_may_not_administer_spends_but_makes_no_money(folder):
    with Cluster() as cluster:
        one, two = cluster.pops
        client = one.client(balance="10")
        cluster.central.config["pop"][1]["admin"] = False
        cluster.central.write_config()
        cluster.central.reload()
        try:
            two.admin("balance.topup", account=client.account, amount="1000", reference="stolen")
            raise AssertionError("a POP that may not topped up")
        except AdminRefusal as refusal:
            assert refusal.status == 403, refusal
        assert one.balance_nano(client.account) == 10 * NANO
        assert pay(cluster.at(two, client)).status == 200
        level(cluster, client, 1, 10 * NANO)


@test
def a_pop_waits_for_its_centre_and_says_so(folder):
    with Cluster(pops=1) as cluster:
        pop = cluster.pops[0]
        assert pay(pop.client()).status == 200  # it has heard of something, and kept it
        pop.kill()
        cluster.central.kill()
        pop.launch()
        until(lambda: "serving_from_the_stored_feed" in pop.edge_log(), 30, "the log says what it serves from")
        until(pop.ready, 30, "it serves what needs no centre")
        cluster.central.start()
        until(lambda: pay(pop.client()).status == 200, 30, "the centre grants money")


@test
def a_pop_that_waits_for_its_centre_ends_when_it_is_told(folder):
    with Cluster(pops=1) as cluster:
        pop = cluster.pops[0]
        pop.kill()
        cluster.central.kill()
        pop.launch()
        until(lambda: "recovery_done" in pop.edge_log().rsplit('"event":"serving"', 1)[-1], 30, "it has begun to start")
        assert pop.edge.terminate() == 0


@test
def a_centre_ends_in_order_and_its_ledger_is_whole_afterwards(folder):
    with Cluster(pops=1) as cluster:
        pop = cluster.pops[0]
        client = pop.client(balance="10")
        assert pay(client).status == 200
        pop.until_quiet()
        assert cluster.central.program.terminate() == 0
        assert '"stopped"' in cluster.central.log()
        cluster.central.start()
        until(lambda: pop.admin.status()["central"] == "linked", 20, "the POP is heard again")
        level(cluster, client, 1, 10 * NANO)


@test
def any_pop_shows_how_all_of_them_are_also_one_that_died_with_settlements_of_its_own(folder):
    with Cluster() as cluster:
        one, two = cluster.pops
        client = one.client(balance="10")
        calls = 0

        def headroom():
            nonlocal calls
            answered = pay(client).status == 200
            calls += answered
            return answered and one.metrics()["nodex_lease_headroom_nano"] >= PRICE
        until(headroom, 60, "money is at hand for a call without the centre")
        level(cluster, client, calls, 10 * NANO)

        def listed(wanted):
            shown = {pop["pop"]: pop for pop in two.admin("pop.list")["pops"]}
            return shown if len(shown) == 2 and all("lag_ms" in pop for pop in shown.values()) and wanted(shown) else None
        shown = until(lambda: listed(lambda pops: pops[1]["settled_nano"] == calls * PRICE and pops[1]["headroom_nano"] >= PRICE),
                      20, "POP 1 has told what it spent and may spend")
        assert shown[1]["outbox_depth"] == 0 and shown[1]["lag_ms"] == 0 and shown[1]["applied"] == calls, shown
        assert shown[1]["epoch"] == shown[2]["epoch"], shown
        cluster.central.kill()
        assert pay(client).status == 200
        until(lambda: one.metrics()["nodex_replication_lag_seconds"] > 2, 30, "the settlement grows old")
        assert one.metrics()["nodex_outbox_depth"] == 1
        one.kill()
        cluster.central.start()
        until(lambda: listed(lambda pops: pops[1]["heard_s"] >= 3 and pops[2]["heard_s"] <= 2), 30, "POP 1 is silent")
        one.restart()
        level(cluster, client, calls + 1, 10 * NANO)
