"""A whole POP for tests: providers, an edge node, its admin socket, accounts, keys and clients. Everything real."""
import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import tempfile
import threading

from support import built, programs, toml
from support.waiting import until
from support.wire import Answer, Wire, request, trusting

MODEL = "sim"          # input 1, cached input 0.1, output 10, reasoning 10 units per million tokens
OUTPUT_MODEL = "sim-output"  # output 10, everything else free: what a call costs is known beforehand
NANO = 1_000_000_000
NUMBERS = itertools.count(1)


def unique(prefix="key"):
    return f"{prefix}-{os.getpid()}-{next(NUMBERS)}"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class AdminRefusal(Exception):
    def __init__(self, status, error):
        super().__init__(f"{status} {error}")
        self.status = status
        self.code = error["code"]


class Admin:
    """The admin socket, without the command line in between."""

    def __init__(self, path):
        self.path = path

    def _call(self, method, target, body=None):
        connection = UnixConnection(self.path)
        try:
            connection.request(method, target, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def __call__(self, command, **args):
        status, reply = self._call("POST", "/admin", json.dumps({"command": command, "args": args}))
        if status != 200:
            raise AdminRefusal(status, reply["error"])
        return reply["result"]

    def status(self):
        return self._call("GET", "/admin/status")[1]


class Provider:
    """nodex-provider on a free port, and its call counters."""

    def __init__(self, build, folder, name="provider", options=()):
        self.build, self.folder, self.name, self.options = build, folder, name, list(options)
        self.address = None
        self.program = None
        self.start()

    def start(self):
        """Starts, again on the same port when there was one."""
        log = os.path.join(self.folder, f"{self.name}.log")
        open(log, "wb").close()
        self.program = programs.Program(
            [programs.find(self.build, "nodex-provider"), "--listen", self.address or "127.0.0.1:0",
             "--pace-ms", "1", "--first-token-ms", "1", *self.options], log)
        line = until(lambda: self._listening(), 20, "the provider listens\n" + self.program.logged())
        self.address = line

    def _listening(self):
        assert self.program.alive(), f"the provider ended: {self.program.logged()}"
        for line in self.program.logged().splitlines():
            if line.startswith('{"listening"'):
                return json.loads(line)["listening"]
        return None

    def _get(self, method, path):
        with Wire(self.address) as wire:
            wire.send(request(method, path))
            return wire.answer(method)

    def calls(self, identity=None):
        """How often the model ran: in all, or for prompts with the directive id=IDENTITY."""
        counters = self._get("GET", "/nodex/calls").json
        return counters["total"] if identity is None else counters["by_key"].get(identity, 0)

    def running(self):
        return self._get("GET", "/nodex/calls").json["running"]

    def close(self):
        self.program.kill()


def prompt(text="hello", **directives):
    """A user message; directives steer the simulated provider (tools/provider/README.md)."""
    if not directives:
        return text
    words = " ".join(name if value is True else f"{name}={value}" for name, value in directives.items())
    return f"[[nodex: {words}]] {text}"


def chat_body(text="hello", *, model=MODEL, stream=None, more=None, **directives):
    """A chat request's body as text; `more` are further members."""
    body = {"model": model, "messages": [{"role": "user", "content": prompt(text, **directives)}]}
    if stream is not None:
        body["stream"] = stream
    body.update(more or {})
    return json.dumps(body)


class Client:
    """A customer with a key: each call on a connection of its own unless one is given."""

    def __init__(self, pop, key):
        self.pop = pop
        self.key = key

    def wire(self, **options):
        return self.pop.wire(**options)

    def fields(self, idempotency=None, more=()):
        fields = [("Authorization", f"Bearer {self.key}")]
        if idempotency:
            fields.append(("X-Idempotency-Key", idempotency))
        return fields + list(more)

    def chat_request(self, body, idempotency="new", more=()):
        """The octets of a chat call. `idempotency`: "new" makes a key, None sends none."""
        if idempotency == "new":
            idempotency = unique()
        fields = [*self.fields(idempotency, more), ("Content-Type", "application/json")]
        return request("POST", "/v1/chat/completions", fields, body.encode() if isinstance(body, str) else body)

    def send(self, octets, method="POST", wire=None):
        if wire is not None:
            wire.send(octets)
            return wire.answer(method)
        with self.wire() as own:
            own.send(octets)
            return own.answer(method)

    def chat(self, text="hello", *, idempotency="new", fields=(), wire=None, **options):
        """A whole call; options as chat_body."""
        return self.send(self.chat_request(chat_body(text, **options), idempotency, fields), wire=wire)

    def get(self, path, fields=(), wire=None, method="GET"):
        return self.send(request(method, path, self.fields(more=fields)), method, wire)


class Stream:
    """A streamed answer that is read bit by bit."""

    def __init__(self, client, octets, **options):
        self.wire = client.wire(**options)
        self.wire.send(octets)
        self.answer = self.wire.head()
        self.pieces = self.wire.body(self.answer)
        self.body = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()

    def read_events(self, count):
        """Reads until `count` events (heartbeats not counted) have come whole; fails at the end of the stream."""
        while self.events_count() < count:
            self.body += next(self.pieces)

    def events_count(self):
        whole = self.body[:self.body.rfind(b"\n\n") + 2] if b"\n\n" in self.body else b""
        return whole.count(b"\nid: ") + whole.startswith(b"id: ")

    def rest(self):
        """Reads to the end and returns the whole body."""
        for piece in self.pieces:
            self.body += piece
        return self.body


class Pop:
    """Providers and an edge in one folder. `config` overrides the configuration, section by section."""

    def __init__(self, *, config=None, providers=1, provider_options=(), wrapper=(), environment=None,
                 data_dir=None, secrets=(), catalogue=True):
        self.build = build = built.DIRECTORY
        self.wrapper, self.environment = wrapper, environment
        self.folder = tempfile.mkdtemp(prefix="nodex-pop-")
        self.lock = threading.Lock()
        self.edge = None
        self.listen = None
        self.log_size = 0
        self.closed = False
        names = ["provider"] + [f"provider{n}" for n in range(2, providers + 1)]
        self.providers = [Provider(build, self.folder, name, provider_options) for name in names]
        self.data_dir = data_dir or os.path.join(self.folder, "data")
        self.secrets_dir = os.path.join(self.folder, "secrets")
        for folder in (self.data_dir, self.secrets_dir):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        for path in secrets:  # that this node shares with others
            target = os.path.join(self.secrets_dir, os.path.basename(path))
            shutil.copyfile(path, target)
            os.chmod(target, 0o600)
        self.config_path = os.path.join(self.folder, "edge.toml")
        self.admin = Admin(os.path.join(self.folder, "admin.sock"))
        self.config = self.default_config()
        for section, items in (config or {}).items():
            if isinstance(items, dict):
                self.config.setdefault(section, {}).update(items)
            else:
                self.config[section] = items
        self.write_config()
        self.init()
        self.start()
        if catalogue:
            self.fill_catalogue()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def provider(self):
        return self.providers[0]

    def default_config(self):
        return {
            "node": {"name": "test", "region": "local", "cores": 2, "data_dir": self.data_dir,
                     "secrets_dir": self.secrets_dir, "admin_socket": f"unix:{self.admin.path}"},
            "listen": {"tls": ["127.0.0.1:0"], "plain": ["127.0.0.1:0"], "metrics": "127.0.0.1:0"},
            "certificate": [{"chain": os.path.join(self.secrets_dir, "tls.crt"),
                             "key": os.path.join(self.secrets_dir, "tls.key")}],
            "durability": {"level": "process"},
            "log": {"level": "info", "access": os.path.join(self.folder, "access.log")},
            "provider": [self.provider_config(provider) for provider in self.providers],
        }

    @staticmethod
    def provider_config(provider):
        models = {MODEL: "provider-sim", OUTPUT_MODEL: "provider-sim"}
        return {"name": provider.name, "base_url": f"http://{provider.address}/v1", "dialect": "openai",
                "credential": "env:NODEX_TEST_CREDENTIAL", "models": models}

    def write_config(self):
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(toml.text(self.config))

    # --- the edge's life ---

    @property
    def ca_file(self):
        return os.path.join(self.secrets_dir, "ca.pem")

    @property
    def log(self):
        return os.path.join(self.folder, "edge.log")

    def edge_log(self):
        with open(self.log, "rb") as file:
            return file.read().decode("utf-8", "replace")

    def program(self, *arguments):
        """nodex-edge with this configuration."""
        environment = {"NODEX_TEST_CREDENTIAL": "sk-provider-secret-5f1c", **(self.environment or {})}
        return programs.Program([programs.find(self.build, "nodex-edge"), "--config", self.config_path, *arguments],
                                self.log, environment, self.wrapper)

    def init(self):
        status = self.program("--init").wait(20)
        assert status == 0, f"--init: {status}\n{self.edge_log()}"

    def start(self, seconds=30):
        """Starts the edge and waits until it is ready."""
        self.launch()
        until(self.ready, seconds, "the edge is ready\n" + self.edge_log()[-3000:])

    def launch(self):
        listen = os.path.join(self.data_dir, "listen.json")
        if os.path.exists(listen):
            os.unlink(listen)
        self.edge = self.program(*([] if "central" in self.config else ["--standalone"]))

    def ready(self):
        assert self.edge.alive(), f"the edge ended with {self.edge.process.returncode}\n{self.edge_log()[-3000:]}"
        try:
            with open(os.path.join(self.data_dir, "listen.json"), encoding="ascii") as file:
                self.listen = json.load(file)
            return self.metrics_get("/readyz").status == 200
        except (OSError, ValueError):
            return False

    def usable(self):
        return not self.closed and self.edge is not None and self.edge.alive()

    def kill(self):
        """kill -9."""
        return self.edge.kill()

    def restart(self):
        """Starts after a kill or an end."""
        self.start()

    def reload(self):
        """SIGHUP; returns when the log tells that it was taken or refused."""
        def told():
            return self.edge_log().count('reloaded') + self.edge_log().count('reload_refused')
        before = told()
        self.edge.signal(signal.SIGHUP)
        until(lambda: told() > before, 10, "the reload is in the log")

    def close(self):
        if self.closed:
            return
        self.closed = True
        if self.edge is not None and self.edge.alive():
            self.edge.kill()
        for provider in self.providers:
            provider.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- ways in ---

    @property
    def tls_address(self):
        return self.listen["tls"][0]

    @property
    def plain_address(self):
        return self.listen["plain"][0]

    def context(self):
        return trusting(self.ca_file)

    def wire(self, *, plain=False, context=None, **options):
        if plain:
            return Wire(self.plain_address, **options)
        return Wire(self.tls_address, context or self.context(), **options)

    def metrics_get(self, path):
        with Wire(self.listen["metrics"]) as wire:
            wire.send(request("GET", path))
            return wire.answer()

    def metrics(self):
        """{name{labels}: value} of /metrics."""
        values = {}
        for line in self.metrics_get("/metrics").body.decode().splitlines():
            if line and not line.startswith("#"):
                name, _, number = line.rpartition(" ")
                values[name] = float(number)
        return values

    def cli(self):
        return programs.find(self.build, "nodex")

    # --- accounts and keys ---

    def fill_catalogue(self):
        common = {"context_tokens": 128_000, "output_tokens_max": 4_096, "owned_by": "nodex"}
        self.admin("catalog.set", id=MODEL, aliases=["sim-alias"], display_name="Simulated", **common,
                   prices={"input": "1", "cached_input": "0.1", "output": "10", "reasoning": "10"})
        self.admin("catalog.set", id=OUTPUT_MODEL, **common,
                   prices={"input": "0", "cached_input": "0", "output": "10", "reasoning": "10"})

    def account(self, balance="10"):
        account = self.admin("account.create", name=unique("account"))["account"]
        if balance is not None:
            self.admin("balance.topup", account=account, amount=balance, reference=unique("payment"))
        return account

    def key(self, account, **args):
        """A new key; returns (key, key_id)."""
        made = self.admin("key.create", account=account, name=unique("key"), **args)
        self.until_known(made["key"])
        return made["key"], made["key_id"]

    def until_known(self, key):
        """The directory reaches the loops a moment after the centre made the key."""
        def known():
            with self.wire(plain=True) as wire:
                wire.send(request("GET", "/v1/models", [("Authorization", f"Bearer {key}")]))
                return wire.answer().status == 200
        until(known, 10, "the new key is known")

    def client(self, balance="10", **args):
        """A customer with an account of its own."""
        account = self.account(balance)
        key, key_id = self.key(account, **args)
        client = Client(self, key)
        client.account, client.key_id = account, key_id
        return client

    # --- money ---

    def balance_nano(self, account):
        return self.admin("balance.show", account=account)["balance_nano"]

    def rows(self, account):
        """All usage rows of an account, newest page size bounded, in the order of the interface."""
        rows, cursor = [], None
        while True:
            page = self.admin("usage.list", account=account, limit=1000, **({"cursor": cursor} if cursor else {}))
            rows += page["data"]
            if not page["has_more"]:
                return rows
            cursor = page["next_cursor"]

    def until_settled(self, account, rows, seconds=20):
        """Waits until the ledger has `rows` charges of this account, and returns them."""
        until(lambda: len(self.charges(account)) == rows, seconds, f"{rows} charges in the ledger")
        return self.charges(account)

    def until_quiet(self, seconds=30):
        """Waits until no request runs and every settlement has reached the ledger."""
        def quiet():
            metrics = self.metrics()
            return metrics["nodex_runs"] == 0 and metrics["nodex_outbox_depth"] == 0
        until(quiet, seconds, "no run is left and every settlement is in the ledger")

    def charges(self, account):
        return [row for row in self.rows(account) if row["kind"] == "charge"]

    def verify_ledger(self):
        audit = self.admin("ledger.verify")
        assert audit["sound"], audit


def answers_of(calls):
    """Runs the callables at the same time, each in a thread; returns their answers or the exceptions they raised."""
    results = [None] * len(calls)
    gate = threading.Barrier(len(calls))

    def run(index):
        gate.wait()
        try:
            results[index] = calls[index]()
        except Exception as problem:  # handed to the test, which decides
            results[index] = problem
    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return results


def statuses(answers):
    """{status: how many}, exceptions by their name."""
    counts = {}
    for answer in answers:
        name = answer.status if isinstance(answer, Answer) else type(answer).__name__
        counts[name] = counts.get(name, 0) + 1
    return counts
