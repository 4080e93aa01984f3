"""The same call, with the same idempotency key, at two POPs at the same moment."""
from lab.scenario import scenario

CALLS = 20


@scenario("The same keyed call is sent to two POPs at the same moment, and 50 ms apart",
          row="retry at another POP, first in flight",
          promise="both get the same octets or are told to come again; one charge; a second run, if there was one, is the house's")
def run(lab):
    purse = lab.purses.open()
    one, other = lab.caller(0), lab.caller(1)
    lab.warm(purse, CALLS + 1, lab.pops[0])
    lab.warm(purse, CALLS + 2, lab.pops[1])
    different = []
    with lab.fault("the same keys at two POPs"):
        for index in range(1, CALLS + 1):
            operation = lab.operation(purse, index, stream=index % 2 == 0, tokens=12, pace_ms=40)
            lab.history.begin(operation)
            ends = {}

            def first(operation=operation, ends=ends):
                ends["one"] = one.attempt(operation, lab.pops[0], [])

            def second(operation=operation, ends=ends, late=index > CALLS // 2):
                if late:
                    lab.run_for(0.05)
                ends["other"] = other.attempt(operation, lab.pops[1], [])
            lab.together(first, second)
            bodies = [end[1] for end in ends.values() if end and end[0] == "acknowledged"]
            if len(set(bodies)) > 1:
                different.append(operation.identity)
            lab.history.end(operation, "acknowledged" if bodies else "unknown", bodies[0] if bodies else b"")
    lab.check("both POPs answer with the same octets", not different, f"{len(different)} of {CALLS} differ: {different[:5]}")
    # The provider call does not wait for the centre's word: both POPs may have called, and one has hung up before it delivered anything.
    runs = lab.provider.counters()["by_key"]
    twice = [call.identity for call in lab.history.operations if runs.get(call.identity, 0) > 1]
    lab.check("each POP called the provider once at most", all(1 <= runs.get(call.identity, 0) <= 2 for call in lab.history.operations),
              f"{len(twice)} of {CALLS} calls were begun at both")
