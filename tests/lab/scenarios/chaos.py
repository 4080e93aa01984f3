"""Everything at once, in an order that the seed decides."""
import random

from lab.scenario import scenario

QUIET_SECONDS, FAULT_SECONDS = (3, 8), (1, 12)


@scenario("Random faults, one after another and overlapping with their repairs, under mixed load with the official SDK",
          row="all of them",
          promise="no acknowledged answer lost, none charged twice, every balance equal to its rows, none below zero",
          stores=("rocksdb", "postgres", "standalone"))
def run(lab):
    dice = random.Random(lab.settings.seed)
    lab.traffic(clients=5, pause=0.4)
    lab.sdk_traffic(clients=3, pause=0.4)
    lab.run_for(6)
    faults = possible(lab)
    end = lab.now() + 60 * lab.settings.minutes
    while lab.now() < end:
        label, begin, repair = faults[dice.choice(sorted(faults))](dice)
        with lab.fault(label):
            begin()
            lab.run_for(dice.uniform(*FAULT_SECONDS))
            repair()
        lab.run_for(dice.uniform(*QUIET_SECONDS))


def possible(lab):
    """{name: function of the dice that gives (label, begin, repair)}."""
    def killed(pick):
        def fault(dice):
            service, start = pick(dice)
            return f"{service.name} killed", service.kill, start
        return fault

    def frozen(pick):
        def fault(dice):
            service, _ = pick(dice)
            return f"{service.name} frozen", service.freeze, service.thaw
        return fault

    def edge(dice):
        pop = dice.choice(lab.pops)
        return pop.edge, lambda: pop.start_edge(seconds=120)

    def leaf(dice):
        pop = dice.choice(lab.pops)
        return pop.leaf, pop.start_leaf

    def hub(dice):
        one = dice.choice(lab.hubs)
        return one.service, one.start

    def centre(dice):
        one = dice.choice(lab.centres)
        return one.service, one.start_centre

    def cut(dice):
        pop, both = dice.choice(lab.pops), dice.random() < 0.7
        return f"{pop.name} cut off{'' if both else ' one way'}", lambda: lab.cut_off(pop, both), lab.wan.heal

    def provider_cut(dice):
        pop = dice.choice(lab.pops)
        return f"{pop.name} cut off from the provider", lambda: lab.wan.cut([pop.host], [lab.provider.host]), lab.wan.heal

    def slow(dice):
        pop = dice.choice(lab.pops)
        return f"{pop.name}: slow disk", lambda: pop.edge.slow_disk(100), pop.edge.quicken_disk
    def failover(dice):
        primary = lab.database.primary

        def begin():
            (primary.service.kill if dice.random() < 0.5 else primary.service.freeze)()
            lab.run_for(2)
            lab.database.promote()

        def repair():
            primary.service.thaw_if_alive()
            primary.service.kill()
            lab.database.attach(primary)
        return f"{primary.host.name} lost, standby promoted", begin, repair
    faults = {"provider_cut": provider_cut, "slow_disk": slow}
    components = {"edge": edge}
    if not lab.world.standalone:
        faults["cut"] = cut
        components.update(leaf=leaf, hub=hub, centre=centre)
    if lab.database:
        faults["failover"] = failover
    for name, pick in components.items():
        faults[f"{name}_killed"] = killed(pick)
        faults[f"{name}_frozen"] = frozen(pick)
    return faults
