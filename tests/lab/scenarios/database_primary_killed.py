"""The database's primary dies and its synchronous standby is promoted."""
from lab.scenario import scenario


@scenario("The database primary is killed, and after 3 s the standby is promoted",
          row="database primary lost",
          promise="no committed entry is lost; POPs live on their leases meanwhile, so no client sees an error; level again within 10 s",
          stores=("postgres",))
def run(lab):
    lab.traffic(clients=6)
    lab.run_for(6)
    began = lab.now()
    with lab.fault(f"{lab.database.primary.host.name} killed"):
        lab.database.primary.service.kill()
        killed = lab.now()
        lab.run_for(3)
        lab.database.promote()
        lab.note("from the kill to the promoted standby", lab.now() - killed)
    promoted = lab.now()
    lab.drained("from the promotion", since=promoted, bound=10)
    lab.run_for(5)
    lab.check_unnoticed("no client sees an error", began)
    with lab.fault("the lost server is attached again as a standby"):
        lab.database.attach(lab.database.standby)
        lab.run_for(3)
