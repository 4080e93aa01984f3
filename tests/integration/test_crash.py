"""kill -9 at random moments under load: every request ends answered, nothing is charged twice, nothing hangs."""
import collections
import threading
import time

from support.pop import OUTPUT_MODEL, Pop, chat_body, unique
from support.runner import test
from support.waiting import until, until_logged
from support.wire import Answer, Cut, data_events

CLIENTS = 8
TOKENS = 6


class Worker:
    """One customer that sends call after call and retries each with its key until it is answered."""

    def __init__(self, pop, client, seed):
        self.pop, self.client, self.seed = pop, client, seed
        self.stopping = threading.Event()
        self.done = []      # (identity, key, stream, final answer)
        self.problems = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        number = 0
        while not self.stopping.is_set():
            number += 1
            stream = (number + self.seed) % 2 == 0
            identity, key = unique("crash"), unique()
            body = chat_body(f"call {identity}", model=OUTPUT_MODEL, stream=stream, tokens=TOKENS, pace_ms=8,
                             id=identity, more={"max_tokens": TOKENS})
            answer = self.until_answered(self.client.chat_request(body, key), key)
            if answer is not None:
                self.done.append((identity, key, body, stream, answer))

    def until_answered(self, octets, key):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                answer = self.client.send(octets)
            except (OSError, Cut, AssertionError, TimeoutError):
                continue  # cut by the kill, or nobody listens yet: the client retries with its key
            if answer.status in (200, 402) or (answer.status == 502 and answer.error["code"] == "upstream_lost"):
                return answer
            if answer.status not in (429, 500, 502, 503, 504):
                self.problems.append((key, answer))
                return None
        self.problems.append((key, "never answered"))
        return None

    def stop(self):
        self.stopping.set()

    def join(self):
        self.thread.join(90)
        assert not self.thread.is_alive(), "a request hangs"


def run_kills(pop, workers, kills, random):
    for number in range(kills):
        time_to_kill = time.monotonic() + random.uniform(0.02, 0.45)
        until(lambda limit=time_to_kill: time.monotonic() >= limit, 2, "the moment of the kill")
        pop.kill()
        started = time.monotonic()
        pop.restart()
        assert time.monotonic() - started < 10, f"restart {number} is slow"
    for worker in workers:
        worker.stop()
    for worker in workers:
        worker.join()


def judge(pop, workers):
    """The provider's count, the answers and the ledger agree by rule."""
    requests = [item for worker in workers for item in worker.done]
    assert not [worker.problems for worker in workers if worker.problems], [w.problems for w in workers]
    assert len(requests) > len(workers), "there was no load"
    for worker in workers:
        for identity, key, body, stream, answer in worker.done:
            again = worker.client.send(worker.client.chat_request(body, key))
            assert isinstance(again, Answer)
            # What was answered as finished stays: the same bytes, for ever.
            if answer.status == 200 and again.status == 200 and finished(answer, stream):
                assert again.body == answer.body, (identity, answer.body[-300:], again.body[-300:])
            assert pop.provider.calls(identity) >= 1, identity
    pop.until_quiet()
    pop.verify_ledger()
    for worker in workers:
        check_charges(pop, worker)


def finished(answer, stream):
    return not stream or data_events(answer.body)[-1].data == "[DONE]"


def check_charges(pop, worker):
    account = worker.client.account
    charges = pop.charges(account)
    per_request = collections.Counter(row["request_id"] for row in charges)
    assert all(count == 1 for count in per_request.values()), "a request is charged twice"
    # A logical request has at most one charge: the answer's own.
    assert len(charges) <= len(worker.done), (len(charges), len(worker.done))
    completed = [item for item in worker.done if item[4].status == 200 and finished(item[4], item[3])]
    full = [row for row in charges if row["units"].get("output") == TOKENS]
    assert len(full) >= len(completed), (len(full), len(completed))
    spent = sum(row["amount_nano"] for row in charges)
    balance = pop.admin("balance.show", account=account)
    assert balance["balance_nano"] == 1_000_000_000 - spent
    shown = pop.admin("account.show", account=account)
    assert shown["total_spent_nano"] == spent, (shown, spent)


@test(group="kills")
def killed_at_random_moments_every_request_is_answered_and_charged_once(scale, random):
    with Pop() as pop:
        workers = [Worker(pop, pop.client(balance="1"), seed) for seed in range(CLIENTS)]
        run_kills(pop, workers, scale.kills, random)
        judge(pop, workers)


@test
def a_restart_says_what_it_did_with_open_reservations():
    with Pop() as pop:
        client = pop.client()
        body = chat_body("open", stream=True, tokens=500, pace_ms=20)
        with client.wire() as wire:
            wire.send(client.chat_request(body))
            wire.head()
            until(wire.receive, 5, "the stream runs")
            pop.kill()
        before = len(pop.edge_log())
        pop.restart()
        until_logged(lambda: pop.edge_log()[before:], "recover")
        pop.until_quiet()
        assert len(pop.charges(client.account)) == 1
        pop.verify_ledger()


@test
def a_kill_while_idle_loses_nothing():
    with Pop() as pop:
        client = pop.client()
        for _ in range(5):
            client.chat("hello", tokens=2)
        pop.kill()
        pop.restart()
        assert len(pop.until_settled(client.account, 5)) == 5
        assert client.chat("hello", tokens=2).status == 200
        pop.verify_ledger()
