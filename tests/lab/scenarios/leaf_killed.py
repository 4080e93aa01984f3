"""The leaf of the message network beside an edge dies."""
from lab.scenario import scenario


@scenario("A POP's leaf nats-server is killed and started again",
          row="leaf nats-server crash",
          promise="nothing lost, for there is no state in the leaf; what was under way is sent again; clients notice nothing")
def run(lab):
    victim = lab.pops[0]
    lab.traffic(clients=6)
    lab.run_for(5)
    killed = lab.now()
    back = lab.kill_and_restart(victim.leaf, 3, f"{victim.name}: leaf killed")
    lab.drained("from the leaf's start", [victim], since=back)
    lab.run_for(4)
    lab.check_unnoticed("clients notice nothing", killed)
