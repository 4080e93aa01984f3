"""The message network: two hubs joined by a route, and a leaf beside each edge. Leaf links and routes use mutual TLS."""
import os
import secrets
import shutil

from lab.hosts import Service

LEAF_ADDRESS = "127.0.0.1:4222"
CLIENT_PORT, LEAF_PORT, ROUTE_PORT = 4222, 7422, 6222
COMMON = """max_payload: 1114112
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


class Network:
    """Passwords of the message network, each POP's link key, and the secrets that POPs and centre share: made for this run."""

    def __init__(self, world):
        self.local = secrets.token_hex(16)  # of the program that shares a host with its leaf
        self.leaf = {host.name: secrets.token_hex(16) for host in [*world.named("pop"), *world.named("centre")]}
        self.link_keys = {host.name: secrets.token_hex(32) for host in world.named("pop")}
        # POPs and centre hash customers' keys alike, and POPs their idempotency keys.
        self.shared = {name: secrets.token_hex(32) for name in ("key_hash.key", "idempotency.key")}

    def share(self, folder):
        for name, value in self.shared.items():
            write_secret(os.path.join(folder, name), value)


def write_secret(path, value):
    """A file that its owner alone may read."""
    with open(path, "w", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(value + "\n")


class Hub:
    """One nats-server of the pair."""

    def __init__(self, world, host):
        self.world, self.host, self.folder = world, host, world.folder_of(host.name)
        self.config = os.path.join(self.folder, "nats.conf")
        self.service = Service(host.name, host, [server_program(), "-c", self.config], self.folder)
        self._configure()

    def _configure(self):
        self.world.authority.issue(self.host.name, [self.host.address], f"{self.folder}/tls.crt", f"{self.folder}/tls.key")
        address, held = self.host.address, self.world.network
        tls = tls_block(self.folder, self.world.authority)
        numbers = {host.name: number for number, host in enumerate(self.world.named("pop"), 1)}
        def others(name):
            return [number for other, number in numbers.items() if other != name]
        users = "\n".join(f'    {{ user: leaf_{name}, password: "{password}"{permissions(numbers.get(name), others(name))} }}'
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


def permissions(number, others):
    """What a POP may say and hear; a number stands for the receiver and then one for the sender. It may publish a wide allowance less the
    other senders: a hub passes another POP's interest on only where the whole of it is allowed. The centre (no number) is not limited."""
    if number is None:
        return ""
    publish = ["nx.v1.rpc.>", "nx.v1.pop.>", "nx.v1.popack.>"]
    never = [f"nx.v1.{kind}.*.{other}.>" for other in others for kind in ("pop", "popack")]
    subscribe = [f"nx.v1.ack.{number}.>", f"nx.v1.feed.{number}", f"nx.v1.pop.{number}.>", f"nx.v1.popack.{number}.>"]

    def words(subjects):
        return "[ " + ", ".join(f'"{subject}"' for subject in subjects) + " ]"
    deny = f", deny: {words(never)}" if never else ""
    return f", permissions: {{ publish: {{ allow: {words(publish)}{deny} }}, subscribe: {{ allow: {words(subscribe)} }} }}"


def leaf(world, host):
    """The nats-server beside a POP or a centre, as a Service; its configuration is written here. A link to a hub uses mutual
    TLS; only loopback is without."""
    folder = os.path.join(world.folder_of(host.name), "leaf")
    os.makedirs(folder, exist_ok=True)
    world.authority.issue(host.name, [host.address], f"{folder}/tls.crt", f"{folder}/tls.key")
    config, password = os.path.join(folder, "nats.conf"), world.network.leaf[host.name]
    urls = ", ".join(f'"nats-leaf://leaf_{host.name}:{password}@{hub.address}:{LEAF_PORT}"' for hub in world.named("hub"))
    with open(config, "w", encoding="ascii") as file:
        file.write(f"""server_name: {host.name}
listen: "{LEAF_ADDRESS}"
http: "127.0.0.1:8222"
{COMMON}accounts {{
  NX: {{ users: [ {{ user: local, password: "{world.network.local}" }} ] }}
  SYS: {{ users: [ {{ user: sys, password: "{secrets.token_hex(16)}" }} ] }}
}}
system_account: SYS
leafnodes {{ reconnect: 1, remotes: [ {{ urls: [ {urls} ], account: NX, tls: {tls_block(folder, world.authority, verify=False)} }} ] }}
""")
    return Service(f"{host.name}-leaf", host, [server_program(), "-c", config], folder)


def pop_leaf(world, pop):
    return leaf(world, pop.host)


def centre_leaf(world, host):
    return leaf(world, host)


def link_key_file(world, name, folder):
    path = os.path.join(folder, f"{name}.link.key")
    write_secret(path, world.network.link_keys[name])
    return path


def local_url(world):
    return f"nats://local:{world.network.local}@{LEAF_ADDRESS}"


def edge_sections(world, pop):
    """What a POP's configuration says about its centre; its secrets are put beside its own."""
    world.network.share(pop.secrets)
    return {"central": {"nats": local_url(world), "link_key": link_key_file(world, pop.name, pop.secrets)}}


def central_sections(world, one):
    """A centre's configuration, but for its store."""
    world.network.share(one.secrets)
    return {
        "node": {"name": one.name, "data_dir": one.data, "secrets_dir": one.secrets},
        "nats": {"url": local_url(world)},
        "durability": {"level": world.settings.durability},
        "storage": {"free_space_floor_bytes": 1 << 20},
        "log": {"level": "info"},
        "pop": [{"id": pop.number, "name": pop.name, "link_key": link_key_file(world, pop.name, one.secrets)} for pop in world.pops],
    }
