"""Two centres share the work; each dies once."""
from lab.scenario import scenario


@scenario("Each of two centres on PostgreSQL is killed and comes back",
          row="a nodex-central crashes (PostgreSQL)",
          promise="the other one of the queue group answers at once; no client sees an error",
          stores=("postgres",))
def run(lab):
    lab.traffic(clients=6)
    lab.run_for(6)
    for one in lab.centres:
        began = lab.now()
        back = lab.kill_and_restart(one.service, 5, f"{one.name} killed")
        lab.drained(f"from {one.name}'s start", since=back)
        lab.run_for(3)
        lab.check_unnoticed("no client sees an error", began)
