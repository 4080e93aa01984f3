"""The message network as deploy/nats makes it: mutual TLS between leaf and hub, and a POP that can speak and hear for itself only."""
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request

from support import built, programs
from support.cluster import GENERATE, NatsServer, Net
from support.nats_wire import Nats
from support.runner import test
from support.waiting import until


class Network:
    """All nats-servers of a Net; every leaf is linked."""

    def __init__(self, folder, pops=2, hubs=1, centres=1):
        self.net = Net(os.path.join(folder, "net"), pops, hubs, centres)
        self.servers = {name: self.net.server(name) for name in self.net.names}
        with self.client("hub") as hub:
            hub.subscribe("nx.v1.rpc.linked")
            for name in self.net.names[hubs:]:
                until(lambda: self.reaches(name, hub), 30, f"{name} is linked\n{self.servers[name].log()[-2000:]}")

    def reaches(self, name, hub):
        with self.client(name) as leaf:
            before = len(hub.flush())
            leaf.publish("nx.v1.rpc.linked")
            return len(hub.flush()) > before

    def client(self, name):
        return Nats(self.net.urls[name])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.servers.values():
            server.kill()


def leaf_handshake(net, certificate=None):
    """What a stranger gets at the hub's leaf listener: the first octets after the handshake, or the alert."""
    context = ssl.create_default_context(cafile=net.path("ca.pem"))
    if certificate:
        context.load_cert_chain(net.path(certificate, "tls.crt"), net.path(certificate, "tls.key"))
    host, port = net.addresses["hub-a.leaf"].rsplit(":", 1)
    with socket.create_connection((host, int(port)), 10) as plain:
        info = plain.recv(4096)
        assert info.startswith(b"INFO ") and b'"tls_required":true' in info and b'"tls_verify":true' in info, info
        with context.wrap_socket(plain, server_hostname=host) as secure:
            secure.sendall(b"CONNECT {}\r\nPING\r\n")
            return secure.recv(100)


@test
def leaves_do_not_compress(folder):
    # nats-server 2.10 would; an older one knows nothing of it, and does not start when it is told.
    with Network(folder) as network:
        with urllib.request.urlopen(f"http://{network.net.addresses['hub-a.monitor']}/leafz", timeout=10) as reply:
            leaves = json.load(reply)["leafs"]
        assert len(leaves) == 3 and all(leaf.get("compression", "off") == "off" for leaf in leaves), leaves
    for version, told in (("2.9.25", False), ("v2.10.0", True), ("3.0", True)):
        net = os.path.join(folder, version)
        subprocess.run([sys.executable, str(GENERATE), net, "--nats-version", version], check=True, capture_output=True, timeout=60)
        with open(os.path.join(net, "hub-a", "nats.conf"), encoding="ascii") as file:
            assert ("compression: off" in file.read()) == told, version


@test
def generated_files_are_valid_and_a_second_run_keeps_every_secret(folder):
    net = Net(os.path.join(folder, "net"), pops=3, hubs=2)
    for name in net.names:
        checked = subprocess.run([NatsServer.command(), "-t", "-c", "nats.conf"], cwd=net.path(name), capture_output=True, text=True,
                                 check=False)
        assert checked.returncode == 0, (name, checked.stderr)
    kept = ["ca.key", "hub-b/tls.key", "pop-2/tls.key", "pop-2/link.key", "centre/links/2.key", "centre/key_hash.key",
            "operators/operator.key"]

    def contents(name):
        path = net.path(name)
        assert os.stat(path).st_mode & 0o077 == 0, f"others may read {name}"
        with open(path, "rb") as file:
            return file.read()
    before = {name: contents(name) for name in kept}
    passwords = json.loads(contents("passwords.json"))
    Net(net.folder, pops=4, hubs=2)
    assert passwords.items() <= json.loads(contents("passwords.json")).items()
    assert {name: contents(name) for name in kept} == before
    assert contents("pop-4/key_hash.key") == contents("pop-1/key_hash.key") == contents("centre/key_hash.key")
    assert contents("pop-4/idempotency.key") == contents("pop-1/idempotency.key")
    assert contents("operators/operator.key") == contents("centre/operators/operator.key")
    assert contents("operators/operator.key").startswith(b"nodex-operator operator ")
    with open(net.path("centre", "central.toml"), encoding="ascii") as file:
        written = file.read()
    assert "[[operator]]" in written and "admin" not in written, "no POP is trusted with commands"
    assert contents("pop-4/link.key") == contents("centre/links/4.key") != contents("pop-1/link.key")


