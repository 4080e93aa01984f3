"""Hosts: network namespaces with one cable each, and the programs that run on them."""
import contextlib
import ctypes
import fcntl
import glob
import os
import shlex
import socket
import struct
import subprocess
import threading

from support import programs
from support.waiting import until

CLONE_NEWNET = 0x40000000
TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
TUN_F_CSUM, TUN_F_TSO4 = 0x01, 0x02
LIBC = ctypes.CDLL(None, use_errno=True)


def _checked(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


class CommandFailed(Exception):
    """A command on a host ended with an error."""


class Host:
    """A machine: a network namespace, an address, a TUN device whose other end the WAN program holds."""

    def __init__(self, name, region, address):
        self.name, self.region, self.address = name, region, address
        self.namespace = self.tun = None
        # A thread of its own: unshare changes the thread that calls it, and this one is thrown away.
        self._in_thread(self._make)

    @staticmethod
    def _in_thread(function):
        problems = []

        def run():
            try:
                function()
            except Exception as problem:  # handed to the caller's thread
                problems.append(problem)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if problems:
            raise problems[0]

    def _make(self):
        _checked(LIBC.unshare(CLONE_NEWNET), "unshare")
        self.namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(self.tun, TUNSETIFF, struct.pack("16sH22x", b"wan", IFF_TUN | IFF_NO_PI | IFF_VNET_HDR))
        # TCP's segments of a burst come as one piece with its segment size beside it, as to a network card that cuts them by itself: the
        # cables run on the processors of what is rehearsed here, and one by one they took a third of both.
        fcntl.ioctl(self.tun, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4)
        for words in ("link set lo up", f"addr add {self.address}/32 dev wan", "link set wan up mtu 1500",
                      "route add default dev wan"):
            subprocess.run(["ip", *words.split()], check=True)  # a child inherits this thread's namespace

    @contextlib.contextmanager
    def entered(self):
        """Sockets that this thread makes inside belong to the host."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _checked(LIBC.setns(self.namespace, CLONE_NEWNET), "setns")
            yield
        finally:
            _checked(LIBC.setns(home, CLONE_NEWNET), "setns")
            os.close(home)

    @property
    def wrapper(self):
        """Words in front of a command that has to run here."""
        return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{self.namespace}", "--"]

    def run(self, *arguments, **options):
        """Runs a command here to its end; CommandFailed with what it said, unless check=False."""
        check = options.pop("check", True)
        done = subprocess.run([*self.wrapper, *arguments], **{"check": False, "capture_output": True, "text": True, **options})
        if check and done.returncode != 0:
            raise CommandFailed(f"{shlex.join(arguments)} on {self.name}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def firewall(self, rules):
        """Replaces the host's nftables rules by `rules`, the lines of one input and output chain; none clears them."""
        text = "flush ruleset\n"
        if rules:
            chains = "".join(f"chain {hook} {{ type filter hook {hook} priority 0; {'; '.join(lines)}; }}\n"
                             for hook, lines in rules.items())
            text += f"table inet lab {{\n{chains}}}\n"
        self.run("nft", "-f", "-", input=text)

    def close(self):
        os.close(self.tun)
        os.close(self.namespace)


class Service:
    """A program on a host that is started, killed, frozen and started again. `arguments` may be a function, so that
    a restart reads what has changed."""

    def __init__(self, name, host, arguments, folder, *, environment=None, wrapper=()):
        self.name, self.host, self.folder = name, host, folder
        self._arguments = arguments
        self.environment = dict(environment or {})
        self.extra_wrapper = list(wrapper)
        self.log = os.path.join(folder, f"{name}.log")
        self.program = None
        self.tracer = None
        self.clock_file = None  # of a program whose wall clock can be moved

    def arguments(self):
        return self._arguments() if callable(self._arguments) else self._arguments

    def start(self):
        assert not self.alive(), f"{self.name} runs already"
        self.program = programs.Program(self.arguments(), self.log, self.environment, [*self.host.wrapper, *self.extra_wrapper])

    def own_clock(self):
        """From the next start on the program's wall clock can be moved; its monotonic clock and its timers cannot, as in
        a machine whose time is set."""
        libraries = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        assert libraries, "faketime is not installed; run deploy/install_packages lab"
        self.clock_file = os.path.join(self.folder, f"{self.name}.clock")
        self.set_clock(0)
        self.environment.update(LD_PRELOAD=libraries[0], FAKETIME_TIMESTAMP_FILE=self.clock_file, FAKETIME_CACHE_DURATION="1",
                                DONT_FAKE_MONOTONIC="1", FAKETIME_DONT_FAKE_MONOTONIC="1", LD_LIBRARY_PATH=self._plain_allocator())

    def _plain_allocator(self):
        """A folder in which libjemalloc is libc: jemalloc reads the clock while it starts, and libfaketime allocates while it
        does, so that with both a program never gets to its main()."""
        folder = os.path.join(self.folder, f"{self.name}.allocator")
        os.makedirs(folder, exist_ok=True)
        name = os.path.join(folder, "libjemalloc.so.2")
        if not os.path.islink(name):
            os.symlink(glob.glob("/lib/*/libc.so.6")[0], name)
        return folder

    def set_clock(self, offset_seconds):
        """The wall clock is `offset_seconds` ahead of the truth, within a second from now."""
        with open(self.clock_file, "w", encoding="ascii") as file:
            file.write(f"{offset_seconds:+d}\n")

    def alive(self):
        return self.program is not None and self.program.alive()

    def kill(self):
        """kill -9."""
        self.quicken_disk()
        if self.program is not None:
            self.program.kill()

    def terminate(self, seconds=40):
        self.quicken_disk()
        return self.program.terminate(seconds)

    def freeze(self):
        """The program and all its children stand still."""
        self.program.freeze()

    def thaw(self):
        self.program.thaw()

    def thaw_if_alive(self):
        if self.alive():
            self.thaw()

    def slow_disk(self, delay_ms):
        """Every fsync and fdatasync takes `delay_ms` longer, until quicken_disk()."""
        calls = "fsync,fdatasync,sync_file_range"
        self.tracer = subprocess.Popen(
            ["strace", "-q", "-f", "-o", "/dev/null", "-p", str(self.program.pid), "-e", f"trace={calls}",
             "-e", f"inject={calls}:delay_enter={delay_ms * 1000}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: self.program.status("TracerPid") != "0", 60, f"{self.name} is traced")

    def quicken_disk(self):
        if self.tracer is not None:
            self.tracer.terminate()  # strace detaches and lets the program run on
            self.tracer.wait()
            self.tracer = None

    def logged(self):
        return self.program.logged() if self.program else ""

    def wait_listening(self, address, seconds=20):
        """Until something accepts connections at HOST:PORT, as seen from this host."""
        host, _, port = address.rpartition(":")

        def accepts():
            assert self.alive(), f"{self.name} ended: {shlex.join(self.arguments())}\n{self.logged()[-3000:]}"
            with self.host.entered():
                connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            with connection:
                connection.settimeout(1)
                return connection.connect_ex((host, int(port))) == 0
        until(accepts, seconds, f"{self.name} listens at {address}")
