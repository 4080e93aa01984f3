"""What a scenario file is made of: its description, and the Lab that it acts on."""
import contextlib
import dataclasses
import importlib
import pathlib
import threading

from lab.caller import Caller
from lab.evidence import pages
from lab.history import ACKNOWLEDGED, History
from lab.probe import Probe
from lab.purse import Purses
from lab.sdk import SdkTraffic
from lab.traffic import Traffic
from support.waiting import until

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "scenarios"
LEVEL_SECONDS = 120
DRAINED_LOOKS_SECONDS = 0.05  # a page of metrics costs the POP that ships more than it may cost the figure
SCENARIOS = {}


@dataclasses.dataclass
class Scenario:
    """One rehearsal. `row` names the row of the failure table, `promise` its promised outcome."""
    name: str
    title: str
    row: str
    promise: str
    run: object
    stores: tuple
    settings: dict
    quick: bool


def scenario(title, *, row, promise, stores=("rocksdb", "postgres"), quick=False, **settings):
    """Registers the function below it as the scenario of its file. `settings` override those of the command line."""
    def register(function):
        name = pathlib.Path(function.__code__.co_filename).stem
        SCENARIOS[name] = Scenario(name, title, row, promise, function, tuple(stores), settings, quick)
        return function
    return register


def load():
    """All scenarios, in the order of their files' names."""
    for path in sorted(FOLDER.glob("*.py")):
        importlib.import_module(f"scenarios.{path.stem}")
    return SCENARIOS


@dataclasses.dataclass
class Fault:
    """A mark on the timeline."""
    label: str
    began: float
    ended: float


@dataclasses.dataclass
class Measure:
    """How long something took, from a moment of the scenario. `bound` is a promise, if there is one."""
    label: str
    seconds: float
    bound: float | None


