"""A POP loses its disk for good and is installed anew."""
from lab.scenario import scenario


@scenario("A POP dies and its data disk is gone; it starts again on an empty one",
          row="edge disk loss",
          promise="a new incarnation; what had not been shipped is the house's loss, never the customer's; old leases are freed after their term")
def run(lab):
    victim = lab.pops[0]
    lab.traffic(clients=6)
    lab.run_for(6)
    with lab.fault(f"{victim.name}: disk lost"):
        victim.edge.kill()
        victim.lose_disk()
        lab.lost_disk(victim)
        lab.run_for(3)
    victim.start_edge(seconds=0)
    started = lab.now()
    lab.measure(f"{victim.name} is ready on an empty disk", victim.ready, since=started)
    lab.first_answer(victim, started, "from its start to the first answer there")
    lab.run_for(4)
