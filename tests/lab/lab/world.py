"""One world: hosts, cables, and every program of the product on them, from nothing to ready, and away again."""
import dataclasses
import os
import shutil

from lab import centre, nats, postgres, provider, regions
from lab.certificates import Authority
from lab.pop import Pop
from lab.wan import Wan
from support.pop import MODEL, OUTPUT_MODEL, AdminRefusal
from support.waiting import until

READY_SECONDS = 120


@dataclasses.dataclass
class Settings:
    """What a scenario runs on."""
    build: str
    pops: int = 3
    store: str = "rocksdb"     # rocksdb, postgres, or standalone: one POP with the centre inside
    hubs: int = 2
    durability: str = "process"
    data_bytes: int = 0        # size of each POP's data disk; 0: no disk of its own
    seed: int = 1
    minutes: float = 2.0       # of the chaos scenario
    own_clocks: bool = False   # wall clocks of edges and centres can be moved
    edge: dict = dataclasses.field(default_factory=dict)     # sections added to every POP's configuration
    central: dict = dataclasses.field(default_factory=dict)  # and to every centre's


class World:
    """Everything that runs. `folder` holds data, configurations and logs; close() ends every program."""

    def __init__(self, settings, folder):
        self.settings, self.build, self.folder = settings, settings.build, folder
        self.standalone = settings.store == "standalone"
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)  # the database's user passes through
        self.authority = Authority(os.path.join(folder, "authority"))
        self.wan = Wan(settings.build, folder)
        self.place()
        self.provider = provider.Provider(self, self.wan.hosts["provider"])
        self.network = None if self.standalone else nats.Network(self)
        self.hubs = [nats.Hub(self, host) for host in self.named("hub")]
        self.database = postgres.Postgres(self, *self.named("db")) if settings.store == "postgres" else None
        self.centres = [centre.Centre(self, host) for host in self.named("centre")]
        self.pops = [Pop(self, number, host) for number, host in enumerate(self.named("pop"), 1)]

    def place(self):
        """Who stands where."""
        pop_regions = regions.POP_REGIONS[:self.settings.pops]
        assert len(pop_regions) == self.settings.pops, f"at most {len(regions.POP_REGIONS)} POPs"
        for number, region in enumerate(pop_regions, 1):
            self.wan.add(f"pop{number}", region)
            self.wan.add(f"clients{number}", region)
        self.wan.add("provider", "virginia")
        if self.standalone:
            return
        for letter in "ab"[:self.settings.hubs]:
            self.wan.add(f"hub-{letter}", regions.CENTRE_REGION)
        for letter in "ab" if self.settings.store == "postgres" else "a":
            self.wan.add(f"centre-{letter}", regions.CENTRE_REGION)
        if self.settings.store == "postgres":
            self.wan.add("db-a", regions.CENTRE_REGION)
            self.wan.add("db-b", regions.CENTRE_REGION)

    def named(self, kind):
        return [host for name, host in self.wan.hosts.items() if name.startswith(kind)]

    def client_host(self, index):
        return self.wan.hosts[f"clients{index + 1}"]

    def folder_of(self, name):
        path = os.path.join(self.folder, name)
        os.makedirs(path, exist_ok=True)
        return path

    def start(self):
        self.wan.start()
        self.provider.start()
        if self.settings.own_clocks:
            for service in [pop.edge for pop in self.pops] + [one.service for one in self.centres]:
                service.own_clock()
        for hub in self.hubs:
            hub.start()
        if self.database:
            self.database.start()
        for pop in self.pops:
            pop.prepare()
        for one in self.centres:
            one.prepare()
        for one in self.centres:
            one.start()
        for pop in self.pops:
            pop.start_leaf()
            pop.start_edge(seconds=0)
        for pop in self.pops:
            until(pop.ready, READY_SECONDS, f"{pop.name} is ready\n{pop.edge.logged()[-3000:]}")
        self.fill_catalogue()

    def services(self):
        """Every program, by name."""
        found = [self.provider.service, *(hub.service for hub in self.hubs)]
        found += [service for one in self.centres for service in (one.service, one.leaf, one.tunnel) if service]
        found += self.database.services() if self.database else []
        return {service.name: service for service in found + [service for pop in self.pops for service in pop.services()]}

    def admin(self, command, **args):
        """An operator's command, at the first POP that reaches the centre. Where a POP does not, the next one is asked: a
        command may then be done twice, which makes an account that nobody uses, and a top-up has its reference."""
        problem = None
        for pop in self.pops:
            try:
                return pop.admin(command, **args)
            except AdminRefusal as refusal:
                if refusal.status != 503:
                    raise
                problem = refusal
            except OSError as error:  # it does not run
                problem = error
        raise problem

    def fill_catalogue(self):
        common = {"context_tokens": 128_000, "output_tokens_max": 100_000, "owned_by": "nodex"}
        self.admin("catalog.set", id=MODEL, **common, prices={"input": "1", "cached_input": "1", "output": "10", "reasoning": "10"})
        self.admin("catalog.set", id=OUTPUT_MODEL, **common,
                   prices={"input": "0", "cached_input": "0", "output": "10", "reasoning": "10"})

    def close(self):
        for service in self.services().values():
            service.thaw_if_alive()
            service.kill()
        self.wan.close()

    def remove(self):
        """Deletes the folder; close() came before."""
        shutil.rmtree(self.folder, ignore_errors=True)
