"""A POP's disk goes back in time: somebody restored a snapshot."""
from lab.scenario import scenario


@scenario("A POP is stopped, served on, and started again from an old snapshot of its disk",
          row="edge disk rolled back (snapshot restore)",
          promise="recognised at registration (must_reinstall): no sequence number is used twice, nothing is charged twice")
def run(lab):
    victim = lab.pops[0]
    lab.traffic(clients=6)
    lab.run_for(5)
    victim.edge.terminate()
    victim.snapshot()
    victim.start_edge()
    lab.run_for(5)
    with lab.fault(f"{victim.name}: disk is what it was"):
        victim.edge.kill()
        victim.roll_back()
        lab.lost_disk(victim)
        victim.start_edge(seconds=0)
        started = lab.now()
        lab.run_for(8)
    logged = victim.edge.logged()
    lab.check("the POP says that its disk went back", "must_reinstall" in logged or "reinstall" in logged, logged[-300:])
    lab.check("it serves again, or refuses until an operator has looked", lab.answered_at(victim, started) or not victim.ready(),
              "it serves" if lab.answered_at(victim, started) else "it refuses")
