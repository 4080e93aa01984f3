"""A line that comes and goes twice a second."""
from lab.scenario import scenario


@scenario("A POP's line inwards flaps: half a second there, half a second not, for 15 s",
          row="WAN partition of a POP, flapping",
          promise="no harm: totals and marks make repeated and overtaken messages harmless")
def run(lab):
    victim = lab.pops[1 % len(lab.pops)]
    lab.traffic(clients=6)
    lab.run_for(5)
    with lab.fault(f"{victim.name}: line flaps"):
        for _ in range(15):
            lab.cut_off(victim)
            lab.run_for(0.5)
            lab.wan.heal()
            lab.run_for(0.5)
    healed = lab.now()
    lab.drained("from the last heal", [victim], since=healed)
    lab.run_for(3)
