"""The database's primary freezes, the standby is promoted, and the old primary wakes up believing it still is one."""
from lab.scenario import scenario


@scenario("The database primary is frozen, the standby promoted, and the old primary revived",
          row="database primary lost (frozen and revived)",
          promise="the old primary acknowledges nothing more, for its commits wait for a standby that has left it; no row is lost or doubled, "
                  "and no client sees an error; level within 10 s of the promotion",
          stores=("postgres",))
def run(lab):
    lab.traffic(clients=6)
    lab.run_for(6)
    began = lab.now()
    old = lab.database.primary
    with lab.fault(f"{old.host.name} frozen, standby promoted"):
        old.service.freeze()
        lab.run_for(3)
        lab.database.promote()
        promoted = lab.now()
        lab.drained("from the promotion", since=promoted, bound=10)
        lab.run_for(4)
    with lab.fault(f"{old.host.name} wakes as a second primary"):
        old.service.thaw()
        lab.run_for(6)
    old.service.kill()  # an operator finds it, or its fencing does
    lab.run_for(3)
    lab.check_unnoticed("no client sees an error", began)
