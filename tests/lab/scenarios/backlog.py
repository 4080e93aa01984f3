"""A POP that is cut off under heavy load collects a long outbox: how fast is the centre level again?"""
import json
import os
import subprocess

from lab.scenario import scenario
from support import programs

RATE = 150
WARM_SECONDS, CUT_SECONDS = 65, 25  # a lease holds a minute's spending, and half of it at least; it takes a minute to grow
# The promise, from when the line is found: what the stores' own goals are, 20,000 and 5,000 settlements a second.
LEVEL_SECONDS_PER_100_000 = {"rocksdb": 5, "postgres": 20}
NOTICED_SECONDS = 8                 # finding it: the leaf's pause and its attempts, TLS, interest
WINDOW_SECONDS = 3                  # one batch, then two, four...: round trips until the window is full; of a short outbox it is most


@scenario("A POP is cut off while it answers 150 calls a second; then it ships all of it",
          row="WAN partition of a POP: the outbox grows",
          promise="it goes on serving; after the heal the centre is level in under 5 s for each 100,000 settlements (RocksDB; 20 s PostgreSQL), "
                  "once the line is found")
def run(lab):
    victim = lab.pops[0]
    lab.traffic(clients=3)
    _, load = begin_load(lab, victim, WARM_SECONDS + CUT_SECONDS + 2)
    with lab.fault(f"{victim.name} cut off at {RATE} calls a second"):
        lab.cut_off(victim)
        lab.run_for(CUT_SECONDS)
        depth = lab.outbox(victim)
        lab.wan.heal()
    level(lab, victim, depth, lab.now())
    told = json.loads(load.communicate()[0])
    lab.check("the POP served on without the centre", depth > RATE * CUT_SECONDS * 0.8,
              f"{depth:.0f} settlements waited; failures: {told['failures']}")
    lab.run_for(3)


def begin_load(lab, victim, seconds):
    """A customer with `RATE` calls a second at `victim` for so long, until its lease there has grown; the customer and the load."""
    purse = customer_of_the_load(lab, victim)
    load = bench(lab, victim, purse.api_key, seconds)
    lab.run_for(WARM_SECONDS)
    return purse, load


def level(lab, victim, depth, healed):
    """Waits until the ledger has applied the `depth` settlements that waited, within the promise."""
    lab.measure("from the heal until the centre is heard", lambda: heard_since(lab, victim, healed), since=healed, bound=NOTICED_SECONDS)
    found = lab.now()
    lab.drained(f"from then, with {depth:.0f} in the outbox,", [victim], since=found,
                bound=WINDOW_SECONDS + LEVEL_SECONDS_PER_100_000[lab.settings.store] * depth / 100_000)


def heard_since(lab, pop, moment):
    age = (pop.metrics() or {}).get("nodex_central_contact_age_seconds", -1)
    return 0 <= age < lab.now() - moment


def customer_of_the_load(lab, victim):
    """The load generator keeps no history of what it spends: the ledger's own proof covers this account, and it alone."""
    purse = lab.purses.open(balance="500")
    lab.warm(purse, 1, victim)
    lab.purses.all.remove(purse)
    lab.history.operations = [one for one in lab.history.operations if one.account != purse.account]
    return purse


def bench(lab, pop, api_key, seconds, *, rate=RATE, tokens=2, connections=64):
    """nodex-bench from the customers' host of the first POP, at a fixed rate."""
    command = [*lab.world.client_host(0).wrapper, programs.find(lab.settings.build, "nodex-bench"),
               "--url", f"https://localhost:{pop.address.rsplit(':', 1)[1]}/v1/chat/completions", "--connect", pop.address,
               "--ca", lab.world.authority.ca_file, "--key", api_key, "--model", "sim", "--unique-keys",
               "--max-tokens", str(tokens), "--prompt", f"[[nodex: tokens={tokens} first_token_ms=5 pace_ms=1]] w",
               "--rate", str(rate), "--connections", str(connections),
               "--duration", str(seconds), "--warmup", "1", "--json", "-"]
    log = open(os.path.join(lab.world.folder, "bench.log"), "wb")
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
