"""The only centre dies for a while."""
from lab.scenario import scenario


@scenario("The centre on RocksDB is killed, stays away for 5 s and comes back",
          row="a nodex-central crashes (RocksDB)",
          promise="POPs go on from their leases and no client sees an error; the ledger restarts from its synced state and the POPs ship "
                  "what it has not applied",
          stores=("rocksdb",), quick=True)
def run(lab):
    lab.traffic(clients=6)
    lab.run_for(6)
    for _ in range(2):
        began = lab.now()
        back = lab.kill_and_restart(lab.centres[0].service, 5, "centre killed")
        lab.drained("from the centre's start", since=back)
        lab.run_for(3)
        lab.check_unnoticed("no client sees an error", began)
