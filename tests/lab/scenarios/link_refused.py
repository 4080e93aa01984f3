"""A firewall change: everything that a POP sends to the hubs is answered with a reset."""
from lab.nats import LEAF_PORT
from lab.scenario import scenario


@scenario("A firewall in front of both hubs resets a POP's connections for 8 s",
          row="WAN partition of a POP (refused, not silent)",
          promise="as a partition, noticed at once: requests without a responder fail in under a millisecond; level again after it")
def run(lab):
    victim = lab.pops[0]
    lab.traffic(clients=6)
    lab.run_for(5)
    began = lab.now()
    with lab.fault(f"hubs reset what {victim.name} sends"):
        rule = f"ip saddr {victim.host.address} tcp dport {LEAF_PORT} reject with tcp reset"
        for hub in lab.hubs:
            hub.host.firewall({"input": [rule]})
        lab.run_for(8)
        for hub in lab.hubs:
            hub.host.firewall(None)
    healed = lab.now()
    lab.drained("from the lifted rule", [victim], since=healed)
    lab.run_for(3)
    lab.check_unnoticed("clients notice nothing: the lease carries them", began)
