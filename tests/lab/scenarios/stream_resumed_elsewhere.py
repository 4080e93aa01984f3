"""A customer loses the connection in mid-stream and goes on at another POP."""
from lab.scenario import scenario

STREAMS = 12


@scenario("Streams are left in the middle and resumed at another POP while they run",
          row="retry at another POP, first in flight (resume)",
          promise="the pieces together are the uncut stream, octet for octet; one run, one charge")
def run(lab):
    purse = lab.purses.open()
    caller = lab.caller(0, answer_seconds=30)
    lab.warm(purse, STREAMS + 1, lab.pops[0])
    lab.warm(purse, STREAMS + 2, lab.pops[1])
    with lab.fault("streams go on at another POP"):
        for index in range(1, STREAMS + 1):
            operation = lab.operation(purse, index, tokens=30, pace_ms=60)
            lab.history.begin(operation)
            got = []
            caller.attempt(operation, lab.pops[0], got, read_events=2 + index % 7)
            left = lab.now()
            end = caller.attempt(operation, lab.pops[1], got)
            if index == 1:
                lab.note("from the cut to the end of the stream at the other POP (the model takes 1.8 s)", lab.now() - left)
            lab.history.end(operation, *(end or ("unknown", b"".join(got))))
    results = [attempt.result for _, attempt in lab.history.attempts if attempt.pop == lab.pops[1].name]
    lab.check("every stream was completed by the other POP", len(lab.history.of("acknowledged")) == STREAMS + 2, results)
    runs = lab.provider.counters()["by_key"]
    lab.check("each call ran once", all(runs.get(call.identity) == 1 for call in lab.history.operations),
              {call.identity: runs.get(call.identity) for call in lab.history.operations if runs.get(call.identity) != 1})
