"""The provider dies in the middle of answers, then is out of reach."""
from lab.scenario import scenario


@scenario("The provider is killed in mid-stream, and later cut off silently",
          row="upstream disconnects before first byte / mid-stream",
          promise="before the first byte: released, 502 to 504, the retry runs; in mid-stream: settled by what was delivered, the stream "
                  "ends with upstream_lost in its protocol",
          stores=("rocksdb", "postgres", "standalone"))
def run(lab):
    service = lab.provider.service
    lab.traffic(clients=6, pace_ms=30)
    lab.run_for(4)
    runs = lab.provider.counters()["by_key"]
    with lab.fault("provider killed"):
        service.kill()
        lab.run_for(2)
    lab.runs_before.update(runs)
    lab.provider.start()
    back = lab.now()
    lab.measure("from the provider's return to the first answer", lambda: bool(lab.history.successes_since(back)), since=back)
    lab.run_for(3)
    with lab.fault("provider cut off from all POPs, silently"):
        lab.wan.cut([lab.provider.host], [pop.host for pop in lab.pops])
        lab.run_for(4)
        lab.wan.heal()
    healed = lab.now()
    lab.measure("from the heal to the first answer", lambda: bool(lab.history.successes_since(healed)), since=healed)
    lab.run_for(3)
