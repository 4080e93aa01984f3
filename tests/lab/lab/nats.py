"""The message network as an operator gets it: deploy/nats/generate makes certificates, passwords, keys and configurations of two hubs,
a leaf beside each edge and one beside each centre; here they are put on their hosts and started."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

from lab.hosts import Service

GENERATE = pathlib.Path(__file__).resolve().parents[3] / "deploy" / "nats" / "generate"
LEAF_ADDRESS = "127.0.0.1:4222"
LEAF_PORT = 7422


def server_program():
    """Debian puts it into /usr/sbin, which a PATH may lack."""
    found = shutil.which("nats-server", path=os.environ.get("PATH", "") + ":/usr/sbin")
    assert found, "nats-server is not installed; run deploy/install_packages lab"
    return found


class Network:
    """What deploy/nats/generate has made for this run."""

    def __init__(self, world):
        self.world, self.folder = world, os.path.join(world.folder, "network")
        hubs = [word for host in world.named("hub") for word in ("--hub", host.address)]
        centres = [host.name for host in world.named("centre")]
        # Which of the folders is whose: a single centre's has no letter.
        self.centres = dict(zip(centres, centres if len(centres) > 1 else ["centre"]))
        subprocess.run([sys.executable, str(GENERATE), self.folder, "--pops", str(len(world.named("pop"))), "--centres",
                        str(len(centres)), "--days", "2", *hubs], check=True, capture_output=True)
        self.urls = json.loads(pathlib.Path(self.folder, "urls.json").read_text(encoding="ascii"))

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def place(self, names, source, target):
        """Copies secrets of a machine's folder to where its program looks for them."""
        for name in names:
            path = os.path.join(target, name)
            shutil.copyfile(self.path(source, name), path)
            os.chmod(path, 0o600)

    def server(self, name, host, source):
        """A nats-server on `host` with the folder that was made for `source`."""
        folder = os.path.join(self.world.folder_of(host.name), "nats")
        shutil.copytree(self.path(source), folder)
        # File names in the configuration are relative to where it is started.
        return Service(name, host, ["env", "-C", folder, server_program(), "-c", "nats.conf"], self.world.folder_of(host.name))


class Hub:
    """One nats-server of the pair."""

    def __init__(self, world, host):
        self.host = host
        self.service = world.network.server(host.name, host, host.name)

    def start(self):
        self.service.start()
        self.service.wait_listening(f"{self.host.address}:{LEAF_PORT}")


def pop_leaf(world, pop):
    return world.network.server(f"{pop.name}-leaf", pop.host, f"pop-{pop.number}")


def centre_leaf(world, host):
    return world.network.server(f"{host.name}-leaf", host, world.network.centres[host.name])


def edge_sections(world, pop):
    """What a POP's configuration says about its centre; its secrets are put beside its own."""
    world.network.place(["link.key", "key_hash.key", "idempotency.key"], f"pop-{pop.number}", pop.secrets)
    return {"central": {"nats": world.network.urls[f"pop-{pop.number}"], "link_key": os.path.join(pop.secrets, "link.key")}}


def central_sections(world, one):
    """A centre's configuration, but for its store."""
    network = world.network
    source = network.centres[one.name]
    network.place(["key_hash.key"] + ["root.key"] * (len(network.centres) > 1), source, one.secrets)
    return {
        "node": {"name": one.name, "data_dir": one.data, "secrets_dir": one.secrets},
        "nats": {"url": network.urls[source]},
        "durability": {"level": world.settings.durability},
        "storage": {"free_space_floor_bytes": 1 << 20},
        "log": {"level": "info"},
        "pop": [{"id": pop.number, "name": pop.name, "admin": True,
                 "link_key": network.path(source, "links", f"{pop.number}.key")}
                for pop in world.pops],
    }
