"""A hub dies; its partner takes over."""
from lab.scenario import scenario


@scenario("One hub of the pair is killed, then the other one, each coming back",
          row="hub nats crash",
          promise="POPs go on through the other hub after about a second; nothing is lost; clients notice nothing")
def run(lab):
    lab.traffic(clients=6)
    lab.run_for(5)
    began = lab.now()
    for hub in lab.hubs:
        with lab.fault(f"{hub.host.name} killed"):
            hub.service.kill()
            killed = lab.now()
            lab.drained(f"from the kill of {hub.host.name}", since=killed)
            lab.run_for(3)
        hub.start()
        lab.run_for(6)
    lab.check_unnoticed("clients notice nothing", began)
