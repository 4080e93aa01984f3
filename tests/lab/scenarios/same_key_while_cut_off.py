"""The same call at two POPs that cannot hear of each other."""
from lab.scenario import scenario

CALLS = 8


@scenario("A keyed call is answered by a POP that is cut off, and sent again to another one",
          row="retry at another POP, centre unreachable from it",
          promise="both may run (policy proceed); after the heal one is charged and the other is the house's")
def run(lab):
    cut, other = lab.pops[0], lab.pops[1]
    purse = lab.purses.open()
    near, far = lab.caller(0), lab.caller(1)
    lab.warm(purse, CALLS + 1, cut)
    lab.warm(purse, CALLS + 2, other)
    lab.run_for(3)
    calls = [lab.operation(purse, index, stream=index % 2 == 0) for index in range(1, CALLS + 1)]
    answered_twice = 0
    with lab.fault(f"{cut.name} cut off; the same keys there and at {other.name}"):
        lab.cut_off(cut)
        for operation in calls:
            lab.history.begin(operation)
            first = near.attempt(operation, cut, [])
            second = far.attempt(operation, other, [])
            answered_twice += bool(first and second)
            ends = [end for end in (second, first) if end]
            lab.history.end(operation, *(ends[0] if ends else ("unknown", b"")))
        lab.wan.heal()
    healed = lab.now()
    lab.drained("from the heal", [cut], since=healed)
    runs = lab.provider.counters()["by_key"]
    twice = sum(runs.get(call.identity, 0) > 1 for call in calls)
    rows = [row for row in lab.rows(purse.account) if row["kind"] == "duplicate"]
    lab.check("what ran twice is booked to the house once", len(rows) <= twice, f"{answered_twice} answered by both, {twice} ran twice, "
              f"{len(rows)} rows of the house")
