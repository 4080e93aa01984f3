"""Start, reload, drain and end of the node; and what it says when something it needs is missing."""
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time

from support.pop import Pop, Stream, chat_body, statuses, unique
from support.runner import test
from support.waiting import until
from support.wire import Answer, Cut, request


@test
def sigterm_lets_streams_finish_and_takes_no_new_work():
    with Pop() as pop:
        client = pop.client()
        key = unique()
        octets = client.chat_request(chat_body("drain", stream=True, tokens=60, pace_ms=20), key)
        with Stream(client, octets) as stream:
            stream.read_events(3)
            pop.edge.signal(signal.SIGTERM)
            assert stream.rest().endswith(b"data: [DONE]\n\n")
        assert pop.edge.wait(10) == 0
        pop.restart()
        again = client.send(octets)
        assert again.body == stream.body
        assert len(pop.until_settled(client.account, 1)) == 1
        pop.verify_ledger()


@test
def sigterm_ends_idle_connections_and_the_process_at_once():
    with Pop() as pop:
        wires = [pop.wire() for _ in range(20)]
        for wire in wires:
            wire.send(request("GET", "/healthz"))
            wire.answer()
        assert pop.edge.terminate(5) == 0
        for wire in wires:
            assert wire.ended()
            wire.close()


@test
def a_deadline_ends_what_would_drain_for_ever():
    with Pop(config={"limits": {"drain_ms": 1000}}) as pop:
        client = pop.client()
        key = unique()
        body = chat_body("endless", stream=True, tokens=100_000, pace_ms=20)
        with Stream(client, client.chat_request(body, key)) as stream:
            stream.read_events(3)
            pop.edge.signal(signal.SIGTERM)
            assert pop.edge.wait(8) == 0
            assert not stream.body.endswith(b"[DONE]\n\n")
        pop.restart()
        pop.until_quiet()
        assert len(pop.charges(client.account)) == 1
        pop.verify_ledger()


def load_until(stop, pop, client, answers):
    while not stop.is_set():
        try:
            with client.wire() as wire:
                for _ in range(3):
                    answers.append(client.chat("load", tokens=2, wire=wire))
        except Exception as problem:  # judged by the test
            answers.append(problem)


@test
def reloads_under_load_fail_no_request_and_drop_no_connection(scale):
    with Pop() as pop:
        client = pop.client()
        stop, answers = threading.Event(), []
        threads = [threading.Thread(target=load_until, args=(stop, pop, client, answers)) for _ in range(4)]
        with Stream(client, client.chat_request(chat_body("long", stream=True, tokens=100, pace_ms=20))) as stream, \
                client.wire() as kept:
            stream.read_events(1)
            client.get("/v1/models", wire=kept)
            for thread in threads:
                thread.start()
            for _ in range(scale.reloads):
                pop.reload()
            stop.set()
            for thread in threads:
                thread.join()
            assert client.get("/v1/models", wire=kept).status == 200, "a kept connection was dropped"
            assert stream.rest().endswith(b"[DONE]\n\n")
        assert len(answers) > 10 and set(statuses(answers)) == {200}, statuses(answers)
        pop.verify_ledger()


@test
def a_reload_takes_new_certificates_providers_and_limits():
    with Pop() as pop:
        client = pop.client()
        with pop.wire() as wire:
            old = wire.socket.getpeercert(binary_form=True)
        for name in ("tls.crt", "tls.key", "ca.pem"):
            os.unlink(os.path.join(pop.secrets_dir, name))
        pop.init()
        pop.config["limits"] = {"body_bytes": 2048}
        pop.config["provider"][0]["models"] = {"sim": "renamed"}
        pop.write_config()
        pop.reload()
        with pop.wire() as wire:
            assert wire.socket.getpeercert(binary_form=True) != old
        until(lambda: client.chat("x" * 3000).status == 413, 5, "the new limit")


