"""The model provider, on a host of its own behind TLS, with its call counters."""
import json
import os

from lab.hosts import Service
from support import programs
from support.waiting import until
from support.wire import Wire, request, trusting

PORT = 9900


class Provider:
    """nodex-provider. `first_token_ms` and `pace_ms` hold where a prompt does not say otherwise."""

    def __init__(self, world, host, *, first_token_ms=40, pace_ms=5):
        self.host, self.authority = host, world.authority
        folder = world.folder_of(host.name)
        chain, key = os.path.join(folder, "tls.crt"), os.path.join(folder, "tls.key")
        world.authority.issue(host.name, [host.address], chain, key)
        self.address = f"{host.address}:{PORT}"
        self.service = Service(host.name, host, [
            programs.find(world.build, "nodex-provider"), "--listen", self.address, "--tls-cert", chain, "--tls-key", key,
            "--first-token-ms", str(first_token_ms), "--pace-ms", str(pace_ms)], folder)

    def start(self):
        self.service.start()
        until(lambda: '{"listening"' in self.service.logged(), 20, "the provider listens")

    def counters(self):
        """{"total", "running", "by_key": {identity: runs}}."""
        with self.host.entered():
            wire = Wire(self.address, trusting(self.authority.ca_file))
        with wire:
            wire.send(request("GET", "/nodex/calls"))
            return json.loads(wire.answer().body)
