"""A centre freezes in the middle of its work, and wakes up into a world that went on."""
from lab.scenario import scenario


@scenario("A centre is frozen (SIGSTOP) for 12 s and revived",
          row="a nodex-central freezes and revives",
          promise="POPs go on (from leases, or with the other centre); what it finishes late is applied once or not at all")
def run(lab):
    lab.traffic(clients=6)
    lab.run_for(6)
    for one in lab.centres:
        began = lab.now()
        thawed = lab.freeze(one.service, 12, f"{one.name} frozen")
        lab.drained(f"from the revival of {one.name}", since=thawed)
        lab.run_for(5)
        lab.check_unnoticed(f"no client sees an error while {one.name} is frozen", began)
