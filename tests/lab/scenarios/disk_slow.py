"""A POP's disk becomes very slow while every settlement waits for it."""
from lab.scenario import scenario


@scenario("Every fsync of a POP takes a quarter of a second longer",
          row="slow disk",
          promise="answers are slower and none is lost; other POPs are not touched; nothing has to be repaired afterwards",
          stores=("rocksdb", "postgres", "standalone"), durability="power")
def run(lab):
    victim = lab.pops[0]
    lab.traffic(clients=6)
    lab.run_for(4)
    before = len(lab.history.successes_since(0, victim.name))
    with lab.fault(f"{victim.name}: each fsync + 250 ms"):
        victim.edge.slow_disk(250)
        slow = lab.now()
        lab.run_for(8)
        during = len(lab.history.successes_since(slow, victim.name))
        victim.edge.quicken_disk()
    lab.check("the POP goes on answering", during > 0, f"{before} answers in 4 s before, {during} in 8 s during")
    quick = lab.now()
    lab.measure("from the healed disk to the next answer there", lambda: lab.answered_at(victim, quick), since=quick)
    lab.run_for(3)
