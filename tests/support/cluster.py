"""A centre and its POPs for tests: the nats-servers that deploy/nats makes, nodex-central, and edges. Everything real."""
import itertools
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

from support import built, programs, toml, workers
from support.pop import Client, Pop
from support.waiting import until

GENERATE = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "nats" / "generate"


# Below what the kernel gives to those who name no port: a server that is killed finds its own free again.
FIRST_PORT, END_PORT = 20_000, 32_000


def ports_here():
    """The ports of this process, which no other worker uses, in turn; from anywhere, because another run may go on beside this one."""
    number, count = workers.place()
    share = (END_PORT - FIRST_PORT) // count
    begin = random.randrange(share)
    return itertools.cycle(FIRST_PORT + number * share + (begin + each) % share for each in range(share))


PORTS = ports_here()


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_addresses(count):
    """Loopback addresses with ports that nobody has, all different."""
    return [f"127.0.0.1:{port}" for port in itertools.islice(filter(is_free, PORTS), count)]


def listens(address):
    host, port = address.rsplit(":", 1)
    try:
        with socket.create_connection((host, int(port)), 1):
            return True
    except OSError:
        return False


class Net:
    """What deploy/nats/generate makes, on one machine, with ports of its own."""

    def __init__(self, folder, pops=2, hubs=1, centres=1):
        self.folder = folder
        self.hubs = ["hub-a", "hub-b"][:hubs]
        self.centres = ["centre"] if centres == 1 else [f"centre-{letter}" for letter in "abcdefgh"[:centres]]
        self.names = [*self.hubs, *self.centres, *(f"pop-{pop}" for pop in range(1, pops + 1))]
        places = [f"{hub}.{kind}" for hub in self.hubs for kind in ("client", "leaf", "route", "monitor")]
        places += [place for name in self.names[hubs:] for place in (name, f"{name}.monitor")]
        self.addresses = dict(zip(places, free_addresses(len(places))))
        subprocess.run(
            [sys.executable, str(GENERATE), folder, "--pops", str(pops), "--centres", str(centres), *(["--hub", "127.0.0.1"] * hubs),
             *(word for item in self.addresses.items() for word in ("--address", "=".join(item)))],
            check=True, capture_output=True, timeout=60)
        with open(os.path.join(folder, "urls.json"), encoding="ascii") as file:
            self.urls = json.load(file)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def server(self, name):
        return NatsServer(self.path(name), self.addresses.get(f"{name}.client") or self.addresses[name])


class NatsServer:
    """One nats-server in a folder with nats.conf. Debian puts the program into /usr/sbin, which a PATH may lack."""

    def __init__(self, folder, address):
        self.folder, self.address = folder, address
        self.program = None
        self.start()

    @staticmethod
    def command():
        found = shutil.which("nats-server", path=os.environ.get("PATH", "") + ":/usr/sbin")
        assert found, "nats-server is not installed: deploy/install_packages test"
        return found

    def start(self):
        self.program = programs.Program([self.command(), "-c", "nats.conf"], os.path.join(self.folder, "nats.log"),
                                        folder=self.folder)
        until(lambda: listens(self.address), 20, f"nats-server listens\n{self.program.logged()}")

    def log(self):
        return self.program.logged()

    def kill(self):
        self.program.kill()


class Central:
    """nodex-central with its ledger."""

    def __init__(self, folder, url, link_keys, config=None):
        self.folder = folder
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.config_path = os.path.join(folder, "central.toml")
        self.config = {
            "node": {"name": os.path.basename(folder), "data_dir": os.path.join(folder, "data"), "secrets_dir": folder},
            "nats": {"url": url}, "durability": {"level": "process"}, "listen": {"metrics": "127.0.0.1:0"},
            "pop": [{"id": pop, "link_key": path, "admin": True} for pop, path in link_keys.items()],
            **(config or {}),
        }
        self.program = None
        self.write_config()
        assert self.run("--init").wait(20) == 0, self.log()

    def write_config(self):
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(toml.text(self.config))

    def run(self, *arguments):
        return programs.Program([programs.find(built.DIRECTORY, "nodex-central"), "--config", self.config_path, *arguments],
                                os.path.join(self.folder, "central.log"))

    def log(self):
        with open(os.path.join(self.folder, "central.log"), encoding="utf-8") as file:
            return file.read()

    def start(self):
        before = self.log().count("central_serving")
        self.program = self.run()

        def serving():
            assert self.program.alive(), f"nodex-central ended\n{self.log()[-3000:]}"
            return self.log().count("central_serving") > before
        until(serving, 60, "nodex-central serves")

    def metrics_address(self):
        """As bound by the process that runs now."""
        serving = [json.loads(line) for line in self.log().splitlines() if '"central_serving"' in line]
        return serving[-1]["metrics"]

    def kill(self):
        self.program.kill()

    def reload(self):
        def told():
            return self.log().count('"reloaded"') + self.log().count("reload_refused")
        before = told()
        self.program.signal(signal.SIGHUP)
        until(lambda: told() > before, 10, "the reload is in the log")


class ClusterPop(Pop):
    """A POP with a leaf of its own, and with its own provider, so that calls can be told apart."""

    def __init__(self, cluster, number, config):
        self.cluster = cluster
        folder = f"pop-{number}"
        sections = {"node": {"name": folder, "pop_id": number, "cores": 1},
                    "central": {"nats": cluster.net.urls[folder], "link_key": cluster.net.path(folder, "link.key")}}
        for section, items in (config or {}).items():
            sections.setdefault(section, {}).update(items)
        super().__init__(config=sections, catalogue=number == 1,
                         secrets=[cluster.net.path(folder, name) for name in ("key_hash.key", "idempotency.key")])

    def claims(self, word):
        """How often the centre answered that word to this POP."""
        return self.metrics()[f'nodex_claims_total{{word="{word}"}}']


class Cluster:
    """Hubs, a centre (or several, on one database), and POPs with a leaf each; `pops[0]` has filled the catalogue. `config` as of Pop,
    for every POP; `central_config` of the centres."""

    def __init__(self, pops=2, hubs=1, config=None, centres=1, central_config=None):
        self.folder = tempfile.mkdtemp(prefix="nodex-cluster-")
        self.servers, self.pops, self.centrals = {}, [], []
        try:
            self.net = Net(self.folder, pops, hubs, centres)
            for name in self.net.names:
                self.servers[name] = self.net.server(name)
            for name in self.net.centres:
                links = {pop: self.net.path(name, "links", f"{pop}.key") for pop in range(1, pops + 1)}
                self.centrals.append(Central(self.net.path(name), self.net.urls[name], links, central_config))
                self.centrals[-1].start()
            for number in range(1, pops + 1):
                self.pops.append(ClusterPop(self, number, config))
        except BaseException:
            self.close()
            raise

    @property
    def central(self):
        return self.centrals[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for pop in self.pops:
            pop.close()
        for central in self.centrals:
            if central.program is not None:
                central.kill()
        for server in self.servers.values():
            server.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- customers ---

    def at(self, pop, client):
        """The same customer at another POP, which knows the key when this returns."""
        pop.until_known(client.key)
        other = Client(pop, client.key)
        other.account, other.key_id = client.account, client.key_id
        return other

    def clients(self, **args):
        """One customer as a client of every POP."""
        first = self.pops[0].client(**args)
        return [first, *(self.at(pop, first) for pop in self.pops[1:])]

    def calls(self, identity):
        """How often the model was called, by all POPs."""
        return sum(pop.provider.calls(identity) for pop in self.pops)
