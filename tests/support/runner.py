"""A small test runner: functions named by sentences, one shared node per file, nothing skipped silently.

    @test                       runs in every full run
    @test(group="idle")         runs in a group of its own (see GROUPS), at the end

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

from support import programs

TESTS = []


class Test:
    def __init__(self, function, group):
        self.function = function
        self.file = pathlib.Path(inspect.getfile(function)).stem
        self.name = function.__name__
        self.group = group
        self.parameters = list(inspect.signature(function).parameters)


def test(function=None, *, group="main"):
    """Registers a test."""
    if function is None:
        return lambda inner: test(inner, group=group)
    assert len(function.__name__.split("_")) >= 3, f"{function.__name__} is no sentence"
    TESTS.append(Test(function, group))
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
    cases = [case for case in TESTS if options.match in f"{case.file}.{case.name}"]
    if options.group:
        cases = [case for case in cases if case.group == options.group]
    # Heavy groups come last, so that a broken basis shows first.
    return sorted(cases, key=lambda case: case.group != "main")


def main(folder, make_session):
    parser = argparse.ArgumentParser(description="runs the integration tests")
    parser.add_argument("--build", required=True, help="build directory with the programs")
    parser.add_argument("--count", help="file that receives 'passed failed'")
    parser.add_argument("--match", default="", help="only tests whose file.name has this text")
    parser.add_argument("--group", default="", help="only this group")
    parser.add_argument("--seed", default=os.environ.get("NODEX_TEST_SEED", "1"), help="of the random tests")
    parser.add_argument("--extended", action="store_true", help="full sizes")
    parser.add_argument("--list", action="store_true", help="name the tests")
    options = parser.parse_args()
    load(folder)
    cases = select(options)
    if options.list:
        for case in cases:
            print(f"{case.group:8} {case.file}.{case.name}")
        return 0
    session = make_session(options.build)
    scale = Scale(options.extended)
    failures = []
    for case in cases:
        started = time.monotonic()
        failure = run_one(case, session, scale, options.seed)
        print(f"{'not ok' if failure else 'ok'} {case.file}.{case.name} ({time.monotonic() - started:.1f} s)", flush=True)
        if failure:
            failures.append(case)
            print("    " + failure.replace("\n", "\n    "), flush=True)
    session.close()
    programs.end_all()
    passed = len(cases) - len(failures)
    if options.count:
        pathlib.Path(options.count).write_text(f"{passed} {len(failures)}\n", encoding="ascii")
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures or not cases else 0


if __name__ == "__main__":
    sys.exit("use tests/integration/run.py")
