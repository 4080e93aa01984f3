"""Secrets and prompts stay where they belong: nothing of them in logs, data, answers or the command line."""
import json
import os

from support.pop import Pop, chat_body, unique
from support.runner import test
from support.waiting import until

PROVIDER_SECRET = b"sk-provider-secret-5f1c"


def octets_below(folder):
    """(path, content) of each regular file."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            if os.path.isfile(path) and not os.path.islink(path):
                with open(path, "rb") as file:
                    yield path, file.read()


@test
def keys_and_prompts_are_in_no_log_and_not_in_the_data():
    with Pop() as pop:
        client = pop.client()
        marker = "prompt-marker-" + "q7" * 10
        idempotency = unique("idem-marker")
        for stream in (False, True):
            assert client.chat(marker, stream=stream, tokens=3).status == 200
        client.chat(marker, idempotency=idempotency, tokens=3)
        client.chat(marker, idempotency=None)
        client.get("/v1/models", [("X-Unused", marker)])
        client.chat(marker, status=500)
        pop.until_quiet()
        pop.edge.terminate()
        secrets = []
        for _, content in octets_below(pop.secrets_dir):
            secrets += [line for line in content.split(b"\n") if len(line) >= 40 and b"-----" not in line]
        assert secrets, "no secret found to look for"
        needles = [client.key.encode(), marker.encode(), PROVIDER_SECRET, *secrets]
        for path, content in octets_below(pop.folder):
            if path.startswith(pop.secrets_dir):
                continue
            for needle in needles:
                assert needle not in content, f"{needle[:12]!r}... is in {os.path.basename(path)}"


@test
def the_access_log_has_a_line_of_json_for_each_request():
    with Pop() as pop:
        client = pop.client()
        answers = [client.chat("hello", tokens=2), client.chat("hello", model='evil"\n\x7f\u202e'), client.get("/v1/nothing")]
        pop.edge.terminate()
        with open(os.path.join(pop.folder, "access.log"), encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        by_id = {line["request_id"]: line for line in lines}
        for answer in answers:
            line = by_id[answer.field("x-nodex-request-id")]
            assert line["status"] == answer.status, line
        chat = by_id[answers[0].field("x-nodex-request-id")]
        assert chat["model"] == "sim" and chat["charged_nano"] > 0 and chat["key_id"] == client.key_id, chat


@test
def secrets_are_not_on_the_command_line_and_core_files_are_off():
    with Pop() as pop:
        with open(f"/proc/{pop.edge.pid}/cmdline", "rb") as file:
            assert PROVIDER_SECRET not in file.read()
        with open(f"/proc/{pop.edge.pid}/limits", encoding="ascii") as file:
            core = [line for line in file if line.startswith("Max core file size")]
        assert core[0].split()[4] == "0", core


@test
def bodies_of_a_shredded_account_cannot_be_read_any_more():
    with Pop() as pop:
        client = pop.client()
        key, body = unique(), chat_body("secret conversation", tokens=3)
        first = client.send(client.chat_request(body, key))
        assert client.send(client.chat_request(body, key)).body == first.body
        pop.until_quiet()
        pop.admin("account.shred", account=client.account)
        gone = until(lambda: refusal(client, body, key), 10, "the body is unreadable")
        assert first.body not in gone.body
        pop.kill()
        pop.restart()
        assert refusal(client, body, key) is not None
        pop.verify_ledger()


def refusal(client, body, key):
    answer = client.send(client.chat_request(body, key))
    return answer if answer.status != 200 else None


@test
def errors_do_not_echo_what_was_sent(pop):
    client = pop.client()
    marker = "echo-marker-91"
    for answer in (client.get(f"/v1/{marker}"), client.chat("x", more={"temperature": marker}),
                   client.chat("x", fields=[("X-Nodex-On-Disconnect", marker)]),
                   client.send(client.chat_request("{" + marker))):
        assert answer.status >= 400 and marker.encode() not in answer.body, answer
