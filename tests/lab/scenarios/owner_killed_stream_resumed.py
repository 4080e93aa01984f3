"""The POP that runs a stream dies; its customer goes on at another POP."""
from lab.caller import Caller
from lab.scenario import scenario

STREAMS = 6


@scenario("The owner of running streams is killed, and each is resumed at another POP",
          row="retry at another POP, first owner dead",
          promise="the other POP replays what its copies hold and ends in the protocol with upstream_lost, or takes the key over when nothing "
                  "was delivered; charged at most once when the owner is back")
def run(lab):
    owner = lab.pops[0]
    purses = [lab.purses.open() for _ in range(STREAMS)]
    callers = [lab.caller(0, answer_seconds=20, patience=40) for _ in range(STREAMS)]
    for purse in purses:
        for number, pop in enumerate(lab.pops):
            lab.warm(purse, 2 + number, pop)
    operations = [lab.operation(purse, 1, tokens=60, pace_ms=100, first_token_ms=20) for purse in purses]
    got = [[] for _ in operations]
    for operation in operations:
        lab.history.begin(operation)

    def begin(index):
        callers[index].attempt(operations[index], owner, got[index])
    threads = [lambda index=index: begin(index) for index in range(STREAMS)]

    def kill():
        lab.run_for(2.5)
        owner.edge.kill()
    with lab.fault(f"{owner.name} killed with {STREAMS} streams"):
        lab.together(*threads, kill)
        killed = lab.now()
        delivered = [len(events) for events in got]

        def go_on(index):
            elsewhere = Caller(lab, lab.world.client_host(0), lab.pops[1:], patience=40)
            for number in range(40):
                end = elsewhere.attempt(operations[index], lab.pops[1 + number % (len(lab.pops) - 1)], got[index])
                if end or lab.now() - killed > 40:
                    break
                lab.run_for(0.5)
            lab.history.end(operations[index], *(end or ("unknown", b"".join(got[index]))))
            lab.note(f"stream {index + 1}: from the kill to its end elsewhere", lab.now() - killed)
        lab.together(*(lambda index=index: go_on(index) for index in range(STREAMS)))
    owner.start_edge()
    ends = [operation.outcome for operation in operations]
    lab.check("each stream came to an end at another POP", set(ends) <= {"acknowledged", "ended"}, f"{ends}; events before the kill: {delivered}")
    lab.run_for(3)
