"""The message network: two hubs joined by a route, and a leaf beside each edge."""
import os

from lab.hosts import Service

LEAF_ADDRESS = "127.0.0.1:4222"


class Secrets:
    def __init__(self, world):
        self.world = world

    def share(self):
        pass


class Hub:
    def __init__(self, world, host):
        self.world, self.host = world, host
        self.service = Service(host.name, host, [], world.folder_of(host.name))

    def start(self):
        self.service.start()
