"""The programs side by side: each is started once, pinned, and stopped at the end."""

import json
import os
import pathlib
import shutil
import socket
import string
import subprocess
import time
import urllib.request

import machine

HERE = pathlib.Path(__file__).resolve().parent
MODEL = "sim-model"
START_SECONDS = 30
STOP_SECONDS = 30


class StartFailed(Exception):
    """A program did not come up; the text says which and what it wrote last."""


class Server:
    """A running program. `url` is where the load goes, `pids` whose CPU time and memory count."""

    def __init__(self, name, title):
        self.name = name
        self.title = title
        self.url = ""
        self.arguments = []  # of nodex-bench, besides the URL
        self.closed_loop_only = False  # too slow for the fixed rates of the other cases
        self.process = None
        self.pids = []

    def spawn(self, setting, processor, command, environment=None):
        log = open(setting.work / f"{self.name}.out", "wb")  # pylint: disable=consider-using-with
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            machine.pinned(processor, command), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=environment)
        log.close()
        setting.spawned.append(self)  # also when it turns out not to work, so that it is stopped
        self.pids = [self.process.pid]

    def wait_for_port(self, port, work):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise StartFailed(f"{self.name} did not start: {last_words(self, work)}")

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Setting:
    """What all programs share: folder, processors, ports, certificate."""

    def __init__(self, work, build, port, server_processor, load_processor, durability):
        self.work = work
        self.build = build
        self.next_port = port
        self.provider_port = self.take_port()
        self.nodex_key = None  # made once, kept when nodex-edge is started again
        self.server_processor = server_processor
        self.load_processor = load_processor
        self.durability = durability
        self.cores = 1  # of nodex-edge
        self.portkey_folder = work / "portkey"
        self.spawned = []
        self.chain = work / "secrets" / "tls.crt"
        self.key = work / "secrets" / "tls.key"
        self.ca = work / "secrets" / "ca.pem"

    def take_port(self):
        """The next port on which nobody listens: our programs share a listening port without an error, so a
        taken one would quietly send half of the load elsewhere."""
        while True:
            port = self.next_port
            self.next_port += 1
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) != 0:
                    return port

    def program(self, name):
        found = [path for path in pathlib.Path(self.build).rglob(name)
                 if path.is_file() and os.access(path, os.X_OK)]
        if not found:
            raise StartFailed(f"{name} is not built")
        return found[0]

    def fill(self, template, **values):
        text = (HERE / "templates" / template).read_text()
        shared = {"work": self.work, "chain": self.chain, "key": self.key, "model": MODEL,
                  "provider_port": self.provider_port, "durability": self.durability, "cores": self.cores}
        path = self.work / template
        path.write_text(string.Template(text).substitute(shared | values))
        return path


def start_provider(setting):
    """The provider is also the server `direct`: the load without anything between."""
    server = Server("direct", "provider, plain, nothing between")
    server.spawn(setting, setting.load_processor,
                 [setting.program("nodex-provider"), "--listen", f"127.0.0.1:{setting.provider_port}",
                  "--pace-ms", "0", "--first-token-ms", "0"])
    server.wait_for_port(setting.provider_port, setting.work)
    server.url = f"http://127.0.0.1:{setting.provider_port}/v1/chat/completions"
    return server


