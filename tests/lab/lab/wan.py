"""The cables between hosts: one nodex-lab-wan process that carries every packet, and cuts lines on request."""
import itertools
import os
import socket
import subprocess

from lab import regions
from lab.hosts import Host
from support import programs


class WanRefusal(Exception):
    """The program did not take a command."""


class Wan:
    """All hosts and the lines between them. Hosts are added first, then start()."""

    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.hosts = {}
        self.process = self.control = None
        self.cuts = set()

    def add(self, name, region):
        self.hosts[name] = Host(name, region, f"10.77.{len(self.hosts) + 1}.1")
        return self.hosts[name]

    def start(self):
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(10)
        names = [f"{host.name}={host.tun}={host.address}" for host in self.hosts.values()]
        with open(os.path.join(self.folder, "wan.log"), "wb") as log:
            self.process = subprocess.Popen(
                [programs.find(self.build, "nodex-lab-wan"), str(theirs.fileno()), *names],
                pass_fds=[theirs.fileno(), *(host.tun for host in self.hosts.values())], stderr=log, stdout=log)
        theirs.close()
        for one, other in itertools.permutations(self.hosts.values(), 2):
            self.command("line", one.name, other.name, *regions.line(one.region, other.region))

    def command(self, *words):
        self.control.send(" ".join(map(str, words)).encode())
        reply = self.control.recv(4096).decode()
        if not reply.startswith("ok"):
            raise WanRefusal(reply)
        return [int(word) for word in reply.split()[1:]]

    def cut(self, ones, others, both=True):
        """Packets from any of `ones` to any of `others` vanish, with `both` also the other way."""
        for one, other in itertools.product(ones, others):
            for a, b in [(one, other), (other, one)] if both else [(one, other)]:
                self.command("cut", a.name, b.name)
                self.cuts.add((a.name, b.name))

    def heal(self):
        """Every line is whole again."""
        for one, other in self.cuts:
            self.command("heal", one, other)
        self.cuts.clear()

    def delay(self, one, other, round_trip_ms, bits_per_second=regions.WIDE_BITS_PER_SECOND):
        """Another line between two hosts."""
        for a, b in ((one, other), (other, one)):
            self.command("line", a.name, b.name, int(round_trip_ms * 500), bits_per_second)

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        for host in self.hosts.values():
            host.close()
