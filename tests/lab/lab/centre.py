"""The centre: nodex-central on RocksDB (one), or on PostgreSQL (two, with a primary and a synchronous standby)."""
import os
import shutil

from lab import nats, postgres
from lab.hosts import Service
from support import programs, toml


class Centre:
    """One nodex-central, with the leaf that it reaches the hubs through."""

    def __init__(self, world, host):
        self.world, self.host, self.name = world, host, host.name
        self.folder = world.folder_of(self.name)
        self.data, self.secrets = os.path.join(self.folder, "data"), os.path.join(self.folder, "secrets")
        self.config_path = os.path.join(self.folder, "central.toml")
        self.leaf = nats.centre_leaf(world, host)
        self.service = Service(self.name, host, [programs.find(world.build, "nodex-central"), "--config", self.config_path],
                               self.folder)
        self.tunnel = world.database.tunnel(world, host, self.folder) if world.database else None
        os.makedirs(self.data, mode=0o700, exist_ok=True)
        os.makedirs(self.secrets, mode=0o700, exist_ok=True)

    def prepare(self):
        """The configuration; the secrets that it shares with the POPs are there."""
        sections = nats.central_sections(self.world, self)
        if self.world.database:
            sections["store"] = {"kind": "postgres", "url": self.world.database.connection()}
        sections.update(self.world.settings.central)
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(toml.text(sections))
        self.host.run(*self.service.arguments(), "--init")

    def start(self):
        self.leaf.start()
        self.leaf.wait_listening(nats.LEAF_ADDRESS)
        if self.tunnel:
            self.tunnel.start()
            self.tunnel.wait_listening(f"127.0.0.1:{postgres.TUNNEL_PORTS[0]}")
        self.start_centre()

    def start_centre(self):
        self.service.start()

    # --- the ledger on RocksDB ---

    def snapshot(self):
        """A backup of the ledger as it is; the centre must be down."""
        shutil.copytree(self.data, self._backup())

    def roll_back(self):
        """The ledger is what it was at the backup; the centre must be down."""
        assert not self.service.alive(), f"{self.name} runs"
        shutil.rmtree(self.data)
        shutil.copytree(self._backup(), self.data)

    def _backup(self):
        return os.path.join(self.folder, "backup")
