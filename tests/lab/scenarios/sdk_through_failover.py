"""The official SDK, unmodified, while its POP dies."""
from lab.scenario import scenario


@scenario("Customers with the official SDK lose their POP, twice",
          row="edge kill -9 (as an SDK sees it)",
          promise="the SDK's own retries and a second base URL are enough: every call is answered or ends in its protocol; charged once",
          stores=("rocksdb", "postgres", "standalone"))
def run(lab):
    lab.sdk_traffic(clients=3)
    lab.run_for(6)
    for victim in (lab.pops[0], lab.pops[-1]):
        with lab.fault(f"{victim.name}: edge killed"):
            victim.edge.kill()
            lab.run_for(4)
        victim.start_edge()
        lab.run_for(5)
