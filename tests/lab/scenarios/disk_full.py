"""A POP's data disk fills up, first nearly and then wholly."""
from lab.scenario import scenario


@scenario("A POP's disk is nearly full, then full; then there is room again",
          row="POP disk full",
          promise="nearly full: new requests get 503 before anything is spent, running ones end; full: the node stops and loses nothing "
                  "that it acknowledged; with room again it serves",
          stores=("rocksdb", "postgres", "standalone"), data_bytes=192 << 20)
def run(lab):
    victim = lab.pops[0]
    lab.traffic(clients=6)
    lab.run_for(4)
    with lab.fault(f"{victim.name}: disk nearly full"):
        victim.fill_disk(leave_bytes=12 << 20)
        began = lab.now()
        refused = lab.measure("until new requests are refused there", lambda: refusals(lab, victim, began), within=30)
        lab.run_for(3)
    victim.free_disk()
    freed = lab.now()
    lab.measure("from the freed disk to the first answer there", lambda: lab.answered_at(victim, freed), since=freed)
    lab.check("a nearly full disk refuses with 503", refused > 0 and all(
        result.startswith("503") for result in refusals(lab, victim, began)), sorted(set(refusals(lab, victim, began))))
    lab.run_for(2)
    with lab.fault(f"{victim.name}: disk full"):
        victim.fill_disk()
        lab.run_for(5)
        victim.edge.kill()  # what a service manager does to a node that is no longer ready
    victim.free_disk()
    victim.start_edge()
    started = lab.now()
    lab.measure("from the restart with room to the first answer there", lambda: lab.answered_at(victim, started), since=started)
    lab.run_for(3)


def refusals(lab, pop, since):
    """Errors of the node; a key that is too new to be known there is none."""
    return [attempt.result for _, attempt in list(lab.history.attempts)
            if attempt.pop == pop.name and attempt.began >= since and attempt.result[0] in "45" and "invalid_api_key" not in attempt.result]