@test
def a_reload_takes_connection_limits_and_keep_alive():
    with Pop() as pop:
        client = pop.client()
        with pop.wire(plain=True) as kept, pop.wire(plain=True) as other:
            for wire in (kept, other):
                assert client.get("/healthz", wire=wire).status == 200
            pop.config["limits"] = {"connections_per_address": 1, "keep_alive_ms": 300}
            pop.write_config()
            pop.reload()
            # Nothing is closed for the new limit, but a third one is.
            assert client.get("/healthz", wire=kept).status == 200
            until(lambda: connection_is_refused(pop), 5, "one connection of an address on each core")
            # The new keep-alive counts from the next response.
            assert client.get("/healthz", wire=kept).status == 200
            until(kept.ended, 5, "the kept connection is closed after 0.3 s")
        pop.config["limits"] = {"connections_per_address": 100, "keep_alive_ms": 60_000}
        pop.write_config()
        pop.reload()
        until(lambda: client.get("/healthz").status == 200, 5, "many again")


def connection_is_refused(pop):
    """Whether the node closes one of some connections at once, although each core has room for one of them."""
    wires = []
    try:
        try:
            for _ in range(6):
                wires.append(pop.wire(plain=True))
        except ConnectionError:  # closed before we knew that it was open
            return True
        for wire in wires:
            try:
                wire.send(request("GET", "/healthz"))
                wire.answer()
            except (OSError, Cut):
                return True
        return False
    finally:
        for wire in wires:
            wire.close()


@test
def a_reload_opens_the_access_log_anew_and_takes_log_options():
    with Pop() as pop:
        client = pop.client()
        log = os.path.join(pop.folder, "access.log")

        def lines(path):
            if not os.path.exists(path):
                return []
            with open(path, encoding="utf-8") as file:
                return [json.loads(line) for line in file if line.endswith("\n")]  # the last may be half written
        client.get("/v1/models")
        until(lambda: len(lines(log)) > 0, 5, "the access log is written")
        os.rename(log, log + ".1")  # logrotate, then systemctl reload
        pop.reload()
        before = len(lines(log + ".1"))
        client.get("/v1/balance")
        until(lambda: any(line["route"] == "balance" for line in lines(log)), 5, "a new file is written")
        assert len(lines(log + ".1")) == before
        assert os.stat(log).st_mode & 0o007 == 0, "others cannot read it"
        pop.config["log"].update({"access": log + ".elsewhere", "level": "error"})
        pop.write_config()
        # At level error a reload is not told; the next line that shows it is the access log's.
        pop.edge.signal(signal.SIGHUP)
        until(lambda: client.get("/v1/balance").status == 200 and lines(log + ".elsewhere"), 10, "the other file")
        pop.config["log"]["access"] = os.path.join(pop.folder, "missing", "access.log")
        pop.write_config()
        pop.edge.signal(signal.SIGHUP)
        until(lambda: "reload_refused" in pop.edge_log() and "log.access" in pop.edge_log(), 10, "refused")
        assert client.get("/v1/balance").status == 200


@test
def the_node_key_is_rotated_although_it_is_killed_in_the_middle(random):
    with Pop() as pop:
        stored = []
        for number in range(12):
            client = pop.client()
            key, body = unique(), chat_body(f"sealed {number}", tokens=3, stream=number % 2 == 0)
            stored.append((client, key, body, client.send(client.chat_request(body, key))))
        pop.until_quiet()
        path = os.path.join(pop.secrets_dir, "node.key")
        running = pop.program("--rotate-node-key")
        assert running.wait(20) != 0 and "store_not_opened" in pop.edge_log(), "the node still runs"
        assert not os.path.exists(path + ".next"), "nothing was begun"
        pop.edge.terminate()
        with open(path, encoding="ascii") as file:
            old = file.read()
        for _ in range(12):
            ended = time.monotonic() + random.uniform(0.0, 0.06)
            rotation = pop.program("--rotate-node-key")
            until(lambda limit=ended: time.monotonic() >= limit, 2, "the moment of the kill")
            rotation.kill()
        if os.path.exists(path + ".next"):
            fails_to_start(pop, "key_rotation_unfinished")
            assert pop.program("--rotate-node-key").wait(20) == 0, pop.edge_log()
        assert pop.program("--rotate-node-key").wait(20) == 0, pop.edge_log()
        with open(path, encoding="ascii") as file:
            assert file.read() != old
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600 and not os.path.exists(path + ".next")
        pop.restart()
        for client, key, body, answer in stored:
            again = client.send(client.chat_request(body, key))
            assert again.status == 200 and again.body == answer.body, again
            assert again.field("x-nodex-idempotent-replay") == "true"
        pop.edge.terminate()
        # The old key opens nothing any more.
        with open(path, "w", encoding="ascii") as file:
            file.write(old)
        fails_to_start(pop, "kek_refused")


