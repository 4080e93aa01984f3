"""A hub stops answering without dying: its connections stay open."""
from lab.scenario import scenario


@scenario("The hub in use is frozen (SIGSTOP) for ten seconds and revived",
          row="hub nats crash (frozen, not dead)",
          promise="noticed by silence after some 4 to 6 s, then the other hub serves; nothing is lost or applied twice when it wakes")
def run(lab):
    lab.traffic(clients=6)
    lab.run_for(5)
    began = lab.now()
    for hub in lab.hubs:
        lab.freeze(hub.service, 10, f"{hub.host.name} frozen")
        lab.run_for(5)
    lab.check_unnoticed("clients notice nothing: leases carry them", began)
