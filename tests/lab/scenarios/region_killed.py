"""The centre's whole region dies at once: hubs, leaves, centres and, on PostgreSQL, both database servers."""
from lab.scenario import scenario


@scenario("Everything in the centre's region is killed at once, stays away for 5 s and is started again",
          row="hub power loss, centre power loss (as kill -9 shows them)",
          promise="the hubs hold nothing that counts and the ledger starts from what it has committed; POPs go on from their leases, find "
                  "the new hubs by themselves and ship what was not applied; no client sees an error")
def run(lab):
    databases = lab.world.database.servers if lab.world.database else []
    lab.traffic(clients=6)
    lab.run_for(6)
    began = lab.now()
    with lab.fault("the centre's region is dark"):
        for service in in_the_region(lab, databases):
            service.kill()
        lab.run_for(5)
    started = lab.now()
    for startable in (*lab.hubs, *databases, *lab.centres):
        startable.start()
    lab.note("until its programs are started", lab.now() - started)
    lab.drained("from the first one's start", since=started)
    lab.run_for(3)
    lab.check_unnoticed("no client sees an error", began)


def in_the_region(lab, databases):
    """Every program there, the hubs first: nothing that dies after them can tell anyone."""
    found = [hub.service for hub in lab.hubs]
    for one in lab.centres:
        found += [service for service in (one.leaf, one.tunnel, one.service) if service]
    return found + [server.service for server in databases]
