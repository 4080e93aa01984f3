"""A POP: an edge, and beside it the leaf of the message network, on one host."""
import json
import os
import shutil
import socket
import subprocess

from lab import nats
from lab.hosts import Service
from support import programs, toml
from support.pop import MODEL, OUTPUT_MODEL, Admin
from support.waiting import until
from support.wire import Cut, Wire, request, trusting

TLS_PORT, METRICS_PORT = 443, 9464
LOOK_SECONDS = 1.0  # how long a look at /metrics may take before the node counts as silent


class Pop:
    """One POP. `number` from 1 is its pop_id."""

    def __init__(self, world, number, host):
        self.world, self.number, self.host = world, number, host
        self.name = host.name
        self.folder = world.folder_of(self.name)
        self.data, self.secrets = os.path.join(self.folder, "data"), os.path.join(self.folder, "secrets")
        self.config_path = os.path.join(self.folder, "edge.toml")
        self.admin = Admin(os.path.join(self.folder, "admin.sock"))
        self.leaf = None if world.standalone else nats.pop_leaf(world, self)
        self.ballast = os.path.join(self.data, "ballast")
        self.edge = Service(f"{self.name}-edge", host, self._arguments, self.folder,
                            environment={"NODEX_LAB_CREDENTIAL": "sk-lab"})
        self.context = None

    # --- life ---

    def _arguments(self):
        words = [programs.find(self.world.build, "nodex-edge"), "--config", self.config_path]
        return words + (["--standalone"] if self.world.standalone else [])

    def prepare(self):
        """Folders, certificate, secrets and configuration; nothing is started."""
        os.makedirs(self.data, mode=0o700, exist_ok=True)
        os.makedirs(self.secrets, mode=0o700, exist_ok=True)
        if self.world.settings.data_bytes:
            size = f"size={self.world.settings.data_bytes}"
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"{size},mode=0700", "lab", self.data], check=True)
        self.world.authority.issue(self.name, [self.host.address], os.path.join(self.secrets, "tls.crt"),
                                   os.path.join(self.secrets, "tls.key"))
        self.write_config()
        self.host.run(*self._arguments()[:3], "--init", env={**os.environ, **self.edge.environment})

    def config(self):
        settings = self.world.settings
        config = {
            "node": {"name": self.name, "region": self.host.region, "pop_id": self.number, "cores": 1, "data_dir": self.data,
                     "secrets_dir": self.secrets, "admin_socket": f"unix:{self.admin.path}"},
            "listen": {"tls": [f"{self.host.address}:{TLS_PORT}"], "plain": [], "metrics": f"127.0.0.1:{METRICS_PORT}"},
            "certificate": [{"chain": os.path.join(self.secrets, "tls.crt"), "key": os.path.join(self.secrets, "tls.key")}],
            "durability": {"level": settings.durability},
            "storage": {"free_space_floor_bytes": 8 << 20 if settings.data_bytes else 1 << 20},
            "log": {"level": "info", "access": os.path.join(self.folder, "access.log")},
            "provider": [{"name": "provider", "base_url": f"https://{self.world.provider.address}/v1", "dialect": "openai",
                          "credential": "env:NODEX_LAB_CREDENTIAL", "ca_file": self.world.authority.ca_file,
                          "models": {MODEL: "sim", OUTPUT_MODEL: "sim"}, "first_byte_timeout_ms": 20_000}],
        }
        if not self.world.standalone:
            config.update(nats.edge_sections(self.world, self))
        return config

    def write_config(self):
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(toml.text(self.config()))

    def start(self, seconds=40):
        """Leaf and edge, and the edge is ready."""
        self.start_leaf()
        self.start_edge(seconds)

    def start_leaf(self):
        if self.leaf is not None:
            self.leaf.start()
            self.leaf.wait_listening(nats.LEAF_ADDRESS)

    def start_edge(self, seconds=40):
        self.edge.start()
        if seconds:
            until(self.ready, seconds, f"{self.name} is ready\n{self.edge.logged()[-3000:]}")

    def ready(self):
        assert self.edge.alive(), f"{self.name} ended\n{self.edge.logged()[-3000:]}"
        try:
            return self.look("/readyz").status == 200
        except (OSError, AssertionError, Cut):
            return False

    def services(self):
        return [service for service in (self.edge, self.leaf) if service is not None]

    # --- disk ---

    def fill_disk(self, leave_bytes=0):
        """Nothing more than `leave_bytes` fits on the data disk (a scenario with data_bytes)."""
        assert self.world.settings.data_bytes, "the data disk of this scenario has no size of its own"
        free = os.statvfs(self.data).f_bavail * os.statvfs(self.data).f_frsize
        with open(self.ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(free - leave_bytes, 1))

    def free_disk(self):
        os.unlink(self.ballast)

    def lose_disk(self):
        """The data disk is replaced by an empty one; the edge must be down."""
        self._empty()

    def snapshot(self):
        """A copy of the data disk as it is; the edge must be down."""
        kept = os.path.join(self.folder, "snapshot")
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(self.data, kept)

    def roll_back(self):
        """The data disk is what it was at the snapshot; the edge must be down."""
        self._empty()
        shutil.copytree(os.path.join(self.folder, "snapshot"), self.data, dirs_exist_ok=True)

    def _empty(self):
        assert not self.edge.alive(), f"{self.name} runs"
        for name in os.listdir(self.data):
            path = os.path.join(self.data, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)

    # --- ways in ---

    @property
    def address(self):
        return f"{self.host.address}:{TLS_PORT}"

    def wire(self, host, seconds=30, connect_seconds=3):
        """A TLS connection from `host` to this POP."""
        if self.context is None:
            self.context = trusting(self.world.authority.ca_file)
        with host.entered():
            plain = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        return Wire(self.address, self.context, seconds=seconds, ready=plain, connect_seconds=connect_seconds)

    def look(self, path):
        """An answer of the metrics listener."""
        with self.host.entered():
            plain = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        with Wire(f"127.0.0.1:{METRICS_PORT}", seconds=LOOK_SECONDS, ready=plain) as wire:
            wire.send(request("GET", path))
            return wire.answer()

    def metrics(self):
        """{name{labels}: value}, or nothing when the node does not answer in time."""
        try:
            lines = self.look("/metrics").body.decode().splitlines()
        except (OSError, AssertionError, ValueError, Cut):
            return None
        return {name: float(number) for name, _, number in (line.rpartition(" ") for line in lines if line and line[0] != "#")}

    def listening(self):
        with open(os.path.join(self.data, "listen.json"), encoding="ascii") as file:
            return json.load(file)
