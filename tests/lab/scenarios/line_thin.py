"""A line that is not cut but hopeless: 128 kbit/s and 600 ms there and back."""
from lab import regions
from lab.scenario import scenario

THIN_BITS_PER_SECOND, SLOW_MS = 128_000, 600


@scenario("A POP's lines inwards shrink to 128 kbit/s and 600 ms for 15 s",
          row="duplicated / reordered / delayed messages",
          promise="nothing is lost; the outbox may grow and drains; answers come from the lease, no client waits for the line")
def run(lab):
    victim = lab.pops[0]
    inner = lab.inner_hosts()
    lab.traffic(clients=6)
    lab.run_for(5)
    began = lab.now()
    with lab.fault(f"{victim.name}: thin, slow lines"):
        for host in inner:
            lab.wan.delay(victim.host, host, SLOW_MS, THIN_BITS_PER_SECOND)
        lab.run_for(15)
        for host in inner:
            lab.wan.delay(victim.host, host, 2 * regions.line(victim.host.region, host.region)[0] / 1000)
    healed = lab.now()
    lab.drained("from the healed lines", [victim], since=healed)
    lab.run_for(3)
    lab.check_unnoticed("no client sees an error", began)
