"""The ledger in PostgreSQL: several nodex-central on one database, a process or a primary that dies, freezes and wakes.

A process is caught in the middle of a write by stopping it again and again until the database says that it holds a transaction.
"""
import contextlib
import os
import signal

from test_central import PRICE, TOKENS, Traffic, level, pay

from support.cluster import Cluster
from support.pop import NANO, OUTPUT_MODEL, chat_body, unique
from support.postgres import DATABASE, Postgres
from support.runner import test
from support.waiting import until

PAUSE = 0.1  # between a customer's calls, so that what the leases hold outlasts a database that is away


@contextlib.contextmanager
def ledger_in_postgres(centres=1, standby=False):
    with Postgres(standby) as database, Cluster(centres=centres, central_config={"store": database.store}) as cluster:
        yield database, cluster


def two_clients(cluster):
    """The same customer at both POPs, where both hold money for hundreds of calls."""
    one, two = cluster.pops
    client = one.client(balance="100")
    clients = [client, cluster.at(two, client)]

    def rich():
        # A large reservation and not many calls: how many there are in a minute is the machine's affair.
        body = chat_body("pay", model=OUTPUT_MODEL, tokens=TOKENS, more={"max_tokens": 500 * TOKENS})
        assert {each.send(each.chat_request(body, unique())).status for each in clients} == {200}
        return all(pop.metrics()["nodex_lease_headroom_nano"] > 500 * PRICE for pop in cluster.pops)
    until(rich, 60, "both POPs hold leases for what is to come")
    return clients


def transactions(server, kind="idle in transaction"):
    """Writers' transactions that are open, each by the server's process for it and its beginning."""
    text = server.sql("SELECT pid || '@' || extract(epoch from xact_start) FROM pg_stat_activity"
                      f" WHERE application_name = 'nodex-central' AND state = '{kind}' AND backend_xid IS NOT NULL", DATABASE)
    return set(text.split())


def stop_in_a_write(central, server):
    """SIGSTOP to nodex-central at a moment when it holds the writers' lock: its transaction, as transactions() tells it."""
    def caught():
        os.kill(central.program.pid, signal.SIGSTOP)
        # The same one at each look: a COMMIT that was on its way is carried out after the first, and so ends what another centre wrote.
        held = transactions(server) & transactions(server) & transactions(server)
        if not held:
            os.kill(central.program.pid, signal.SIGCONT)
        return held
    return until(caught, 60, "a transaction is open while its process stands still")


@test
def a_call_is_charged_once_and_the_ledger_outlives_its_process(folder):
    with ledger_in_postgres() as (database, cluster):
        one, two = cluster.pops
        client = one.client(balance="10")
        other = cluster.at(two, client)
        assert pay(client, "the-same").status == pay(other, "the-same").status == 200
        assert pay(other).status == 200
        level(cluster, client, 2, 10 * NANO)
        assert '"store":"postgres"' in cluster.central.log()
        # One row a settlement and one for the top-up: the money is in the database and nowhere else.
        assert database.servers[0].sql("SELECT count(*) FROM nodex.ledger_row", DATABASE) == "3"
        assert not os.path.exists(os.path.join(cluster.central.config["node"]["data_dir"], "db"))
        assert cluster.central.program.terminate() == 0
        assert cluster.central.run("--migrate").wait(20) == 0, cluster.central.log()
        cluster.central.start()
        assert pay(client).status == 200
        level(cluster, client, 3, 10 * NANO)


@test
def a_database_of_another_version_is_migrated_only_when_asked(folder):
    with ledger_in_postgres() as (database, cluster):
        central, server = cluster.central, database.servers[0]
        assert central.program.terminate() == 0
        server.sql("DELETE FROM nodex.schema_version WHERE version > 1;"
                   "DROP TABLE nodex.ledger_claim, nodex.ledger_kek, nodex.ledger_reference, nodex.purge_mark", DATABASE)
        assert central.run().wait(20) == 3
        assert "run nodex-central --migrate once" in central.log(), central.log()
        assert central.run("--migrate").wait(20) == 0, central.log()
        central.start()
        server.sql("INSERT INTO nodex.schema_version (version, name) VALUES (1000, 'newer')", DATABASE)
        central.kill()
        assert central.run("--migrate").wait(20) == 3
        assert "install the newer program" in central.log(), central.log()


