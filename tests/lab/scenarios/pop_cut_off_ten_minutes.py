"""A POP is cut off for ten minutes under load: it spends what it was lent, then refuses, and is level soon after."""
import json

from lab.scenario import scenario
from scenarios.backlog import RATE, WARM_SECONDS, begin_load, level

CUT_SECONDS = 600


@scenario(f"A POP is cut off for ten minutes while it is asked {RATE} times a second",
          row="WAN partition of a POP, longer than its leases last",
          promise="it serves what its leases cover, then refuses with budget_unavailable; after the heal the centre is level in under 5 s "
                  "for each 100,000 settlements, once the line is found, and it serves again")
def run(lab):
    victim = lab.pops[0]
    lab.traffic(clients=3, pause=0.5)
    purse, load = begin_load(lab, victim, WARM_SECONDS + CUT_SECONDS + 30)
    with lab.fault(f"{victim.name} cut off for ten minutes at {RATE} calls a second"):
        lab.cut_off(victim)
        lab.run_for(CUT_SECONDS)
        late = lab.operation(purse, 2, stream=False)
        lab.caller(0).attempt(late, victim, [])
        depth = lab.outbox(victim)
        lab.wan.heal()
    healed = lab.now()
    lab.check("what its leases do not cover is refused clearly", late.last.result == "503 budget_unavailable", late.last.result)
    level(lab, victim, depth, healed)
    lab.first_answer(victim, healed, "from the heal to the first answer there")
    told = json.loads(load.communicate()[0])
    lab.check("it served what its leases covered, a minute's spending", depth > RATE * 30, f"{depth:.0f} settlements waited")
    failures = {name: count for name, count in told["failures"].items() if count}
    lab.check("nothing but refusals went wrong at it", set(failures) <= {"status"}, failures)
    lab.run_for(3)
