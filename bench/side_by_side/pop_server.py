"""nodex-edge as a POP: its centre and nats-server run beside load and provider, as they would run elsewhere."""

import shutil
import ssl
import subprocess
import time
import urllib.request

from servers import Server, StartFailed, make_key, wait_ready

NATS_SERVER = shutil.which("nats-server", path="/usr/sbin:/usr/bin:/usr/local/bin") or "nats-server"

CENTRAL = """[node]
data_dir = "{folder}/central"
secrets_dir = "{folder}/central-secrets"
[nats]
url = "nats://127.0.0.1:{nats}"
[durability]
level = "{durability}"
[[pop]]
id = 1
admin = true
link_key = "{folder}/central-secrets/link.key"
"""

LINK = """
[central]
nats = "nats://127.0.0.1:{nats}"
link_key = "{folder}/central-secrets/link.key"
"""


def start_nodex_pop(setting):
    """Measured are the edge's processes only: what a POP's machine spends, but for its nats-server."""
    server = Server("nodex-pop", "Nodex, everything on, a POP whose centre is elsewhere")
    folder = setting.work / "pop"
    shutil.rmtree(folder, ignore_errors=True)  # of an earlier start
    for part in ("central", "central-secrets", "secrets", "data"):
        (folder / part).mkdir(mode=0o700, parents=True)
    nats = setting.take_port()
    start_centre(setting, folder, nats)
    port, metrics = setting.take_port(), setting.take_port()
    config = setting.fill("edge.toml", port=port, metrics_port=metrics, work=folder)
    config = config.rename(folder / "edge.toml")
    config.write_text(config.read_text().replace('region = "local"', 'region = "local"\npop_id = 1')
                      + LINK.format(folder=folder, nats=nats))
    initialise(setting, "nodex-edge", config)
    shutil.copy2(folder / "central-secrets" / "key_hash.key", folder / "secrets" / "key_hash.key")
    server.spawn(setting, setting.server_processor, [setting.program("nodex-edge"), "--config", config])
    wait_ready(server, f"http://127.0.0.1:{metrics}/readyz", setting.work)
    server.url = f"https://127.0.0.1:{port}/v1/chat/completions"
    key = make_key(setting, folder)
    wait_known(setting, port, key)
    server.arguments = ["--ca", setting.ca, "--key", key]
    return server


def wait_known(setting, port, key):
    """A key that the centre has made reaches the POP a moment later."""
    context = ssl.create_default_context(cafile=setting.ca)
    request = urllib.request.Request(f"https://127.0.0.1:{port}/v1/models", headers={"Authorization": f"Bearer {key}"})
    for _ in range(100):
        try:
            with urllib.request.urlopen(request, timeout=2, context=context):
                return
        except OSError:
            time.sleep(0.1)
    raise StartFailed("nodex-pop does not know its key")


def start_centre(setting, folder, nats):
    limits = folder / "nats.conf"
    limits.write_text("max_payload: 1114112\n")
    hub = Server("nats-server", "between POP and centre")
    hub.spawn(setting, setting.load_processor, [NATS_SERVER, "-a", "127.0.0.1", "-p", nats, "-c", limits])
    hub.wait_for_port(nats, setting.work)
    config = folder / "central.toml"
    config.write_text(CENTRAL.format(folder=folder, nats=nats, durability=setting.durability))
    initialise(setting, "nodex-central", config)
    centre = Server("nodex-central", "the centre")
    centre.spawn(setting, setting.load_processor, [setting.program("nodex-central"), "--config", config])


def initialise(setting, program, config):
    done = subprocess.run([setting.program(program), "--config", config, "--init"], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise StartFailed(f"{program} --init: {done.stderr.strip()[-300:]}")
