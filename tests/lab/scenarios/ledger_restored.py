"""The ledger is lost and restored from a backup, by the runbook's steps, while customers go on."""
from lab.scenario import scenario
from support.pop import AdminRefusal
from support.waiting import until


@scenario("The ledger goes back to a backup of 8 s before, and its epoch is raised",
          row="database restored from a backup",
          promise="the epoch is raised before POPs reach it; then each registers anew and ships again what the ledger lost: every charge is "
                  "there, once",
          stores=("rocksdb",))
def run(lab):
    centre, gate, others = lab.centres[0], lab.pops[0], lab.pops[1:]
    lab.traffic(clients=6, pause=0.2)
    lab.run_for(6)
    with lab.fault("a backup is made"):
        centre.service.terminate()
        centre.snapshot()
        centre.start_centre()
    lab.run_for(8)
    began = lab.now()
    with lab.fault("the ledger is what it was at the backup"):
        centre.service.kill()
        for pop in others:
            lab.cut_off(pop)  # no POP but the operator's way in
        applied = applied_at(others)
        centre.roll_back()
        centre.start_centre()
        audit = until(lambda: answered(gate, "ledger.verify"), 20, "the restored ledger answers")
        lab.check("the restored ledger proves itself", audit["sound"], audit)
        raised = answered(gate, "ledger.raise-epoch")
        lab.check("its epoch is raised", raised and raised["epoch"] > 1, raised)
        lab.wan.heal()
    healed = lab.now()
    if '"registration_refused"' in gate.edge.logged():  # it met the ledger before its epoch was raised
        with lab.fault(f"{gate.name} is started again"):
            gate.edge.terminate()
            gate.start_edge()
    lab.drained("from the raised epoch", since=healed)
    silent = [pop.name for pop in lab.pops if '"ledger_was_restored"' not in pop.edge.logged()]
    lab.check("each POP says that it ships again what the ledger lost", not silent, silent or applied)
    errors = [result for pop in others for result in lab.results_since(began, pop.name) if result != "200"]
    lab.check("customers of the POPs that were kept away from it see no error", not errors, sorted(set(errors)))
    lab.run_for(3)


def answered(pop, command):
    """What the centre answers there; nothing as long as it does not."""
    try:
        return pop.admin(command)
    except AdminRefusal as refusal:
        if refusal.status != 503:
            raise
        return None


def applied_at(pops):
    """{name: settlements that the ledger had applied before it was lost}."""
    return {pop.name: int((pop.metrics() or {}).get("nodex_outbox_applied_total", -1)) for pop in pops}
