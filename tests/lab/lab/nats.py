"""The message network: two hubs joined by a route, and a leaf beside each edge. Leaf links and routes use mutual TLS."""
import os
import secrets
import shutil

from lab.hosts import Service

LEAF_ADDRESS = "127.0.0.1:4222"
CLIENT_PORT, LEAF_PORT, ROUTE_PORT = 4222, 7422, 6222
COMMON = """max_payload: 2MB
max_pending: 64MB
write_deadline: "10s"
ping_interval: "2s"
ping_max: 3
"""


def server_program():
    """Debian puts it into /usr/sbin, which a PATH may lack."""
    found = shutil.which("nats-server", path=os.environ.get("PATH", "") + ":/usr/sbin")
    assert found, "nats-server is not installed; run deploy/install_packages lab"
    return found


def tls_block(folder, authority, verify=True):
    check = "verify: true, " if verify else ""
    return (f'{{ cert_file: "{folder}/tls.crt", key_file: "{folder}/tls.key", ca_file: "{authority.ca_file}", {check}timeout: 5 }}')


class Secrets:
    """Passwords of the message network, and each POP's link key, made for this run."""

    def __init__(self, world):
        self.world = world
        self.local = secrets.token_hex(16)  # of the program that shares a host with its leaf
        self.leaf = {host.name: secrets.token_hex(16) for host in [*world.named("pop"), *world.named("centre")]}
        self.link_keys = {host.name: secrets.token_hex(32) for host in world.named("pop")}

    def share(self):
        """POPs and centre hash customers' keys alike, and POPs their idempotency keys; the first POP has made both secrets."""
        first, *others = self.world.pops
        for place in [*others, *self.world.centres]:
            for name in ("key_hash.key", "idempotency.key"):
                target = os.path.join(place.secrets, name)
                shutil.copyfile(os.path.join(first.secrets, name), target)
                os.chmod(target, 0o600)


class Hub:
    """One nats-server of the pair."""

    def __init__(self, world, host):
        self.world, self.host, self.folder = world, host, world.folder_of(host.name)
        self.config = os.path.join(self.folder, "nats.conf")
        self.service = Service(host.name, host, [server_program(), "-c", self.config], self.folder)

    def prepare(self):
        self.world.authority.issue(self.host.name, [self.host.address], f"{self.folder}/tls.crt", f"{self.folder}/tls.key")
        address, held = self.host.address, self.world.secrets
        tls = tls_block(self.folder, self.world.authority)
        numbers = {host.name: number for number, host in enumerate(self.world.named("pop"), 1)}
        users = "\n".join(f'    {{ user: leaf_{name}, password: "{password}"{permissions(numbers.get(name))} }}'
                          for name, password in held.leaf.items())
        routes = ", ".join(f'"nats-route://{other.address}:{ROUTE_PORT}"' for other in self.world.named("hub"))
        with open(self.config, "w", encoding="ascii") as file:
            file.write(f"""server_name: {self.host.name}
listen: "{address}:{CLIENT_PORT}"
http: "127.0.0.1:8222"
{COMMON}cluster {{ name: nxhub, listen: "{address}:{ROUTE_PORT}", routes: [ {routes} ], tls: {tls} }}
accounts {{
  NX: {{ users: [
{users}
  ] }}
  SYS: {{ users: [ {{ user: sys, password: "{secrets.token_hex(16)}" }} ] }}
}}
system_account: SYS
leafnodes {{ listen: "{address}:{LEAF_PORT}", advertise: "{address}:{LEAF_PORT}", tls: {tls} }}
""")

    def start(self):
        self.service.start()
        self.service.wait_listening(f"{self.host.address}:{CLIENT_PORT}")


def permissions(number):
    """What a POP may say and hear: calls to the centre, and what is addressed to itself or between POPs under its own number.
    The centre (no number) is not limited."""
    if number is None:
        return ""
    publish = ["nx.v1.rpc.>", f"nx.v1.pop.*.{number}.>", "nx.v1.ack.*.>", "_INBOX.>"]
    subscribe = [f"nx.v1.ack.{number}.>", f"nx.v1.feed.{number}", f"nx.v1.pop.{number}.>", "_INBOX.>"]
    def words(subjects):
        return "[ " + ", ".join(f'"{subject}"' for subject in subjects) + " ]"
    return f", permissions: {{ publish: {{ allow: {words(publish)} }}, subscribe: {{ allow: {words(subscribe)} }} }}"


def leaf(world, host):
    """The nats-server beside a POP or a centre, as a Service; its configuration is written here. A link to a hub uses mutual
    TLS; only loopback is without."""
    folder = os.path.join(world.folder_of(host.name), "leaf")
    os.makedirs(folder, exist_ok=True)
    world.authority.issue(host.name, [host.address], f"{folder}/tls.crt", f"{folder}/tls.key")
    config, password = os.path.join(folder, "nats.conf"), world.secrets.leaf[host.name]
    urls = ", ".join(f'"nats-leaf://leaf_{host.name}:{password}@{hub.address}:{LEAF_PORT}"' for hub in world.named("hub"))
    with open(config, "w", encoding="ascii") as file:
        file.write(f"""server_name: {host.name}
listen: "{LEAF_ADDRESS}"
http: "127.0.0.1:8222"
{COMMON}accounts {{
  NX: {{ users: [ {{ user: local, password: "{world.secrets.local}" }} ] }}
  SYS: {{ users: [ {{ user: sys, password: "{secrets.token_hex(16)}" }} ] }}
}}
system_account: SYS
leafnodes {{ reconnect: 1, remotes: [ {{ urls: [ {urls} ], account: NX, tls: {tls_block(folder, world.authority, verify=False)} }} ] }}
""")
    return Service(f"{host.name}-leaf", host, [server_program(), "-c", config], folder)


def link_key_file(world, name, folder):
    """The POP's link key as a file of `folder`, readable by its owner alone."""
    path = os.path.join(folder, f"{name}.link.key")
    with open(path, "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(world.secrets.link_keys[name] + "\n")
    return path


def local_url(world):
    return f"nats://local:{world.secrets.local}@{LEAF_ADDRESS}"


def edge_sections(world, pop):
    """What a POP's configuration says about its centre."""
    return {"central": {"nats": local_url(world), "link_key": link_key_file(world, pop.name, pop.secrets)}}


def central_sections(world, one):
    """A centre's configuration, but for its store."""
    return {
        "node": {"name": one.name, "data_dir": one.data, "secrets_dir": one.secrets},
        "nats": {"url": local_url(world)},
        "durability": {"level": world.settings.durability},
        "storage": {"free_space_floor_bytes": 1 << 20},
        "log": {"level": "info"},
        "pop": [{"id": pop.number, "name": pop.name, "link_key": link_key_file(world, pop.name, one.secrets)} for pop in world.pops],
    }
