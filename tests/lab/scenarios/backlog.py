"""A POP that is cut off under heavy load collects a long outbox: how fast is the centre level again?"""
import json
import os
import subprocess

from lab.scenario import scenario
from support import programs

RATE, SECONDS = 250, 40
LEVEL_SECONDS_PER_100_000, NOTICED_SECONDS = 5, 8  # the promise, and what finding the line again may take


@scenario("A POP is cut off while it answers 250 calls a second, then shipped empty",
          row="WAN partition of a POP: the outbox grows",
          promise="it goes on serving; after the heal the centre is level in under 5 s for each 100,000 settlements, once the line is found")
def run(lab):
    victim = lab.pops[0]
    lab.traffic(clients=3)
    purse = lab.purses.open(balance="500")
    lab.caller(0).call(lab.operation(purse, 1))
    lab.purses.all.remove(purse)  # the load generator keeps no history; the ledger's own proof covers this account
    lab.run_for(3)
    with lab.fault(f"{victim.name} cut off at {RATE} calls a second"):
        with bench(lab, victim, purse.api_key) as load:
            lab.run_for(2)
            lab.cut_off(victim)
            load.wait()
        told = json.loads(load.stdout.read())
        depth = lab.outbox(victim)
        lab.wan.heal()
    healed = lab.now()
    bound = NOTICED_SECONDS + LEVEL_SECONDS_PER_100_000 * depth / 100_000
    lab.drained(f"from the heal, with {depth:.0f} in the outbox,", [victim], since=healed, bound=bound)
    lab.check("the POP served on without the centre", depth > RATE * SECONDS * 0.5, f"{depth:.0f} settlements waited; {told.get('failures', '')}")
    lab.run_for(3)


def bench(lab, pop, api_key):
    """nodex-bench from the customers' host of the first POP, at a fixed rate."""
    command = [*lab.world.client_host(0).wrapper, programs.find(lab.settings.build, "nodex-bench"),
               "--url", f"https://localhost:{pop.address.rsplit(':', 1)[1]}/v1/chat/completions", "--connect", pop.address,
               "--ca", lab.world.authority.ca_file, "--key", api_key, "--model", "sim", "--unique-keys", "--max-tokens", "2",
               "--prompt", "[[nodex: tokens=2 first_token_ms=5 pace_ms=1]] w", "--rate", str(RATE), "--connections", "64",
               "--duration", str(SECONDS), "--warmup", "1", "--json", "-"]
    log = open(os.path.join(lab.world.folder, "bench.log"), "wb")
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
