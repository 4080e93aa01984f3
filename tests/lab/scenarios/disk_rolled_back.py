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
        lab.run_for(6)
    logged = victim.edge.logged()
    lab.check("the POP says that its disk and the ledger have different histories", '"registration_refused"' in logged, logged[-300:])
    if not victim.edge.alive():
        lab.check("it serves nobody until an operator has looked", not lab.answered_at(victim, started), "it refused to start")
        with lab.fault("an operator installs it anew"):
            victim.lose_disk()
            victim.start_edge(seconds=0)
            started = lab.now()
            lab.measure(f"{victim.name} is ready on an empty disk", victim.ready, since=started)
    lab.first_answer(victim, started, "from its start to the first answer there")
    lab.run_for(3)
