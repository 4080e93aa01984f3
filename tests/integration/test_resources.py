"""What a client can make the node keep in memory: readers that stall, bodies that never come, endless heads
(deploy/threat-model.md, promise 8). Bounds are on memory; the time a good client waits meanwhile is printed."""
import json
import subprocess
import time

from support import programs
from support.pop import Pop, Stream, answers_of, chat_body, unique
from support.runner import test
from support.wire import Cut, request

READERS = 40
READERS_KIB_MAX = 16_000_000 // 1024
BODIES = 200
BODIES_KIB_MAX = 8 * 1024
HEADS = 30
HEADS_KIB_MAX = 8 * 1024
HEAD_BYTES = 8 * 1024 * 1024
# Buffers for received bytes are taken once, 4,096 a loop, and their pages when they are first used.
RECEIVES_UNTIL_WARM = 3 * 2 * 4096


def warmed(pop, client):
    """Makes the node use once what it keeps for good, so that growth after it belongs to what is tested."""
    served = 0
    while served < RECEIVES_UNTIL_WARM:
        done = subprocess.run(
            [programs.find(pop.build, "nodex-bench"), "--url", f"http://{pop.plain_address}/healthz",
             "--body-file", "/dev/null", "--connections", "32", "--warmup", "0", "--duration", "1",
             "--json", "-"], check=True, capture_output=True, text=True, timeout=60)
        report = json.loads(done.stdout)
        assert report["failed"] == 0, report
        served += report["answered"]
    for _ in range(20):
        assert client.chat("warm", stream=True, tokens=50, pace_ms=0).status == 200
    return pop.edge.settled_kib()


def worst_of_good_client(client, calls=20):
    """The longest of some calls on a connection of its own, in milliseconds."""
    worst = 0
    with client.wire() as wire:
        for _ in range(calls):
            started = time.monotonic()
            assert client.get("/v1/models", wire=wire).status == 200
            worst = max(worst, time.monotonic() - started)
    return round(worst * 1000, 1)


def tell(what, grown, limit, waited):
    print(f"    {what}: {grown} KiB more (at most {limit}), good client's worst answer {waited} ms")


@test
def forty_stalled_readers_of_endless_streams_cost_less_than_16_mb():
    with Pop() as pop:
        client = pop.client(balance="100000")
        before = warmed(pop, client)
        readers = []
        for number in range(READERS):
            body = chat_body(f"stalled {number}", stream=True, tokens=100_000, pace_ms=0)
            octets = client.chat_request(body, "new", [("X-Nodex-On-Disconnect", "cancel")])
            readers.append(Stream(client, octets, receive_buffer=4096))
        grown = pop.edge.settled_kib() - before
        assert pop.provider.running() == READERS, "they were not held back"
        tell("stalled readers", grown, READERS_KIB_MAX, worst_of_good_client(client))
        assert grown <= READERS_KIB_MAX, grown
        for reader in readers:
            reader.wire.reset()


@test
def two_hundred_declared_bodies_that_never_come_cost_less_than_8_mib():
    with Pop() as pop:
        client = pop.client()
        before = warmed(pop, client)
        fields = [("Content-Type", "application/json"), ("Content-Length", str(10_000_000))]
        wires = []
        for _ in range(BODIES):
            wires.append(client.wire())
            wires[-1].send(request("POST", "/v1/chat/completions", [*client.fields(unique()), *fields]) + b'{"model"')
        grown = pop.edge.settled_kib() - before
        tell("declared bodies", grown, BODIES_KIB_MAX, worst_of_good_client(client))
        assert grown <= BODIES_KIB_MAX, grown
        for wire in wires:
            wire.close()


@test
def thirty_heads_of_8_mib_are_refused_early_and_cost_less_than_8_mib():
    def status_of_endless_head(pop):
        """None when the connection was reset before we could read the refusal."""
        line = b"X-Endless: " + b"e" * 1000 + b"\r\n"
        with pop.wire(plain=True, seconds=20) as wire:
            try:
                wire.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
                for _ in range(HEAD_BYTES // len(line)):
                    wire.send(line)
                return wire.answer().status
            except (OSError, Cut):
                return None

    with Pop() as pop:
        client = pop.client()
        before = warmed(pop, client)
        answered = answers_of([lambda: status_of_endless_head(pop)] * HEADS)
        grown = pop.edge.settled_kib() - before
        tell("endless heads", grown, HEADS_KIB_MAX, worst_of_good_client(client))
        assert set(answered) <= {431, None}, answered
        assert grown <= HEADS_KIB_MAX, grown