@test
def a_reload_of_a_broken_configuration_changes_nothing():
    with Pop() as pop:
        client = pop.client()
        with open(pop.config_path, "a", encoding="utf-8") as file:
            file.write("\n[limits]\nbody_bites = 3\n")
        pop.reload()
        assert "reload_refused" in pop.edge_log() and "body_bites" in pop.edge_log()
        assert client.chat("still here", tokens=1).status == 200


def fails_to_start(pop, *words):
    """The edge ends by itself with a failure, and its log has the words that help."""
    before = len(pop.edge_log())
    pop.launch()
    status = pop.edge.wait(15)
    said = pop.edge_log()[before:]
    assert status not in (0, None) and status > 0, f"ended with {status}: {said}"
    for word in words:
        assert word in said, (word, said)


@test
def a_missing_secret_stops_the_start_and_invents_nothing():
    with Pop() as pop:
        pop.edge.terminate()
        for name in ("node.key", "key_hash.key", "idempotency.key"):
            path = os.path.join(pop.secrets_dir, name)
            os.rename(path, path + ".away")
            fails_to_start(pop, name)
            assert not os.path.exists(path), "a lost secret was silently replaced"
            os.rename(path + ".away", path)
        pop.restart()


@test
def a_secret_that_others_can_read_stops_the_start():
    with Pop() as pop:
        pop.edge.terminate()
        path = os.path.join(pop.secrets_dir, "node.key")
        os.chmod(path, 0o644)
        fails_to_start(pop, "node.key")
        os.chmod(path, 0o600)
        pop.restart()


@test
def a_configuration_error_is_one_sentence_that_names_the_key():
    with Pop() as pop:
        pop.edge.terminate()
        for section, name, value, word in (("node", "cores", "two", "node.cores"), ("log", "level", "loud", "log.level"),
                                           ("listen", "tls", ["nonsense"], "nonsense"),
                                           ("node", "surprise", 1, "node.surprise")):
            before = pop.config[section].get(name)
            pop.config[section][name] = value
            pop.write_config()
            fails_to_start(pop, word)
            if before is None:
                del pop.config[section][name]
            else:
                pop.config[section][name] = before
        pop.write_config()
        pop.restart()


@test
def a_port_that_is_taken_stops_the_start_and_is_named():
    with Pop() as pop, socket.create_server(("127.0.0.1", 0)) as other:
        pop.edge.terminate()
        # One that would share its port with us as well: the provider listens with SO_REUSEPORT.
        for taken in (f"127.0.0.1:{other.getsockname()[1]}", pop.provider.address):
            pop.config["listen"]["tls"] = [taken]
            pop.write_config()
            fails_to_start(pop, taken)


@test
def a_second_node_on_the_same_data_is_refused():
    with Pop() as pop:
        second = pop.program("--standalone")
        assert second.wait(15) > 0
        assert pop.client().chat("first is fine", tokens=1).status == 200


@test
def a_corrupt_store_stops_the_start_and_is_not_overwritten():
    with Pop() as pop:
        client = pop.client()
        for _ in range(3):
            client.chat("hello", tokens=3)
        pop.until_quiet()
        pop.edge.terminate()
        manifests = [os.path.join(folder, name) for folder, _, names in os.walk(pop.data_dir)
                     for name in names if name.startswith("MANIFEST-")]
        assert manifests
        for path in manifests:
            with open(path, "r+b") as file:
                file.seek(100)
                file.write(b"\xff" * 200)
        fails_to_start(pop, "corrupt")