class Lab:
    """A running world with its traffic, its clock and its notes."""

    def __init__(self, world, say):
        self.world, self.settings, self.say = world, world.settings, say
        self.wan, self.pops, self.hubs, self.centres = world.wan, world.pops, world.hubs, world.centres
        self.database, self.provider = world.database, world.provider
        self.history = History()
        self.purses = Purses(world, self.history)
        self.probe = Probe(self)
        self.faults, self.measures, self.checks = [], [], []
        self.loads = []
        self.excused = set()       # POPs whose unshipped records a scenario has destroyed with their disk
        self.revoked = set()       # API keys that open nothing any more
        self.destroyed = {}        # when
        self.runs_before = {}      # the provider's counters at the moment it was killed: it starts again at zero
        self._idle = threading.Event()

    # --- load ---

    def traffic(self, clients=6, **options):
        """Starts customers; options as Client and Spender have them."""
        load = Traffic(self, clients, **options)
        load.start()
        self.loads.append(load)
        return load

    def sdk_traffic(self, clients=3, **options):
        """Starts customers that use the official SDK with its own retries."""
        load = SdkTraffic(self, clients, **options)
        load.start()
        self.loads.append(load)
        return load

    def stop_traffic(self):
        for load in self.loads:
            load.stop()
        self.loads.clear()

    def caller(self, home=0, **options):
        """A customer for single calls, near POP number `home` (from 0)."""
        return Caller(self, self.world.client_host(home), self.pops[home:] + self.pops[:home], **options)

    def warm(self, purse, index, pop):
        """One call that is answered by `pop`, so that it knows the key and holds a lease of the account."""
        operation = self.operation(purse, index, stream=False)
        Caller(self, self.world.client_host(self.pops.index(pop)), [pop]).call(operation)
        assert operation.outcome == ACKNOWLEDGED, f"{pop.name} does not serve: {operation.last}"

    def operation(self, purse, index, *, stream=True, tokens=8, first_token_ms=40, pace_ms=10):
        return self.purses.operation(purse, index, stream=stream, tokens=tokens, first_token_ms=first_token_ms, pace_ms=pace_ms)

    def together(self, *functions):
        """Runs the functions at the same time and waits for all; the first exception is raised again."""
        problems = []

        def run(function):
            try:
                function()
            except Exception as problem:  # handed to the caller's thread
                problems.append(problem)
        threads = [threading.Thread(target=run, args=(function,), daemon=True) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(180)
        if problems:
            raise problems[0]

    # --- faults that many scenarios share ---

    def inner_hosts(self):
        """Where the message network and the centre are."""
        return [one.host for one in [*self.hubs, *self.centres]]

    def cut_off(self, pop, both=True):
        """`pop` keeps its customers and the provider and loses the centre and the other POPs; without `both` only what it
        sends is lost."""
        self.wan.cut([pop.host], self.inner_hosts() + [other.host for other in self.pops if other is not pop], both)

    def kill_and_restart(self, service, seconds, label):
        """kill -9, `seconds` without it, and a start."""
        with self.fault(label):
            service.kill()
            self.run_for(seconds)
        service.start()
        return self.now()

    def freeze(self, service, seconds, label):
        """SIGSTOP for `seconds`, then SIGCONT."""
        with self.fault(label):
            service.freeze()
            self.run_for(seconds)
            service.thaw()
        return self.now()

    def lost_disk(self, pop):
        """Called when the records of `pop` that the centre has not applied are destroyed: their charges are then lost, and so
        are the answers it had stored."""
        self.excused.add(pop.name)
        self.destroyed[pop.name] = self.now()

    # --- what clients saw ---

    def results_since(self, moment, pop=None):
        """Results of the attempts that began after `moment`, at `pop` or anywhere."""
        return [attempt.result for _, attempt in list(self.history.attempts)
                if attempt.began >= moment and pop in (None, attempt.pop)]

    def check_unnoticed(self, label, since, allowed=()):
        """No attempt since then ended other than answered (or in `allowed`), and there were some."""
        results = self.results_since(since)
        errors = [result for result in results if result != "200" and result not in allowed]
        self.check(label, results and not errors, f"{len(results)} attempts" if not errors else sorted(set(errors)))

    def rows(self, account):
        """All rows of an account, once both sides are level."""
        until(self.level, LEVEL_SECONDS, "all are level")
        return pages(self.world.admin, account)

    def outbox(self, pop):
        """Settlements of `pop` that the centre has not applied; nothing when it does not answer."""
        metrics = pop.metrics()
        return None if metrics is None else metrics["nodex_outbox_depth"]

    # --- time ---

    def now(self):
        return self.history.now()

    def run_for(self, seconds):
        """Lets the world run: how long a fault or a quiet time lasts, never a wait for something."""
        self._idle.wait(seconds)
        for load in self.loads:
            for client in load.clients:
                if client.failure:
                    raise client.failure

    @contextlib.contextmanager
    def fault(self, label):
        """Marks a fault on the timeline for as long as the block runs."""
        self.say(f"    {self.now():6.1f} s  {label}")
        fault = Fault(label, self.now(), self.now())
        self.faults.append(fault)
        try:
            yield fault
        finally:
            fault.ended = self.now()
            self.say(f"    {self.now():6.1f} s  ... over")

    def measure(self, label, condition, *, within=60, bound=None, since=None):
        """Waits until condition() and notes how long it took since `since` (now, if not given)."""
        since = self.now() if since is None else since
        until(condition, within, label)
        return self.note(label, self.now() - since, bound)

    def note(self, label, seconds, bound=None):
        self.measures.append(Measure(label, seconds, bound))
        self.say(f"    {self.now():6.1f} s  {label}: {seconds:.2f} s" + (f" (at most {bound:g} s)" if bound else ""))
        return seconds

    def check(self, label, holds, detail=""):
        """A promise of this scenario alone; the invariants are checked without being asked for."""
        self.checks.append((label, bool(holds), str(detail)))

    def answered_at(self, pop, since):
        """True when a call that began after `since` was answered by `pop`."""
        return bool(self.history.successes_since(since, pop.name))

    def drained(self, label, pops=None, *, since=None, within=LEVEL_SECONDS, bound=None):
        """Measures, for each POP, from `since` (now, if not given) until the centre has applied all that the POP had recorded by
        now. Under load an outbox is never empty for long; this is."""
        since = self.now() if since is None else since
        targets = {pop.name: None for pop in pops or self.pops}

        def applied():
            for pop in self.pops:
                if pop.name not in targets:
                    continue
                metrics = pop.metrics()
                if metrics is None:
                    continue
                mark = metrics["nodex_outbox_applied_total"]
                if targets[pop.name] is None:
                    targets[pop.name] = mark + metrics["nodex_outbox_depth"]
                if mark >= targets[pop.name]:
                    del targets[pop.name]
                    self.note(f"{label} until all that {pop.name} had recorded is applied", self.now() - since, bound)
            self._idle.wait(DRAINED_LOOKS_SECONDS if targets else 0)
            return not targets
        until(applied, within, f"{label}: everything is applied")

    def first_answer(self, pop, since, label, bound=None):
        """Measures from `since` to the end of the first call that began after it and was answered by `pop`."""
        until(lambda: self.answered_at(pop, since), 60, label)
        return self.note(label, min(attempt.ended for attempt in self.history.successes_since(since, pop.name)) - since, bound)

    # --- the end ---

    def level(self, pops=None):
        """True when every POP is in contact, runs nothing and has shipped everything."""
        for pop in pops or self.pops:
            metrics = pop.metrics()
            if metrics is None or metrics.get("nodex_runs", 1) != 0 or metrics.get("nodex_outbox_depth", 1) != 0:
                return False
        return True

    def come_to_rest(self):
        """Everything heals, the traffic ends, and the time until both sides are level is measured."""
        self.wan.heal()
        self.stop_traffic()
        self.measure("from the end of the traffic until all are level", self.level, within=LEVEL_SECONDS)
