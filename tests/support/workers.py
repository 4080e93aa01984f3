"""Runs tests in processes of their own, several at a time: most tests wait most of the time, for a pace, a deadline, a server's end.

A file is one piece of work, because its tests share a node; a test of another group than main is one as well, and begins first,
because it takes longest. Tests that measure what the whole machine is doing come last and run alone. A process that ends without
its count has failed all of its tests.
"""
import concurrent.futures
import itertools
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

WORKER = "NODEX_TEST_WORKER"  # in the environment of a process: "NUMBER/COUNT", from 0


def place():
    """(number, count) of this process among those that run at the same time."""
    number, _, count = os.environ.get(WORKER, "0/1").partition("/")
    return int(number), int(count)


def pieces(cases):
    """(what runs beside others, what runs alone), each a list of lists of tests, in the order in which they begin."""
    def key(case):
        return case.alone, case.group == "main", case.file, case.group
    grouped = [list(group) for _, group in itertools.groupby(sorted(cases, key=key), key)]
    return [piece for piece in grouped if not piece[0].alone], [piece for piece in grouped if piece[0].alone]


class Runner:
    """`command` runs tests in a new process and takes `--names` and `--count`."""

    def __init__(self, command, count):
        self.command, self.count = command, count
        self.numbers = list(range(count))
        self.lock = threading.Lock()  # guards numbers and the output

    def run(self, piece):
        """How many of these tests failed."""
        with self.lock:
            number = self.numbers.pop()
        with tempfile.NamedTemporaryFile(prefix="nodex-count-", mode="r", encoding="ascii") as told:
            done = subprocess.run([*self.command, "--names", ",".join(case.full_name for case in piece), "--count", told.name],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
                                  env={**os.environ, WORKER: f"{number}/{self.count}"})
            counts = told.read().split()
        with self.lock:
            self.numbers.append(number)
            print("".join(f"{line}\n" for line in done.stdout.splitlines()[:-1]), end="", flush=True)
            if len(counts) == 2 and int(counts[0]) + int(counts[1]) == len(piece):
                return int(counts[1])
            print(f"not ok {piece[0].file}: its process ended with {done.returncode}: {done.stdout[-2000:]}", flush=True)
            return len(piece)


def run(command, cases, count):
    """How many of the tests failed."""
    beside, alone = pieces(cases)
    runner = Runner(command, count)
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        failed = sum(pool.map(runner.run, beside))
    return failed + sum(runner.run(piece) for piece in alone)


def itself():
    """The command line of this program, without what is said once for all of its processes."""
    return [sys.executable, str(pathlib.Path(sys.argv[0]).resolve())]