@test
def the_process_is_confined():
    with Pop() as pop:
        assert pop.edge.status("NoNewPrivs") == "1"
        assert pop.edge.status("Seccomp") == "2"
        for thread in os.listdir(f"/proc/{pop.edge.pid}/task"):
            with open(f"/proc/{pop.edge.pid}/task/{thread}/status", encoding="ascii") as file:
                text = file.read()
            assert "NoNewPrivs:\t1" in text and "Seccomp:\t2" in text, f"thread {thread} is not confined"
        assert stat.S_IMODE(os.stat(pop.data_dir).st_mode) == 0o700


class SmallDisk:
    """A tmpfs of a size, mounted for one test."""

    def __init__(self, folder, size):
        self.folder = folder
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", folder], check=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.folder], check=True)


@test
def on_a_full_disk_paid_requests_are_refused_and_nothing_is_lost(folder):
    with SmallDisk(folder, "96m"):
        data = os.path.join(folder, "data")
        os.mkdir(data, 0o700)
        with Pop(data_dir=data, config={"storage": {"free_space_floor_bytes": 8 << 20}}) as pop:
            client = pop.client()
            answered = []
            for number in range(3):
                key, body = unique(), chat_body(f"before {number}", tokens=3)
                answered.append((key, body, client.send(client.chat_request(body, key))))
            filler = os.path.join(folder, "filler")
            with open(filler, "wb") as file:
                free = shutil.disk_usage(folder).free
                file.write(b"\0" * (free - (4 << 20)))
            until(lambda: client.chat("full", tokens=1).status == 503, 20, "paid requests are refused")
            refused = client.chat("full", tokens=1)
            assert refused.status == 503, refused
            assert refused.error["code"] in ("storage_unavailable", "budget_unavailable"), refused
            # What needs no room is still served: a stored answer too.
            assert client.get("/v1/models").status == 200
            for key, body, answer in answered:
                repeated = client.send(client.chat_request(body, key))
                assert repeated.status == 200 and repeated.body == answer.body, repeated
                assert repeated.field("x-nodex-idempotent-replay") == "true"
            os.unlink(filler)
            # It may serve again by itself; a node that needs a restart for it must say that it is not ready.
            until(lambda: client.chat("room again", tokens=1).status == 200 or not_ready(pop), 10,
                  "paid requests are served again, or the node is not ready")
            if not_ready(pop):
                pop.edge.terminate()
                pop.restart()
            assert client.chat("room again", tokens=1).status == 200
            for key, body, answer in answered:
                assert client.send(client.chat_request(body, key)).body == answer.body
            pop.until_quiet()
            pop.verify_ledger()


@test
def check_says_whether_a_configuration_is_good_and_starts_nothing():
    with Pop() as pop:
        assert pop.program("--check").wait(10) == 0
        with open(pop.config_path, "a", encoding="utf-8") as file:
            file.write("\n[nonsense]\n")
        assert pop.program("--check").wait(10) > 0
        assert "nonsense" in pop.edge_log()


@test
def readiness_falls_before_the_end_so_that_balancers_look_elsewhere():
    with Pop() as pop:
        client = pop.client()
        with Stream(client, client.chat_request(chat_body("hold", stream=True, tokens=100, pace_ms=20))) as stream:
            stream.read_events(1)
            pop.edge.signal(signal.SIGTERM)
            answer = until(lambda: not_ready(pop), 3, "not ready")
            assert not isinstance(answer, Answer) or answer.status == 503
            stream.rest()
        assert pop.edge.wait(10) == 0


def not_ready(pop):
    try:
        answer = pop.metrics_get("/readyz")
    except OSError as refused:
        return refused
    return answer if answer.status != 200 else None
