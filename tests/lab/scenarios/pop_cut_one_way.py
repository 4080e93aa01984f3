"""A cable that carries packets in one direction only: the worst kind, because one side believes that all is well."""
from lab.scenario import scenario


@scenario("What a POP sends inwards is lost for 12 s, then what is sent to it",
          row="WAN partition of a POP, asymmetric",
          promise="as a partition: leases carry the POP; whatever had been applied without the answer arriving is not applied again")
def run(lab):
    victim = lab.pops[0]
    inner = [*lab.inner_hosts(), *(pop.host for pop in lab.pops if pop is not victim)]
    lab.traffic(clients=6)
    lab.run_for(6)
    for label, ones, others in ((f"what {victim.name} sends is lost", [victim.host], inner),
                                (f"what is sent to {victim.name} is lost", inner, [victim.host])):
        with lab.fault(label):
            lab.wan.cut(ones, others, both=False)
            lab.run_for(12)
            lab.wan.heal()
        healed = lab.now()
        lab.drained(f"{label}: from the heal", [victim], since=healed)
        lab.run_for(3)
