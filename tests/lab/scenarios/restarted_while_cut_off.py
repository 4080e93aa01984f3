"""A POP restarts while nobody inside can be reached."""
from lab.scenario import scenario

ANSWERS = 6


@scenario("A POP is killed and started again while it is cut off from everything inside",
          row="edge kill -9 during a WAN partition",
          promise="it starts; what it had answered it answers again from its store; new paid calls are refused with a clear code until the "
                  "centre grants it money again, or served within stated limits")
def run(lab):
    victim = lab.pops[0]
    purse = lab.purses.open()
    caller = lab.caller(0)
    lab.warm(purse, ANSWERS + 2, victim)
    calls = [lab.operation(purse, index, stream=index % 2 == 0) for index in range(1, ANSWERS + 1)]
    for operation in calls:
        caller.call(operation)
    answered = [operation for operation in calls if operation.outcome == "acknowledged" and operation.last.pop == victim.name]
    with lab.fault(f"{victim.name} cut off and killed"):
        lab.cut_off(victim)
        lab.run_for(1)
        victim.edge.kill()
        victim.start_edge(seconds=0)
        started = lab.now()
        lab.run_for(8)
        again = {}
        for operation in answered:
            got = []
            again[operation.identity] = caller.attempt(operation, victim, got)
        late = lab.operation(purse, ANSWERS + 1, stream=False)
        lab.history.begin(late)
        end = caller.attempt(late, victim, [])
        lab.history.end(late, *(end or ("unknown", b"")))
        lab.wan.heal()
    lab.check("a new paid call is refused clearly, or served", late.last.result.startswith(("200", "402", "503", "connect")),
              late.last.result)
    same = [identity for identity, end in again.items() if end and end[0] == "acknowledged"]
    lab.check("what it had answered it answers again", len(same) == len(answered) and answered, f"{len(same)} of {len(answered)}: "
              f"{sorted({operation.last.result for operation in answered})}")
    lab.measure("from the heal until it is ready", victim.ready, since=lab.now())
    lab.traffic(clients=3)
    lab.first_answer(victim, started, "from its start, while cut off, to the first answer there")
    lab.run_for(3)
