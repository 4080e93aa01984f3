"""A hub dies; its partner takes over."""
from lab.scenario import scenario


@scenario("One hub of the pair is killed, then the other one, each coming back",
          row="hub nats crash",
          promise="POPs go on through the other hub after about a second; nothing is lost; clients notice nothing")
def run(lab):
    lab.traffic(clients=6)
    lab.run_for(5)
    began = lab.now()
    for hub in lab.hubs:
        with lab.fault(f"{hub.host.name} killed"):
            hub.service.kill()
            killed = lab.now()
            lab.measure(f"from the kill of {hub.host.name} until every outbox has been empty again",
                        every_outbox_empties(lab), since=killed)
            lab.run_for(3)
        hub.start()
        lab.run_for(6)
    lab.check_unnoticed("clients notice nothing", began)


def every_outbox_empties(lab):
    """Each POP's outbox must have been seen empty after an applied settlement: level on the average, under load."""
    waiting = {pop.name: applied(pop) for pop in lab.pops}

    def condition():
        for pop in lab.pops:
            before = waiting.get(pop.name)
            now = applied(pop)
            if before is not None and now is not None and now > before:
                del waiting[pop.name]
        return not waiting
    return condition


def applied(pop):
    metrics = pop.metrics()
    return None if metrics is None else metrics["nodex_outbox_applied_total"]
