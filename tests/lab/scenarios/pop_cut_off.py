"""A POP loses the centre and the other POPs, silently, and keeps its customers."""
from lab.scenario import scenario


@scenario("A POP is cut off from everything inside for 1 s, for 8 s and for 20 s",
          row="WAN partition of a POP, within the lease term",
          promise="running and new requests go on inside the leases; the outbox grows and drains after the heal; nothing is charged twice",
          quick=True)
def run(lab):
    victim = lab.pops[-1]
    lab.traffic(clients=6)
    lab.run_for(6)
    for seconds in (1, 8, 20):
        with lab.fault(f"{victim.name} cut off for {seconds} s"):
            lab.cut_off(victim)
            cut = lab.now()
            lab.run_for(seconds)
            lab.wan.heal()
        healed = lab.now()
        lab.check(f"{victim.name} serves while it is cut off for {seconds} s",
                  any(attempt.ended < healed for attempt in lab.history.successes_since(cut, victim.name)),
                  f"{len(lab.history.successes_since(cut, victim.name))} answers there")
        lab.drained(f"after {seconds} s, from the heal", [victim], since=healed)
        lab.run_for(3)
