"""The programs under test as processes: started in a folder of their own, watched, and always ended."""
import atexit
import contextlib
import os
import signal
import subprocess

from support.waiting import until

RUNNING = set()


@atexit.register
def end_all():
    """A test that fails in the middle must not leave a server behind."""
    for program in list(RUNNING):
        program.kill()


def find(build, name):
    """The executable of that name below the build directory."""
    for folder, folders, files in os.walk(build):
        folders[:] = [f for f in folders if not f.endswith(".p") and not f.startswith("meson-")]
        path = os.path.join(folder, name)
        if name in files and os.access(path, os.X_OK):
            return os.path.abspath(path)
    raise FileNotFoundError(f"{name} is not built in {build}")


class Program:
    """One process; its standard output and error go to `log`."""

    def __init__(self, arguments, log, environment=None, wrapper=(), folder=None):
        self.arguments = [*wrapper, *arguments]
        self.log = log
        with open(log, "ab") as target:
            self.process = subprocess.Popen(
                self.arguments, stdin=subprocess.DEVNULL, stdout=target, stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})}, start_new_session=True, cwd=folder)
        RUNNING.add(self)

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def logged(self):
        with open(self.log, "rb") as file:
            return file.read().decode("utf-8", "replace")

    def _gone(self):
        RUNNING.discard(self)
        return self.process.returncode

    def kill(self):
        """kill -9, and the process is gone when this returns."""
        self.process.kill()
        self.process.wait()
        return self._gone()

    def signal(self, number):
        self.process.send_signal(number)

    def family(self):
        """The process and its descendants, parents first."""
        found = [self.pid]
        for pid in found:
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                found += [int(child) for child in file.read().split()]
        return found

    def freeze(self):
        """SIGSTOP to all of it: connections stay open and nothing answers, as with a stalled hypervisor."""
        self._signal_family(signal.SIGSTOP)

    def thaw(self):
        self._signal_family(signal.SIGCONT)

    def _signal_family(self, number):
        for pid in self.family():
            with contextlib.suppress(ProcessLookupError):  # a child that has ended since
                os.kill(pid, number)

    def wait(self, seconds):
        """The exit status; fails when the process has not ended by then."""
        until(lambda: not self.alive(), seconds, f"{self.arguments[0]} ended\n{self.logged()[-2000:]}")
        return self._gone()

    def terminate(self, seconds=40):
        """SIGTERM and the orderly end."""
        if self.alive():
            self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def status(self, name):
        """A line of /proc/PID/status."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith(name + ":"):
                    return line.split(":", 1)[1].strip()
        raise KeyError(name)

    def resident_kib(self):
        return int(self.status("VmRSS").split()[0])

    def settled_kib(self):
        """Resident memory when it has stopped growing."""
        last = 0

        def steady():
            nonlocal last
            now, before = self.resident_kib(), last
            last = now
            return abs(now - before) <= 64
        until(steady, 20, "memory is steady")
        return last

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))
