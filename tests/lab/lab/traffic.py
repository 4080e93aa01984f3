"""Load: many small customers on their hosts, until they are told to stop."""
import random
import threading

from lab.caller import Caller
from lab.purse import Spender


class Client:
    """One customer: call after call, each kept in the history."""

    def __init__(self, lab, name, host, pops, options):
        self.caller = Caller(lab, host, pops)
        self.pause = options.pop("pause", 0.05)
        self.spender = Spender(lab.purses, random.Random(f"{lab.settings.seed}.{name}"), name, **options)
        self.stopping = threading.Event()
        self.failure = None
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self):
        try:
            while not self.stopping.is_set():
                try:
                    operation = self.spender.next()
                except Exception:  # the centre is away and an account is due: a new customer waits for it as well
                    self.stopping.wait(0.5)
                    continue
                self.caller.call(operation)
                self.stopping.wait(self.pause)
        except Exception as problem:  # a fault of the lab itself: it must end the scenario, not the thread
            self.failure = problem


class Traffic:
    """Customers spread over the client hosts: each calls the POP of its own region first."""

    def __init__(self, lab, clients, **options):
        self.clients = []
        for number in range(clients):
            home = number % len(lab.pops)
            pops = lab.pops[home:] + lab.pops[:home]
            self.clients.append(Client(lab, f"client{number + 1}", lab.world.client_host(home), pops, dict(options)))

    def start(self):
        for client in self.clients:
            client.thread.start()

    def stop(self, seconds=90):
        """Every operation that runs is brought to an end."""
        for client in self.clients:
            client.stopping.set()
        for client in self.clients:
            client.thread.join(seconds)
            if client.failure:
                raise client.failure
            assert not client.thread.is_alive(), f"{client.thread.name} hangs"
