"""Several POPs and their centre for tests: nats-server, nodex-central and edges, each a real process."""
import os
import shutil
import socket
import tempfile

from support import built, programs, toml
from support.pop import Pop
from support.waiting import until

SHARED_SECRETS = ("key_hash.key", "idempotency.key")  # the same at every POP, and the first at the centre


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def nats_server():
    """Debian puts it where a test's PATH may not look."""
    path = "/usr/sbin/nats-server"
    return path if os.access(path, os.X_OK) else shutil.which("nats-server") or path


class ClusterPop(Pop):
    """A POP behind NATS; each has its own provider, so that calls can be told apart."""

    def __init__(self, cluster, number, config):
        self.cluster, self.number = cluster, number
        super().__init__(config=config)

    def default_config(self):
        config = super().default_config()
        config["node"] |= {"name": f"pop{self.number}", "pop_id": self.number, "cores": 1}
        config["central"] = {"nats": self.cluster.nats_url, "link_key": self.cluster.link_key(self.number)}
        return config

    def init(self):
        super().init()
        for name in SHARED_SECRETS:
            self.cluster.share(name, self.secrets_dir)

    def launch(self):
        listen = os.path.join(self.data_dir, "listen.json")
        if os.path.exists(listen):
            os.unlink(listen)
        self.edge = self.program()

    def fill_catalogue(self):
        if self.number == 1:
            super().fill_catalogue()

    def claims(self, word):
        """How often the centre answered that word to this POP."""
        return self.metrics()[f'nodex_claims_total{{word="{word}"}}']


class Cluster:
    """`config` as of Pop, for every POP."""

    def __init__(self, pops=2, config=None):
        self.build = built.DIRECTORY
        self.folder = tempfile.mkdtemp(prefix="nodex-cluster-")
        self.secrets_dir = os.path.join(self.folder, "secrets")
        self.nats_port = free_port()
        self.nats = self.central = None
        self.pops = []
        try:
            self.start_nats()
            self.write_central_config(pops)
            status = self.central_program("--init").wait(20)
            assert status == 0, self.central_log()
            self.start_central()
            for number in range(1, pops + 1):
                self.pops.append(ClusterPop(self, number, config))
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for pop in self.pops:
            pop.close()
        for program in (self.central, self.nats):
            if program is not None and program.alive():
                program.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def nats_url(self):
        return f"nats://127.0.0.1:{self.nats_port}"

    def link_key(self, number):
        return os.path.join(self.secrets_dir, f"pop{number}.link.key")

    def share(self, name, secrets_dir):
        """The first that has a secret gives it to all."""
        shared, own = os.path.join(self.secrets_dir, name), os.path.join(secrets_dir, name)
        if os.path.exists(shared):
            os.unlink(own)
            shutil.copy2(shared, own)
        else:
            shutil.copy2(own, shared)

    # --- the centre's programs ---

    def start_nats(self):
        config = os.path.join(self.folder, "nats.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write("max_payload: 1114112\n")
        self.nats = programs.Program([nats_server(), "-a", "127.0.0.1", "-p", str(self.nats_port), "-c", config],
                                     os.path.join(self.folder, "nats.log"))
        until(self.nats_answers, 20, "nats-server listens\n" + self.nats.logged())

    def nats_answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.nats_port), 1).close()
            return True
        except OSError:
            return False

    def write_central_config(self, pops):
        data_dir = os.path.join(self.folder, "central")
        for folder in (data_dir, self.secrets_dir):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        config = {"node": {"data_dir": data_dir, "secrets_dir": self.secrets_dir}, "nats": {"url": self.nats_url},
                  "durability": {"level": "process"},
                  "pop": [{"id": number, "name": f"pop{number}", "link_key": self.link_key(number)}
                          for number in range(1, pops + 1)]}
        with open(os.path.join(self.folder, "central.toml"), "w", encoding="utf-8") as file:
            file.write(toml.text(config))

    def central_program(self, *arguments):
        return programs.Program([programs.find(self.build, "nodex-central"), "--config",
                                 os.path.join(self.folder, "central.toml"), *arguments],
                                os.path.join(self.folder, "central.log"))

    def central_log(self):
        with open(os.path.join(self.folder, "central.log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def start_central(self):
        """POPs wait for it, so nobody else has to."""
        self.central = self.central_program()

    # --- customers ---

    def clients(self, **args):
        """One customer as a client of every POP."""
        first = self.pops[0].client(**args)
        others = []
        for pop in self.pops[1:]:
            pop.until_known(first.key)
            other = type(first)(pop, first.key)
            other.account, other.key_id = first.account, first.key_id
            others.append(other)
        return [first, *others]

    def calls(self, identity):
        """How often the model was called, by all POPs."""
        return sum(pop.provider.calls(identity) for pop in self.pops)
