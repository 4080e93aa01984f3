"""A small test runner: functions named by sentences, one shared node per file, nothing skipped silently.

    @test                       runs in every full run
    @test(group="kills")        takes long: begins first, and a run can name it
    @test(alone=True)           runs at the end, when nothing else does: it measures what others would disturb

Files run two at a time, each in a process of its own (workers.py).

A test takes what it names as parameters: `pop` (a running provider and edge, shared by the file), `scale`
(sizes of this run), `random` (seeded; the seed is printed when the test fails) and `folder` (empty, removed
after success).
"""
import argparse
import importlib
import inspect
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time
import traceback

from support import programs, workers

TESTS = []


class Test:
    def __init__(self, function, group, alone):
        self.function = function
        self.alone = alone
        self.file = pathlib.Path(inspect.getfile(function)).stem
        self.name = function.__name__
        self.group = group
        self.parameters = list(inspect.signature(function).parameters)

    @property
    def full_name(self):
        return f"{self.file}.{self.name}"


def test(function=None, *, group="main", alone=False):
    """Registers a test."""
    if function is None:
        return lambda inner: test(inner, group=group, alone=alone)
    assert len(function.__name__.split("_")) >= 3, f"{function.__name__} is no sentence"
    TESTS.append(Test(function, group, alone))
    return function


class Scale:
    """How big this run is."""

    def __init__(self, extended):
        self.extended = extended
        self.kills = 200 if extended else 40
        self.idle_connections = 10_000 if extended else 2_000
        self.open_streams = 5_000 if extended else 500
        self.reloads = 100 if extended else 20


class Session:
    """What lasts longer than one test: the shared node of the current file."""

    def __init__(self, make_pop):
        self.make_pop = make_pop
        self.file = None
        self.pop = None

    def pop_for(self, test_case):
        if self.file != test_case.file or (self.pop and not self.pop.usable()):
            self.close()
        if self.pop is None:
            self.pop = self.make_pop()
            self.file = test_case.file
        return self.pop

    def close(self):
        if self.pop is not None:
            self.pop.close()
        self.pop = None
        self.file = None


def run_one(case, session, scale, seed):
    """Runs a test; returns the text of its failure, or None."""
    folder = None
    try:
        given = {}
        for name in case.parameters:
            if name == "pop":
                given[name] = session.pop_for(case)
            elif name == "scale":
                given[name] = scale
            elif name == "random":
                given[name] = random.Random(f"{case.file}.{case.name}.{seed}")
            elif name == "folder":
                folder = tempfile.mkdtemp(prefix="nodex-test-")
                given[name] = folder
            else:
                raise TypeError(f"a test has no parameter {name}")
        case.function(**given)
    except Exception:  # whatever a test raises is its failure
        kept = f"\nkept for inspection: {folder}" if folder else ""
        log = ""
        if session.pop is not None and "pop" in case.parameters:
            log = "\nend of the edge's log:\n" + session.pop.edge_log()[-3000:]
        return traceback.format_exc() + f"seed: {seed}{kept}{log}"
    if folder:
        shutil.rmtree(folder)
    return None


def load(folder):
    for path in sorted(pathlib.Path(folder).glob("test_*.py")):
        importlib.import_module(path.stem)


def select(options):
    names = set(filter(None, options.names.split(",")))
    cases = [case for case in TESTS if options.match in case.full_name and (not names or case.full_name in names)]
    if options.group:
        cases = [case for case in cases if case.group == options.group]
    return cases


def run_here(cases, make_session, options):
    """How many failed, one after the other in this process."""
    session = make_session(options.build)
    scale = Scale(options.extended)
    failed = 0
    for case in cases:
        started = time.monotonic()
        failure = run_one(case, session, scale, options.seed)
        print(f"{'not ok' if failure else 'ok'} {case.full_name} ({time.monotonic() - started:.1f} s)", flush=True)
        if failure:
            failed += 1
            print("    " + failure.replace("\n", "\n    "), flush=True)
    session.close()
    programs.end_all()
    return failed


def run_beside(cases, options):
    """How many failed, in several processes."""
    command = [*workers.itself(), "--build", options.build, "--seed", options.seed, *(["--extended"] if options.extended else [])]
    return workers.run(command, cases, options.workers)


def main(folder, make_session):
    parser = argparse.ArgumentParser(description="runs the integration tests")
    parser.add_argument("--build", required=True, help="build directory with the programs")
    parser.add_argument("--count", help="file that receives 'passed failed'")
    parser.add_argument("--match", default="", help="only tests whose file.name has this text")
    parser.add_argument("--names", default="", help="only these, file.name, with commas between")
    parser.add_argument("--group", default="", help="only this group")
    parser.add_argument("--workers", type=int, default=2, help="how many files run at a time (2)")
    parser.add_argument("--seed", default=os.environ.get("NODEX_TEST_SEED", "1"), help="of the random tests")
    parser.add_argument("--extended", action="store_true", help="full sizes")
    parser.add_argument("--list", action="store_true", help="name the tests")
    options = parser.parse_args()
    load(folder)
    cases = select(options)
    if options.list:
        for case in cases:
            print(f"{case.group:8} {case.full_name}")
        return 0
    one_file = len({case.file for case in cases}) <= 1
    failed = run_here(cases, make_session, options) if options.names or one_file else run_beside(cases, options)
    passed = len(cases) - failed
    if options.count:
        pathlib.Path(options.count).write_text(f"{passed} {failed}\n", encoding="ascii")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit("use tests/integration/run.py")