def start_nodex(setting):
    """Also makes the certificate that all TLS servers use (ECDSA P-256), so it is started first."""
    server = Server("nodex", "Nodex, everything on")
    port, metrics_port = setting.take_port(), setting.take_port()
    config = setting.fill("edge.toml", port=port, metrics_port=metrics_port)
    edge = setting.program("nodex-edge")
    done = subprocess.run([edge, "--config", config, "--init"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StartFailed(f"nodex-edge --init: {done.stderr.strip()[-300:]}")
    server.spawn(setting, setting.server_processor, [edge, "--config", config, "--standalone"])
    wait_ready(server, f"http://127.0.0.1:{metrics_port}/readyz", setting.work)
    server.url = f"https://127.0.0.1:{port}/v1/chat/completions"
    setting.nodex_key = setting.nodex_key or make_key(setting)
    server.arguments = ["--ca", setting.ca, "--key", setting.nodex_key]
    return server


def wait_ready(server, url, work):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise StartFailed(f"{server.name} is not ready: {last_words(server, work)}")


def last_words(server, work):
    lines = (work / f"{server.name}.out").read_text(errors="replace").strip().splitlines()
    return " | ".join(lines[-3:]).replace(str(work), "") or "no output"


def make_key(setting, folder=None):
    """Account, money, model and key, at the node whose admin socket is in `folder`; answers the key."""
    def admin(*arguments):
        command = [setting.program("nodex"), "--admin", f"unix:{folder or setting.work}/admin.sock", "--json", "admin"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StartFailed(f"nodex admin {' '.join(arguments[:2])}: {done.stderr.strip()[-300:]}")
        return json.loads(done.stdout)

    account = str(admin("account", "create", "bench")["account"])
    admin("balance", "topup", account, "1000000.00", "--reference", "bench")
    admin("catalog", "set", MODEL, "--context-tokens", "128000", "--output-tokens-max", "8192",
          "--input-price", "1", "--output-price", "2")
    return admin("key", "create", account, "bench", "--policy", "generate")["key"]


def start_nginx(setting):
    server = Server("nginx", "nginx, bare TLS reverse proxy")
    port = setting.take_port()
    config = setting.fill("nginx.conf", port=port)
    server.spawn(setting, setting.server_processor, ["nginx", "-c", config, "-p", setting.work])
    server.wait_for_port(port, setting.work)
    server.url = f"https://127.0.0.1:{port}/v1/chat/completions"
    server.arguments = ["--ca", setting.ca]
    server.pids = children(server.process.pid)  # the worker; the master only waits
    return server


def children(pid):
    text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def start_haproxy(setting):
    server = Server("haproxy", "HAProxy, bare TLS reverse proxy")
    port = setting.take_port()
    pem = setting.work / "haproxy.pem"
    pem.touch(mode=0o600)
    pem.write_text(setting.chain.read_text() + setting.key.read_text())
    config = setting.fill("haproxy.cfg", port=port, pem=pem)
    server.spawn(setting, setting.server_processor, ["haproxy", "-db", "-f", config])
    server.wait_for_port(port, setting.work)
    server.url = f"https://127.0.0.1:{port}/v1/chat/completions"
    server.arguments = ["--ca", setting.ca]
    return server


PORTKEY_PACKAGE = {
    "private": True,
    "dependencies": {"@portkey-ai/gateway": "1.15.2"},
    # Without it every stream is answered with 500.
    "overrides": {"@hono/node-server": "1.13.8"},
}


def install_portkey(folder):
    folder.mkdir(exist_ok=True)
    (folder / "package.json").write_text(json.dumps(PORTKEY_PACKAGE))
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    except subprocess.TimeoutExpired:
        done = None
    if done is None or done.returncode != 0:
        raise StartFailed("portkey skipped: npm install failed (is the registry reachable?)")


def start_portkey(setting):
    """An LLM gateway in JavaScript; plain HTTP, so its figures are flattered by the missing TLS."""
    server = Server("portkey", "Portkey gateway 1.15.2 (Node.js, plain HTTP)")
    server.closed_loop_only = True  # some hundred requests a second: above that only its queue is measured
    if not shutil.which("npm") or not shutil.which("node"):
        raise StartFailed("portkey skipped: npm or node is not installed")
    start = setting.portkey_folder / "node_modules/@portkey-ai/gateway/build/start-server.js"
    if not start.exists():
        install_portkey(setting.portkey_folder)
    port = setting.take_port()
    server.spawn(setting, setting.server_processor, ["node", start, f"--port={port}", "--headless"],
                 environment=os.environ | {"NODE_ENV": "production"})
    server.wait_for_port(port, setting.work)
    server.url = f"http://127.0.0.1:{port}/v1/chat/completions"
    server.arguments = ["--header", "x-portkey-provider: openai", "--header", "Authorization: Bearer none",
                        "--header", f"x-portkey-custom-host: http://127.0.0.1:{setting.provider_port}/v1"]
    return server


STARTERS = {"nodex": start_nodex, "nginx": start_nginx, "haproxy": start_haproxy, "portkey": start_portkey}
