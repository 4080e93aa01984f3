"""Many connections, many streams, slow readers: memory stays within its bars (deploy/threat-model.md, promises 7 and 8)."""
import resource
import subprocess
import time

from support import programs
from support.pop import Pop, Stream, chat_body, unique
from support.runner import test
from support.waiting import holds, until
from support.wire import request

IDLE_KIB_MAX = 16
STREAM_KIB_MAX = 64
MEMTABLES_KIB = 128 * 1024  # what the store keeps of its newest writes (storage/rocks_options.cc)


@test
def slow_readers_do_not_grow_memory():
    # Each stream is 25 MB, so that neither window nor socket buffers can hold it: 500 MB if nothing paused.
    with Pop() as pop:
        client = pop.client(balance="1000")
        client.chat("warm up", answer_bytes=1_000_000)
        before = pop.edge.settled_kib()
        readers = []
        for number in range(20):
            body = chat_body(f"slow {number}", stream=True, tokens=100_000, pace_ms=0)
            octets = client.chat_request(body, "new", [("X-Nodex-On-Disconnect", "cancel")])
            readers.append(Stream(client, octets, receive_buffer=4096))
        grown = pop.edge.settled_kib() - before
        assert grown < 16 * 1024 + MEMTABLES_KIB, f"grew by {grown} KiB for {len(readers)} readers"
        assert pop.provider.running() == len(readers), "they were not paused"
        assert client.chat("others are served", tokens=1).status == 200
        for reader in readers:
            reader.wire.reset()


@test
def a_reader_that_takes_nothing_is_cut():
    with Pop() as pop:
        client = pop.client(balance="1000")
        body = chat_body("stalled", stream=True, tokens=60_000, pace_ms=0)
        started = time.monotonic()
        with Stream(client, client.chat_request(body), receive_buffer=2048, seconds=40) as stream:
            until(lambda: pop.metrics()["nodex_client_gone_total"] >= 1, 30, "the stalled reader is cut")
            assert 9 < time.monotonic() - started < 14
            assert not stream.body.endswith(b"[DONE]\n\n")
        pop.until_quiet()
        pop.verify_ledger()


@test
def a_run_that_waited_for_a_slow_reader_goes_on_when_the_reader_leaves():
    with Pop() as pop:
        client = pop.client(balance="1000")
        key = unique()
        octets = client.chat_request(chat_body("left", stream=True, tokens=60_000, pace_ms=0), key)
        with Stream(client, octets, receive_buffer=2048) as stream:
            holds(lambda: pop.provider.running() == 1, 1, "the provider is paused")
            stream.wire.reset()
        pop.until_quiet(60)
        answer = client.send(octets)
        assert answer.status == 200 and answer.body.endswith(b"data: [DONE]\n\n"), answer.body[-300:]
        assert pop.charges(client.account)[0]["units"]["output"] == 60_000


@test
def declared_bodies_that_do_not_come_cost_no_memory():
    with Pop() as pop:
        client = pop.client()
        client.chat("warm up")
        before = pop.edge.settled_kib()
        wires = []
        for _ in range(200):
            wire = pop.wire()
            wire.send(request("POST", "/v1/chat/completions", [*client.fields(unique()), (
                "Content-Type", "application/json"), ("Content-Length", "10000000")]))
            wires.append(wire)
        grown = pop.edge.settled_kib() - before
        assert grown < 8 * 1024 + 200 * IDLE_KIB_MAX, f"grew by {grown} KiB"
        for wire in wires:
            wire.close()


@test(alone=True)
def a_good_client_is_served_while_others_dawdle():
    with Pop() as pop:
        client = pop.client()
        client.chat("warm up")
        slow = []
        for number in range(300):
            wire = pop.wire(plain=True)
            wire.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + str(number).encode())
            slow.append(wire)
        worst = 0.0
        with client.wire() as wire:
            for _ in range(50):
                started = time.monotonic()
                assert client.get("/v1/models", wire=wire).status == 200
                worst = max(worst, time.monotonic() - started)
        assert worst < 0.25, worst
        for wire in slow:
            wire.close()


def bench(pop, *arguments):
    """nodex-bench against this node; a process of its own, because descriptors are limited per process."""
    return subprocess.Popen([programs.find(pop.build, "nodex-bench"), "--ca", pop.ca_file, *arguments],
                            stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)


def raise_file_limit(wanted):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    assert hard >= wanted, f"the file limit is {hard}, this test needs {wanted} (soft was {soft})"


def connections(pop):
    return sum(value for name, value in pop.metrics().items() if name.startswith("nodex_connections"))


@test(group="idle", alone=True)
def idle_connections_are_held_in_little_memory(scale):
    count = scale.idle_connections
    raise_file_limit(count + 500)
    with Pop(config={"limits": {"connections_per_address": count + 500}}) as pop:
        client = pop.client()
        client.chat("warm up")
        before = pop.edge.settled_kib()
        load = bench(pop, "--url", f"https://localhost:{pop.tls_address.rsplit(':', 1)[1]}/healthz", "--idle", str(count),
                     "--duration", "60")
        try:
            until(lambda: connections(pop) >= count, 60, f"{count} connections are open")
            each = (pop.edge.settled_kib() - before) / count
            print(f"    {count} idle connections: {each:.1f} KiB each (at most {IDLE_KIB_MAX})", flush=True)
            assert each <= IDLE_KIB_MAX, f"{each:.1f} KiB for each of {count} idle connections"
            started = time.monotonic()
            assert client.get("/v1/models").status == 200
            assert time.monotonic() - started < 0.25
        finally:
            load.kill()
            load.wait()
        until(lambda: connections(pop) < 10, 20, "closed connections are gone")


@test(group="streams", alone=True)
def open_streams_are_held_in_little_memory(scale):
    count = scale.open_streams
    raise_file_limit(2 * count + 500)
    with Pop(config={"limits": {"connections_per_address": count + 500}}) as pop:
        pop.config["provider"][0]["connections"] = count  # on each core; the streams may fall unevenly
        pop.write_config()
        pop.edge.terminate()
        pop.restart()
        client = pop.client(balance="100000")
        client.chat("warm up")
        before = pop.edge.settled_kib()
        load = bench(pop, "--url", f"https://localhost:{pop.tls_address.rsplit(':', 1)[1]}/v1/chat/completions",
                     "--key", client.key, "--model", "sim-output", "--stream", "--streams", str(count), "--unique-keys",
                     "--header", "X-Nodex-On-Disconnect: cancel", "--duration", "60",
                     "--prompt", "[[nodex: tokens=2000 pace_ms=1000]] hold")
        try:
            until(lambda: pop.provider.running() >= count, 90, f"{count} streams are open")
            each = (pop.edge.settled_kib() - before) / count
            print(f"    {count} open streams: {each:.1f} KiB each (at most {STREAM_KIB_MAX})", flush=True)
            assert each <= STREAM_KIB_MAX, f"{each:.1f} KiB for each of {count} streams"
            holds(lambda: pop.provider.running() >= count * 0.99, 3, "the streams are held")
            assert client.chat("another one", tokens=1).status == 200
        finally:
            load.kill()
            load.wait()
        pop.until_quiet(60)
        pop.verify_ledger()
