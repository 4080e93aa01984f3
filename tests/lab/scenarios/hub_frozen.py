"""A hub stops answering without dying: its connections stay open."""
from lab.scenario import scenario


@scenario("The hub in use is frozen (SIGSTOP) and revived; then the other one",
          row="hub nats crash (frozen, not dead)",
          promise="noticed by silence after some 4 to 6 s, then the other hub serves; nothing is lost or applied twice when it wakes")
def run(lab):
    lab.traffic(clients=6)
    lab.run_for(5)
    began = lab.now()
    for hub in lab.hubs:
        with lab.fault(f"{hub.host.name} frozen"):
            hub.service.freeze()
            lab.drained(f"from the freeze of {hub.host.name}")
            lab.run_for(6)
            hub.service.thaw()
        lab.run_for(5)
    lab.check_unnoticed("clients notice nothing: leases carry them", began)
