"""Load by the official OpenAI SDK for JavaScript, unmodified, with its own retries; see sdk.mjs."""
import json
import os
import pathlib
import random
import subprocess
import threading

from lab.history import ACKNOWLEDGED, ENDED, REFUSED, UNKNOWN, Attempt
from lab.purse import Spender

CLIENTS = pathlib.Path(__file__).resolve().parents[2] / "clients"
SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "sdk.mjs"
OUTCOMES = {"answered": ACKNOWLEDGED, "ended": ENDED, "refused": REFUSED, "gave_up": UNKNOWN}


class SdkClient:
    """One node process: an operation goes in as a line, its outcome comes out as a line."""

    def __init__(self, lab, name, host, pops, options):
        self.lab, self.pops, self.name = lab, pops, name
        self.pause = options.pop("pause", 0.1)
        self.spender = Spender(lab.purses, random.Random(f"{lab.settings.seed}.{name}"), name, **options)
        self.stopping, self.failure = threading.Event(), None
        urls = [f"https://{pop.address}/v1" for pop in pops]
        self.process = subprocess.Popen(
            [*host.wrapper, install(), str(SCRIPT), str(CLIENTS / "node_modules"), *urls], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "NODE_EXTRA_CA_CERTS": lab.world.authority.ca_file})
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self):
        try:
            while not self.stopping.is_set():
                try:
                    operation = self.spender.next()
                except Exception:  # no account can be opened while the centre is away
                    self.stopping.wait(0.5)
                    continue
                self._call(operation)
                self.stopping.wait(self.pause)
        except Exception as problem:  # a fault of the lab itself
            self.failure = problem
        finally:
            self.process.kill()
            self.process.wait()

    def _call(self, operation):
        operation.sdk = True
        history = self.lab.history
        history.begin(operation)
        self.process.stdin.write(json.dumps({"key": operation.key, "api_key": operation.api_key,
                                             "body": json.loads(operation.request_body)}) + "\n")
        self.process.stdin.flush()
        while True:
            line = self.process.stdout.readline()
            assert line, f"{self.name}: the SDK's process ended"
            told = json.loads(line)
            if "attempt" in told:
                attempt = Attempt(self.pops[told["pop"]].name, history.now() - told["ms"] / 1000, result=told["attempt"],
                                  request_id=told.get("request_id") or "")
                history.attempt(operation, attempt)
                continue
            return history.end(operation, OUTCOMES[told["outcome"]], told["text"].encode())


class SdkTraffic:
    """Customers with the SDK, spread over the client hosts."""

    def __init__(self, lab, clients, **options):
        self.clients = []
        for number in range(clients):
            home = number % len(lab.pops)
            pops = lab.pops[home:] + lab.pops[:home]
            self.clients.append(SdkClient(lab, f"sdk{number + 1}", lab.world.client_host(home), pops, dict(options)))

    def start(self):
        for client in self.clients:
            client.thread.start()

    def stop(self, seconds=180):
        for client in self.clients:
            client.stopping.set()
        for client in self.clients:
            client.thread.join(seconds)
            if client.failure:
                raise client.failure
            assert not client.thread.is_alive(), f"{client.name} hangs"


def install():
    """The node program that tests/clients installed beside the SDK. The sandbox has no way out, so it must be there."""
    found = sorted(CLIENTS.glob("node_modules/node-linux-*/bin/node"))
    if not found or not (CLIENTS / "node_modules" / "openai-latest").exists():
        raise FileNotFoundError(f"the official SDK is not installed; run npm ci --engine-strict=false in {CLIENTS}")
    return str(found[-1])
