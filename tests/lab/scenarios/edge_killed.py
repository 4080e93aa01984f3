"""An edge dies under load, and comes back."""
from lab.scenario import scenario


@scenario("An edge is killed (kill -9) under load and started again",
          row="edge kill -9",
          promise="back in under 2 s; reservations voided or settled by the log; clients resume or go to another POP; charged once",
          stores=("rocksdb", "postgres", "standalone"), quick=True)
def run(lab):
    victim = lab.pops[0]
    lab.traffic(clients=6)
    lab.run_for(5)
    for _ in range(2):
        with lab.fault(f"{victim.name}: edge killed"):
            victim.edge.kill()
            killed = lab.now()
            lab.run_for(2)
        victim.start_edge(seconds=0)
        started = lab.now()
        lab.measure(f"{victim.name} is ready again after its start", victim.ready, bound=2)
        lab.measure(f"{victim.name}: first answer after its start", lambda: lab.answered_at(victim, started), since=started)
        lab.note("from the kill to the first answer there", lab.now() - killed)
        lab.run_for(4)
