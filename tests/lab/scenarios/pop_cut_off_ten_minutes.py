"""A POP is cut off for ten minutes under load: it spends what it was lent, then refuses, and is level soon after."""
import json

from lab.scenario import scenario
from scenarios.backlog import LEVEL_SECONDS_PER_100_000, NOTICED_SECONDS, RATE, WARM_SECONDS, bench, leave_out

CUT_SECONDS = 600


@scenario(f"A POP is cut off for ten minutes while it is asked {RATE} times a second",
          row="WAN partition of a POP, longer than its leases last",
          promise="it serves what its leases cover, then refuses with budget_unavailable; after the heal the centre is level in under 5 s "
                  "for each 100,000 settlements, once the line is found, and it serves again")
def run(lab):
    victim = lab.pops[0]
    lab.traffic(clients=3, pause=0.5)
    purse = lab.purses.open(balance="500")
    lab.warm(purse, 1, victim)
    leave_out(lab, purse)
    load = bench(lab, victim, purse.api_key, WARM_SECONDS + CUT_SECONDS + 30)
    lab.run_for(WARM_SECONDS)
    with lab.fault(f"{victim.name} cut off for ten minutes at {RATE} calls a second"):
        lab.cut_off(victim)
        lab.run_for(CUT_SECONDS)
        late = lab.operation(purse, 2, stream=False)
        lab.caller(0).attempt(late, victim, [])
        depth = lab.outbox(victim)
        lab.wan.heal()
    healed = lab.now()
    lab.check("what its leases do not cover is refused clearly", late.last.result == "503 budget_unavailable", late.last.result)
    bound = NOTICED_SECONDS + LEVEL_SECONDS_PER_100_000 * depth / 100_000
    lab.drained(f"from the heal, with {depth:.0f} in the outbox,", [victim], since=healed, bound=bound)
    lab.first_answer(victim, healed, "from the heal to the first answer there")
    told = json.loads(load.communicate()[0])
    lab.check("it served what its leases covered, a minute's spending", depth > RATE * 30, f"{depth:.0f} settlements waited")
    failures = {name: count for name, count in told["failures"].items() if count}
    lab.check("nothing but refusals went wrong at it", set(failures) <= {"status"}, failures)
    lab.run_for(3)
