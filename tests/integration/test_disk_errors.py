"""Disks that lie: an fdatasync that fails (deploy/threat-model.md, promise 16). strace injects the error into the
running node, so that what is tested is the node itself."""
import os
import subprocess

from support.pop import Pop, chat_body, unique
from support.runner import test
from support.waiting import until

POWER = {"durability": {"level": "power"}}


class FailingSync:
    """From the `when`-th fdatasync after entering, every one fails with EIO ("3+"), or just that one ("3")."""

    def __init__(self, pop, when, folder):
        self.trace = os.path.join(folder, "strace.txt")
        self.process = subprocess.Popen(
            ["strace", "-f", "-qq", "-p", str(pop.edge.pid), "-o", self.trace, "-e", "trace=fdatasync,fsync",
             "-e", f"inject=fdatasync,fsync:error=EIO:when={when}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        until(lambda: self.attached(pop), 20, "strace holds every thread")

    def attached(self, pop):
        assert self.process.poll() is None, self.process.stderr.read()
        threads = os.listdir(f"/proc/{pop.edge.pid}/task")
        return all(self.tracer(pop, thread) == self.process.pid for thread in threads)

    @staticmethod
    def tracer(pop, thread):
        with open(f"/proc/{pop.edge.pid}/task/{thread}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("TracerPid:"))

    def syncs(self):
        """(all, failed) so far."""
        with open(self.trace, encoding="ascii") as file:
            lines = [line for line in file if "sync(" in line]
        return len(lines), sum("INJECTED" in line for line in lines)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


@test
def a_failed_sync_is_told_and_never_tried_again(folder):
    with Pop(config=POWER) as pop:
        client = pop.client()
        stored = []
        for number in range(3):
            key, body = unique(), chat_body(f"before {number}", tokens=3)
            stored.append((key, body, client.send(client.chat_request(body, key))))
            assert stored[-1][2].status == 200, stored[-1]
        pop.until_quiet()
        identity, key = unique("sync"), unique()
        body = chat_body("the disk fails", tokens=3, id=identity)
        with FailingSync(pop, "1", folder) as disk:
            refused = client.send(client.chat_request(body, key))
            assert refused.status == 503 and refused.error["code"] == "storage_unavailable", refused
            assert refused.field("x-should-retry") == "true"
            # Its claim was not durable, so no provider has seen it.
            assert pop.provider.calls(identity) == 0
            # Only the first sync was made to fail. A second try would succeed and tell nothing of what the
            # kernel dropped: so there is none, for any request.
            for number in range(3):
                answer = client.chat(f"after {number}", tokens=1)
                assert answer.status == 503, answer
                assert answer.error["code"] in ("storage_unavailable", "budget_unavailable"), answer
            syncs, failed = disk.syncs()
            assert failed == 1 and syncs == 1, (syncs, failed)
        for stored_key, stored_body, answer in stored:
            again = client.send(client.chat_request(stored_body, stored_key))
            assert again.status == 200 and again.body == answer.body, again
        assert pop.metrics_get("/readyz").status == 503
        # Whoever wrote first: the commit thread or, in the same process, the centre.
        until(lambda: "store_write_failed" in pop.edge_log() or "central_failed" in pop.edge_log(), 10, "the log says it")
        pop.edge.terminate()
        pop.restart()
        # The client's retry with its key is answered and charged once.
        answer = client.send(client.chat_request(body, key))
        assert answer.status == 200, answer
        assert pop.provider.calls(identity) == 1
        assert len(pop.until_settled(client.account, 4)) == 4
        pop.verify_ledger()


@test
def whichever_sync_fails_no_success_is_false(folder):
    """The error meets a claim, an end, or the ledger's own write, wherever the count falls."""
    with Pop(config=POWER) as pop:
        client = pop.client()
        acknowledged = []
        for when in (1, 2, 3, 4, 5, 7):
            pop.until_quiet()
            run_folder = os.path.join(folder, str(when))
            os.mkdir(run_folder)
            with FailingSync(pop, f"{when}+", run_folder) as disk:
                statuses = []
                while not statuses or statuses[-1] == 200:
                    key, identity = unique(), unique("sync")
                    body = chat_body(f"call {identity}", tokens=2, id=identity, stream=len(statuses) % 2 == 1)
                    answer = client.send(client.chat_request(body, key))
                    statuses.append(answer.status)
                    whole = b"[DONE]" in answer.body or b"choices" in answer.body and b"chunk" not in answer.body
                    if answer.status == 200 and whole:
                        acknowledged.append((key, body, identity, answer))
                    assert answer.status in (200, 502, 503), answer
                    assert len(statuses) < 50, "no sync failed"
                    if answer.status == 200 and not whole:
                        break
                assert disk.syncs()[1] >= 1, statuses
            pop.edge.terminate()
            pop.restart()
        for key, body, identity, answer in acknowledged:
            again = client.send(client.chat_request(body, key))
            assert again.body == answer.body, (again, answer)
            assert pop.provider.calls(identity) == 1, identity
        pop.until_quiet()
        charged = {row["request_id"] for row in pop.charges(client.account)}
        assert all(answer.field("x-nodex-request-id") in charged for *_, answer in acknowledged)
        pop.verify_ledger()
