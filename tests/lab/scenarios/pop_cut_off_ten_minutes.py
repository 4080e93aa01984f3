"""A POP is cut off for ten minutes under load: it spends what it was lent, then refuses, and is level soon after."""
import json

from lab.scenario import scenario
from scenarios.backlog import WARM_SECONDS, bench, customer_of_the_load, level

CUT_SECONDS, LOAD_SECONDS = 600, 240
RATE, CONNECTIONS = 800, 256
# A lease has a minute's spending at most, and what lies idle goes back when it would last for four: the calls within the cut cost a
# third of those before it.
TOKENS_BEFORE, TOKENS_WITHIN = 8, 2
ANSWERED_SECONDS = 3  # the load before the cut has its start, and its last answers wait for the centre's word


@scenario(f"A POP is cut off for ten minutes while it is asked {RATE} times a second",
          row="WAN partition of a POP, longer than its leases last",
          promise="it serves what its leases cover, then refuses with budget_unavailable; after the heal the centre is level in under 5 s "
                  "for each 100,000 settlements (RocksDB; 20 s PostgreSQL), once the line is found, and it serves again")
def run(lab):
    victim = lab.pops[0]
    lab.traffic(clients=3, pause=0.5)
    purse = customer_of_the_load(lab, victim)
    before = bench(lab, victim, purse.api_key, WARM_SECONDS, rate=RATE, tokens=TOKENS_BEFORE, connections=CONNECTIONS)
    lab.run_for(WARM_SECONDS + ANSWERED_SECONDS)
    with lab.fault(f"{victim.name} cut off for ten minutes, at {RATE} calls a second"):
        lab.cut_off(victim)
        within = bench(lab, victim, purse.api_key, LOAD_SECONDS, rate=RATE, tokens=TOKENS_WITHIN, connections=CONNECTIONS)
        lab.run_for(CUT_SECONDS)
        late = lab.operation(purse, 2, stream=False)
        lab.caller(0).attempt(late, victim, [])
        depth = lab.outbox(victim)
        lab.wan.heal()
    healed = lab.now()
    lab.check("what its leases do not cover is refused clearly", late.last.result == "503 budget_unavailable", late.last.result)
    level(lab, victim, depth, healed)
    lab.first_answer(victim, healed, "from the heal to the first answer there")
    told = [json.loads(load.communicate()[0]) for load in (before, within)]
    lab.check("it served what its leases covered, half a minute's spending or more", depth > RATE * 60, f"{depth:.0f} settlements waited")
    failures = [{name: count for name, count in one["failures"].items() if count} for one in told]
    lab.check("nothing but refusals went wrong at it", not failures[0] and set(failures[1]) <= {"status", "unanswered"}, failures)
    lab.run_for(3)
