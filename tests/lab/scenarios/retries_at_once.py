"""Impatient customers send every call three times at once."""
from lab.caller import RETRIED
from lab.scenario import scenario

CALLS = 25


@scenario("Every call is sent three times at the same moment to one POP",
          row="duplicated / reordered / delayed messages",
          promise="one run at the provider, one charge, and the same octets to all three",
          stores=("rocksdb", "postgres", "standalone"), quick=True)
def run(lab):
    purse = lab.purses.open()
    callers = [lab.caller() for _ in range(3)]
    pop = lab.pops[0]
    lab.warm(purse, CALLS + 1, pop)  # it knows the key
    began = lab.now()
    different, unanswered = [], []
    with lab.fault("three copies of each call"):
        for index in range(1, CALLS + 1):
            operation = lab.operation(purse, index, stream=index % 2 == 0, tokens=6)
            lab.history.begin(operation)
            ends = [None] * len(callers)

            def send(number, operation=operation, ends=ends):
                ends[number] = callers[number].attempt(operation, pop, [])
            lab.together(*(lambda number=number: send(number) for number in range(len(callers))))
            bodies = {end[1] for end in ends if end}
            if len(bodies) > 1:
                different.append(operation.identity)
            if not bodies:
                unanswered.append([attempt.result for attempt in operation.attempts])
                continue
            lab.history.end(operation, "acknowledged", bodies.pop())
    lab.check("all copies got the same octets", not different, different)
    results = lab.results_since(began)
    lab.check("a copy is answered, or told to come again", not unanswered and all(
        result == "200" or int(result.split()[0]) in RETRIED for result in results), unanswered)
    runs = lab.provider.counters()["by_key"]
    lab.check("each call ran once", all(runs.get(one.identity) == 1 for one in lab.history.operations),
              f"{len(lab.history.operations)} calls")
