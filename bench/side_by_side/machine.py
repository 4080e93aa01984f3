"""The machine: what it is, who used its processors, and where programs run."""

import os
import platform
import subprocess


def processors():
    return sorted(os.sched_getaffinity(0))


def describe(root):
    """What a reader needs to judge the figures. No paths, no host name."""
    model = "unknown"
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo", encoding="ascii") as file:
        memory_kib = int(file.readline().split()[1])
    return {
        "commit": git(root, "rev-parse", "HEAD") or "unknown",
        "uncommitted_changes": bool(git(root, "status", "--porcelain", "--untracked-files=no")),
        "kernel": platform.release(),
        "cpu": model,
        "processors": len(processors()),
        "memory_gib": round(memory_kib / 1024 / 1024, 1),
    }


def git(root, *arguments):
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def version_of(*command):
    """First line that a program prints about its version, "" when it is not installed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    text = (done.stdout + done.stderr).strip()
    return text.splitlines()[0] if text else ""


def pinned(processor, command):
    return ["taskset", "-c", str(processor), *[str(part) for part in command]]


class ProcessorClock:
    """Busy time of one processor and of chosen processes, between two readings."""

    def __init__(self, processor, pids=()):
        self.processor = processor
        self.pids = list(pids)
        self.start = self.read()

    def read(self):
        with open("/proc/stat", encoding="ascii") as file:
            for line in file:
                fields = line.split()
                if fields[0] == f"cpu{self.processor}":
                    ticks = [int(field) for field in fields[1:9]]
                    break
        total, idle = sum(ticks), ticks[3] + ticks[4]
        own = sum(process_ticks(pid) for pid in self.pids)
        return total, total - idle, own

    def shares(self, own_extra_s=0.0):
        """(busy, foreign): shares of the processor since the start; foreign is neither `pids`' nor extra."""
        total, busy, own = (now - before for now, before in zip(self.read(), self.start))
        if total == 0:
            return 0.0, 0.0
        own += own_extra_s * os.sysconf("SC_CLK_TCK")
        return busy / total, max(busy - own, 0) / total


def process_ticks(pid):
    """utime + stime of a process and its threads, in clock ticks."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])