@test
def a_leaf_without_a_certificate_of_ours_is_refused(folder):
    with Network(folder, pops=1) as network:
        assert leaf_handshake(network.net, "pop-1"), "the positive control: with a certificate the hub answers"
        try:
            answer = leaf_handshake(network.net)
        except (ssl.SSLError, ConnectionError) as refused:
            answer = b""
            assert "certificate" in str(refused).lower() or isinstance(refused, ConnectionError), refused
        assert answer == b"", answer


@test
def a_pop_hears_only_what_is_addressed_to_it(folder):
    with Network(folder) as network, network.client("pop-1") as thief, network.client("pop-2") as owner, \
            network.client("hub") as hub:
        thief.subscribe(">")
        for subject in ("nx.v1.ack.2.>", "nx.v1.feed.2", "nx.v1.pop.2.>", "nx.v1.popack.2.>"):
            thief.subscribe(subject)
            owner.subscribe(subject)
        for subject in ("nx.v1.ack.1.>", "nx.v1.feed.1", "nx.v1.pop.1.>", "nx.v1.popack.1.>"):
            thief.subscribe(subject)
        secret = ["nx.v1.ack.2.5.1", "nx.v1.feed.2", "nx.v1.pop.2.9.fetch", "nx.v1.popack.2.9.5.1"]
        until(lambda: hub.publish("nx.v1.ack.2.0.0") or "nx.v1.ack.2.0.0" in owner.subjects(), 10, "interest has spread")
        until(lambda: hub.publish("nx.v1.ack.1.0.0") or "nx.v1.ack.1.0.0" in thief.subjects(), 10, "interest has spread")
        for subject in secret:
            hub.publish(subject)
        until(lambda: set(secret) <= set(owner.subjects()), 10, "the owner hears what is its own")
        hub.publish("nx.v1.ack.1.9.9")  # behind them on the same link
        until(lambda: "nx.v1.ack.1.9.9" in thief.subjects(), 10, "the thief hears its own")
        assert not [subject for subject in thief.subjects() if subject.startswith(
            ("nx.v1.ack.2", "nx.v1.feed.2", "nx.v1.pop.2", "nx.v1.popack.2"))], thief.subjects()


@test
def a_pop_speaks_only_under_its_own_number(folder):
    with Network(folder, pops=3) as network, network.client("pop-1") as forger, network.client("pop-2") as other, \
            network.client("hub") as hub:
        for listener in (other, hub):
            for subject in ("nx.v1.pop.2.>", "nx.v1.popack.2.>", "nx.v1.ack.2.>", "nx.v1.feed.2", "nx.v1.rpc.>"):
                listener.subscribe(subject)
        until(lambda: forger.publish("nx.v1.pop.2.1.hello") or "nx.v1.pop.2.1.hello" in other.subjects(), 10, "POP 1 reaches POP 2")
        for subject in ("nx.v1.pop.2.3.fetch", "nx.v1.pop.2.2.fetch", "nx.v1.popack.2.3.5.1", "nx.v1.ack.2.5.1", "nx.v1.feed.2"):
            forger.publish(subject)
        for subject in ("nx.v1.popack.2.1.5.1", "nx.v1.rpc.lease", "nx.v1.pop.2.1.last"):  # behind them, and allowed
            forger.publish(subject)
        allowed = {"nx.v1.pop.2.1.hello", "nx.v1.popack.2.1.5.1", "nx.v1.pop.2.1.last"}
        until(lambda: "nx.v1.pop.2.1.last" in other.subjects(), 10, "the last message is there")
        assert set(other.subjects()) - {"nx.v1.rpc.lease"} == allowed, other.subjects()
        assert set(hub.subjects()) == allowed | {"nx.v1.rpc.lease"}, hub.subjects()


@test
def of_a_hub_pair_either_may_die(folder):
    with Network(folder, pops=2, hubs=2) as network, network.client("centre") as centre:
        centre.subscribe("nx.v1.rpc.>")
        for victim, rest in (("hub-a", "hub-b"), ("hub-b", "hub-a")):
            network.servers[victim].kill()
            for name in ("pop-1", "pop-2"):
                subject = f"nx.v1.rpc.{name}.{rest}"
                with network.client(name) as pop:
                    until(lambda: pop.publish(subject) or subject in centre.subjects(), 30,
                          f"{name} reaches the centre over {rest}")
            network.servers[victim].start()


