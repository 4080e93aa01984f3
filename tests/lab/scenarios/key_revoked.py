"""A key is revoked while it is in use everywhere."""
from lab.scenario import scenario


@scenario("A key that is in use at every POP is revoked at the centre",
          row="key revocation (bound of section 10)",
          promise="refused everywhere within 2 s while the POPs are linked", quick=True)
def run(lab):
    purse = lab.purses.open()
    lab.traffic(clients=3)
    callers = [lab.caller(home) for home in range(len(lab.pops))]
    for number, caller in enumerate(callers):
        caller.call(lab.operation(purse, number + 1))
    key_id = lab.world.admin("key.list", account=purse.account)["keys"][0]["key_id"]
    index = len(callers)
    with lab.fault("key revoked"):
        lab.world.admin("key.revoke", key_id=key_id)
        revoked = lab.now()
        lab.revoked.add(purse.api_key)
        for number, pop in enumerate(lab.pops):
            while True:
                index += 1
                operation = lab.operation(purse, index, stream=False, tokens=1)
                lab.history.begin(operation)
                end = callers[number].attempt(operation, pop, [])
                lab.history.end(operation, *(end or ("unknown", b"")))
                if operation.last.result.startswith(("401", "403")) or lab.now() - revoked > 30:
                    break
            lab.note(f"from the revocation to the refusal at {pop.name}", operation.last.began - revoked, bound=2)
