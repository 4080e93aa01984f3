"""A POP loses the centre and the other POPs, silently, and keeps its customers."""
from lab.scenario import scenario

CLAIM_SECONDS = 5  # a first byte may wait for the centre's word on its key for that long


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
        served = [attempt for attempt in lab.history.successes_since(cut, victim.name) if attempt.ended < healed]
        if seconds > CLAIM_SECONDS:
            lab.check(f"{victim.name} serves while it is cut off for {seconds} s", served, f"{len(served)} answers there")
        lab.drained(f"after {seconds} s, from the heal", [victim], since=healed)
        lab.check_unnoticed(f"no client sees an error when it is cut off for {seconds} s", cut, allowed=("401 invalid_api_key",))
        lab.run_for(3)