def silence(net, name):
    """After how many seconds at least, and at most, that nats-server gives up a peer that does not answer its pings."""
    with open(net.path(name, "nats.conf"), encoding="ascii") as file:
        text = file.read()
    interval, most = int(re.search(r'ping_interval: "(\d+)s"', text)[1]), int(re.search(r"ping_max: (\d+)", text)[1])
    return interval * most, interval * (most + 1)


# A leaf once came to the second hub while that one still took the frozen one for alive, with the leaf's interest on it: "Loop
# detected", and for 30 s the centre heard nobody (one of six times that a hub was frozen for ten seconds).
@test
def a_hub_gives_up_a_silent_peer_before_any_leaf_does(folder):
    net = Net(os.path.join(folder, "net"), pops=1, hubs=2)
    slowest_hub = max(silence(net, name)[1] for name in net.hubs)
    assert all(silence(net, name)[0] > slowest_hub for name in net.names[2:]), [silence(net, name) for name in net.names]


@test
def of_a_hub_pair_either_may_freeze_and_wake(folder):
    with Network(folder, pops=2, hubs=2) as network, network.client("centre") as centre:
        centre.subscribe("nx.v1.rpc.>")
        for victim in ("hub-a", "hub-b"):
            network.servers[victim].program.signal(signal.SIGSTOP)
            for moment in ("frozen", "awake"):
                for name in ("pop-1", "pop-2"):
                    subject = f"nx.v1.rpc.{name}.{victim}.{moment}"
                    with network.client(name) as pop:
                        until(lambda: pop.publish(subject) or subject in centre.subjects(), 20, f"{name} is heard, {victim} {moment}")
                network.servers[victim].program.signal(signal.SIGCONT)
        for name, server in network.servers.items():
            assert "Loop detected" not in server.log(), f"{name}\n{server.log()[-2000:]}"


@test
def two_centres_are_two_leaves_and_share_their_secrets(folder):
    with Network(folder, pops=1, centres=2) as network:  # every leaf is linked: a second one of one name would be refused
        net = network.net
        for name in ("key_hash.key", "root.key", "links/1.key"):
            with open(net.path("centre-a", name), "rb") as one, open(net.path("centre-b", name), "rb") as other:
                assert one.read() == other.read(), name
        with open(net.path("centre-b", "central.toml"), encoding="ascii") as file:
            assert 'kind = "postgres"' in file.read()
        with network.client("centre-a") as one, network.client("centre-b") as other:
            for centre in (one, other):
                centre.subscribe("nx.v1.rpc.>")
            with network.client("pop-1") as pop:
                for centre, name in ((one, "a"), (other, "b")):
                    subject = f"nx.v1.rpc.to.{name}"
                    until(lambda: pop.publish(subject) or subject in centre.subjects(), 20, f"centre-{name} hears the POP")


# libnats is linked to OpenSSL, we to BoringSSL, and both have a symbol SSL_new. The dynamic linker takes the first that it
# finds, so an innocent change of link order could hand our TLS to the other library. With every symbol bound at start and the
# linker telling what it did, both halves are visible: ours must be bound to BoringSSL without exception.
@test
def our_programs_bind_every_symbol_of_boringssl_to_boringssl(folder):
    for name in ("nodex-edge", "nodex-central"):
        program = programs.find(built.DIRECTORY, name)
        told = subprocess.run([program, "--version"], env={**os.environ, "LD_DEBUG": "bindings", "LD_BIND_NOW": "1"},
                              capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stderr[-500:]
        bound = {}
        for match in re.finditer(r"binding file (\S+) \[\d+\] to (\S+) \[\d+\]: normal symbol `([^']+)'", told.stderr):
            if os.path.basename(match[1]) == name:
                bound.setdefault(os.path.basename(os.path.dirname(match[2])) + "/" + os.path.basename(match[2]), []).append(match[3])
        libraries = {library for library in bound if "libcrypto" in library or "libssl" in library}
        assert libraries and all(library.startswith("android/") for library in libraries), bound.keys()
        assert any("EVP_aead" in symbol or "HMAC" in symbol for library in libraries for symbol in bound[library]), bound
        # Both are in the process, so the test is about something.
        assert "libnats.so" in told.stderr and "/libssl.so.3" in told.stderr
