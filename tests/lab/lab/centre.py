"""The centre: nodex-central on RocksDB (one), or on PostgreSQL (two, with a primary and a synchronous standby)."""
import os

from lab import nats
from lab.hosts import Service
from support import programs, toml


class Centre:
    """One nodex-central."""

    def __init__(self, world, host):
        self.world, self.host, self.name = world, host, host.name
        self.folder = world.folder_of(self.name)
        self.data = os.path.join(self.folder, "data")
        self.config_path = os.path.join(self.folder, "central.toml")
        self.service = Service(self.name, host, [programs.find(world.build, "nodex-central"), "--config", self.config_path],
                               self.folder)

    def prepare(self):
        os.makedirs(self.data, mode=0o700, exist_ok=True)
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(toml.text(nats.central_sections(self.world, self)))

    def start(self):
        self.service.start()