@test
def either_of_two_centres_dies_in_the_middle_of_a_write_and_no_client_notices(folder):
    with ledger_in_postgres(centres=2) as (database, cluster):
        clients = two_clients(cluster)
        traffic = Traffic([*clients, *clients])
        for central in [*cluster.centrals, *cluster.centrals]:
            stop_in_a_write(central, database.servers[0])
            central.kill()
            applied = int(database.servers[0].sql("SELECT count(*) FROM nodex.ledger_row", DATABASE))
            until(lambda: int(database.servers[0].sql("SELECT count(*) FROM nodex.ledger_row", DATABASE)) > applied + 20, 60,
                  "the other one settles")
            central.start()
        answers = traffic.end()
        assert set(answers) == {200}, answers
        level(cluster, clients[0], None, 100 * NANO)


@test
def a_centre_that_freezes_in_the_middle_of_a_write_and_wakes_changes_nothing(folder):
    with ledger_in_postgres(centres=2) as (database, cluster):
        frozen, server = cluster.centrals[0], database.servers[0]
        clients = two_clients(cluster)
        traffic = Traffic(clients, PAUSE)
        held = stop_in_a_write(frozen, server)
        until(lambda: not held & transactions(server), 30, "the database has ended the transaction of the process that stands still")
        rows = int(server.sql("SELECT count(*) FROM nodex.ledger_row", DATABASE))
        until(lambda: int(server.sql("SELECT count(*) FROM nodex.ledger_row", DATABASE)) > rows + 20, 60, "the other centre settles")
        os.kill(frozen.program.pid, signal.SIGCONT)
        until(lambda: frozen.log().count("database_connected") == 2, 60, "it finds its connection gone and makes another")
        traffic.wait_for(20)
        answers = traffic.end()
        assert set(answers) == {200}, answers
        level(cluster, clients[0], None, 100 * NANO)


@test
def a_primary_that_freezes_and_wakes_changes_nothing(folder):
    with ledger_in_postgres(centres=2) as (database, cluster):
        server = database.servers[0]
        clients = two_clients(cluster)
        traffic = Traffic(clients, PAUSE)
        traffic.wait_for(20)
        server.freeze()
        traffic.wait_for(60)  # from the leases
        until(lambda: any("database_unreachable" in central.log() for central in cluster.centrals), 60, "a centre gives it up")
        server.thaw()
        traffic.wait_for(20)
        answers = traffic.end()
        assert set(answers) == {200}, answers
        level(cluster, clients[0], None, 100 * NANO)


@test
def a_standby_is_promoted_and_the_old_primary_wakes_as_a_second_one(folder):
    with ledger_in_postgres(centres=2, standby=True) as (database, cluster):
        primary, standby = database.servers
        clients = two_clients(cluster)
        traffic = Traffic(clients, PAUSE)
        traffic.wait_for(20)
        primary.freeze()
        traffic.wait_for(20)
        standby.promote()
        rows = int(standby.sql("SELECT count(*) FROM nodex.ledger_row", DATABASE))
        until(lambda: int(standby.sql("SELECT count(*) FROM nodex.ledger_row", DATABASE)) > rows + 20, 90,
              "settlements go to the new primary")
        primary.thaw()  # it believes that it still is one, and every commit there waits for a standby that has left it
        traffic.wait_for(40)
        answers = traffic.end()
        assert set(answers) == {200}, answers
        level(cluster, clients[0], None, 100 * NANO)
        # What the ledger answered is in one place: the old primary has a prefix of it, or a commit that nobody was told of.
        primary.kill()
        assert pay(clients[0]).status == 200
        level(cluster, clients[0], None, 100 * NANO)
