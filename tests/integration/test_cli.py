"""The nodex command against a running node: tables, JSON, exit statuses."""
import json
import os
import pathlib
import re
import shlex
import subprocess

from support import built, programs
from support.pop import unique
from support.runner import test
from support.waiting import until

OK, USAGE, REFUSED, UNREACHABLE, FAILED = range(5)


def nodex(pop, *arguments, key=None, cwd=None, **environment):
    """Runs the command, in the folder `cwd`; its exit status, standard output and standard error."""
    variables = {"NODEX_ADMIN": f"unix:{pop.admin.path}", "NODEX_CA": pop.ca_file,
                 "NODEX_BASE_URL": f"https://localhost:{pop.tls_address.rsplit(':', 1)[1]}/v1", **environment}
    if key:
        variables["NODEX_API_KEY"] = key
    run = subprocess.run([pop.cli(), *arguments], capture_output=True, text=True, timeout=60, check=False,
                         env={**os.environ, **variables}, stdin=subprocess.DEVNULL, cwd=cwd)
    return run.returncode, run.stdout, run.stderr


def result(pop, *arguments, key=None):
    status, out, err = nodex(pop, "--json", *arguments, key=key)
    assert status == OK, (arguments, status, out, err)
    return json.loads(out)


@test
def an_operator_opens_an_account_and_its_customer_chats(pop):
    account = str(result(pop, "admin", "account", "create", unique("cli"))["account"])
    result(pop, "admin", "balance", "topup", account, "5.00", "--reference", unique())
    key = result(pop, "admin", "key", "create", account, "laptop", "--budget", "2.5", "--model", "sim")["key"]
    pop.until_known(key)
    status, out, err = nodex(pop, "chat", "[[nodex: tokens=4]] hello", key=key)
    assert status == OK and len(out.split()) == 4, (status, out, err)
    status, streamed, err = nodex(pop, "chat", "[[nodex: tokens=4]] hello", "--stream", key=key)
    assert status == OK and len(streamed.split()) == 4, (status, streamed, err)
    assert result(pop, "balance", key=key)["key"]["budget"] == "2.5"
    assert [model["id"] for model in result(pop, "models", key=key)["data"]] == ["sim"]
    assert len(pop.until_settled(int(account), 2)) == 2
    assert len(result(pop, "usage", key=key)["data"]) >= 2
    assert result(pop, "status")["node"] == "test"


@test
def every_operator_command_is_understood_by_the_node(pop):
    account = str(result(pop, "admin", "account", "create", unique("cli"), "--currency", "EUR")["account"])
    assert result(pop, "admin", "account", "show", account)["currency"] == "EUR"
    assert any(str(entry["account"]) == account for entry in result(pop, "admin", "account", "list")["accounts"])
    assert result(pop, "admin", "account", "block", account)["state"] == "blocked"
    assert result(pop, "admin", "account", "unblock", account)["state"] == "active"
    reference = unique()
    assert result(pop, "admin", "balance", "topup", account, "3", "--reference", reference)["applied"] is True
    assert result(pop, "admin", "balance", "topup", account, "3", "--reference", reference)["applied"] is False
    assert result(pop, "admin", "balance", "adjust", account, "-0.5", "--reason", "test")["balance"] == "2.5"
    assert result(pop, "admin", "balance", "show", account)["balance"] == "2.5"
    key_id = str(result(pop, "admin", "key", "create", account, "one", "--budget", "1", "--budget-period", "day",
                        "--policy", "required", "--rpm", "60", "--tpm", "1000", "--concurrency", "5",
                        "--expires-at", "2000000000")["key_id"])
    assert result(pop, "admin", "key", "update", key_id, "--budget", "none")["budget"] is None
    for verb, state in (("suspend", "suspended"), ("resume", "active"), ("revoke", "revoked")):
        assert result(pop, "admin", "key", verb, key_id)["state"] == state
    assert len(result(pop, "admin", "key", "list", account)["keys"]) == 1
    model = unique("model")
    made = result(pop, "admin", "catalog", "set", model, "--context-tokens", "1000", "--output-tokens-max", "100",
                  "--input-price", "1.5", "--cached-input-price", "0.15", "--output-price", "6", "--reasoning-price", "7",
                  "--cache-write-5m-price", "2", "--cache-write-1h-price", "3", "--alias", model + "-latest",
                  "--display-name", "A model", "--owned-by", "me", "--image-tokens-max", "10", "--on-sale", "no")
    assert made["prices"]["output"] == "6" and made["on_sale"] is False, made
    assert result(pop, "admin", "catalog", "show", model)["id"] == model
    assert any(entry["id"] == model for entry in result(pop, "admin", "catalog", "list")["models"])
    assert result(pop, "admin", "usage", "list", account, "--limit", "5")["data"] == []
    assert result(pop, "admin", "ledger", "verify")["sound"] is True
    assert result(pop, "admin", "account", "shred", account, "--yes")["shreds"] == 1
    assert result(pop, "admin", "account", "close", account, "--yes")["state"] == "closed"
    assert result(pop, "admin", "status")


@test
def people_get_tables(pop):
    status, out, _ = nodex(pop, "admin", "catalog", "list")
    assert status == OK
    lines = out.splitlines()
    assert lines[0].startswith("id") and any(line.startswith("sim ") for line in lines), out
    assert "_nano" not in out


@test
def refusals_are_told_with_their_code_and_request(pop):
    status, _, err = nodex(pop, "chat", "hello", "--model", "nothing", key=pop.client().key)
    assert status == REFUSED and "model_not_found" in err and "request " in err, err
    status, _, err = nodex(pop, "balance", key="nxk_" + "0" * 43)
    assert status == REFUSED and "invalid_api_key" in err, err
    status, _, err = nodex(pop, "--json", "admin", "account", "show", "999999")
    assert status == REFUSED and json.loads(err)["error"]["code"], err


@test
def no_answer_has_its_own_status(pop):
    status, _, err = nodex(pop, "models", NODEX_BASE_URL="https://localhost:1/v1")
    assert status == UNREACHABLE and "localhost:1" in err, err
    status, _, err = nodex(pop, "admin", "status", NODEX_ADMIN="unix:/nonexistent/admin.sock")
    assert status == UNREACHABLE, err
    # An authority that did not sign the node's certificate: no answer, and the way out is named.
    status, _, err = nodex(pop, "models", NODEX_CA="/etc/ssl/certs/ca-certificates.crt")
    assert status == UNREACHABLE and "--ca" in err, err


@test
def a_wrong_command_line_sends_nothing(pop):
    accounts = len(pop.admin("account.list")["accounts"])
    for arguments in (["admin", "account", "create"], ["admin", "balance", "topup", "1", "1,5", "--reference", "x"],
                      ["admin", "account", "shred", "1"], ["frobnicate"], [], ["admin", "key", "create", "1", "k", "--rpm", "many"]):
        status, _, err = nodex(pop, *arguments)
        assert status == USAGE and err, (arguments, status, err)
    assert len(pop.admin("account.list")["accounts"]) == accounts


def commands_below(pop, words=()):
    """Every command of the help, leaves only, each as its words and its help."""
    status, text, err = nodex(pop, *words, "--help")
    assert status == OK, (words, status, err)
    section = re.search(r"^Subcommands:\n((?:  .*\n)+)", text, re.MULTILINE)
    if section is None:
        yield words, text
        return
    for name, _, about in re.findall(r"^  (\S+)( +(\S.*))?$", section[1], re.MULTILINE):
        assert about, (words, name, "has no description")
        yield from commands_below(pop, (*words, name))


# What asks nobody.
LOCAL = {("admin", "operator", "new")}


@test
def every_command_helps_with_an_example_that_it_takes(pop, folder):
    """Nobody listens at these addresses: what is understood ends without an answer, what is not as a wrong command line."""
    seen = 0
    for words, text in commands_below(pop):
        example = re.search(r"^Example: nodex (.*)$", text, re.MULTILINE)
        assert example and "Exit status:" in text, (words, text)
        typed = shlex.split(example[1])
        assert tuple(typed[:len(words)]) == words, (words, typed)
        status, _, err = nodex(pop, *typed, key="nxk_" + "0" * 43, NODEX_ADMIN="unix:/nonexistent/admin.sock",
                               NODEX_BASE_URL="https://localhost:1/v1", cwd=folder)
        assert status == (OK if words in LOCAL else UNREACHABLE), (typed, status, err)
        seen += 1
    assert seen >= 35, seen


@test
def the_example_of_a_configuration_is_accepted(folder):
    """All but the provider's credential, which is a file of the machine that it is for."""
    example = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "edge.toml.example"
    text, replaced = re.subn(r'^credential = ".*?"', 'credential = "none"', example.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert replaced == 1
    path = os.path.join(folder, "edge.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    checked = subprocess.run([programs.find(built.DIRECTORY, "nodex-edge"), "--config", path, "--check"], capture_output=True,
                             text=True, timeout=20, check=False)
    assert checked.returncode == 0 and checked.stdout.endswith(": ok\n"), checked


@test
def every_program_tells_its_exit_status_and_ends_with_2_for_a_wrong_command_line():
    for name in ("nodex-edge", "nodex-central", "nodex-provider"):
        program = programs.find(built.DIRECTORY, name)
        told = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=20, check=False)
        assert told.returncode == 0 and "Exit status: 0" in told.stdout and "Example" in told.stdout, (name, told)
        for wrong in (["--frobnicate"], ["--config", "x", "--check", "--init"] if name != "nodex-provider" else ["--cores", "many"]):
            ended = subprocess.run([program, *wrong], capture_output=True, text=True, timeout=20, check=False)
            assert ended.returncode == 2 and ended.stderr, (name, wrong, ended)


@test
def a_provider_failure_is_told_as_a_failure(pop):
    status, _, err = nodex(pop, "chat", "[[nodex: status=500]] x", key=pop.client().key)
    assert status == FAILED, (status, err)
    status, out, err = nodex(pop, "chat", "--stream", "[[nodex: tokens=9 error_event_after=4]] x", key=pop.client().key)
    assert status == FAILED and out.split(), (status, out, err)


@test
def a_chat_with_a_key_is_repeated_for_free(pop):
    client = pop.client()
    question = ["chat", "[[nodex: tokens=5]] again", "--idempotency-key", unique()]
    first, second = nodex(pop, *question, key=client.key), nodex(pop, *question, key=client.key)
    assert first[0] == second[0] == OK and first[1] == second[1]
    assert len(pop.until_settled(client.account, 1)) == 1


@test
def status_of_all_pops_shows_the_one_node_in_standalone_mode(pop):
    def reported():
        shown = result(pop, "status", "--pops")["pops"]
        return shown if shown and "lag_ms" in shown[0] else None
    shown = until(reported, 20, "the node has reported to the centre in its own process")
    assert len(shown) == 1 and shown[0]["pop"] == 1 and shown[0]["heard_s"] <= 5, shown
    assert shown[0]["name"] == "test" and shown[0]["incarnation"] == 1, shown
    status, out, err = nodex(pop, "status", "--pops")
    assert status == OK, (status, out, err)
    head, row = out.splitlines()[:2]
    assert head.split()[:3] == ["pop", "name", "heard"] and "headroom" in head, out
    assert row.split()[:2] == ["1", "test"] and " ago" in row, out
    assert nodex(pop, "status", "--pops", NODEX_ADMIN="unix:/nowhere/admin.sock")[0] == UNREACHABLE
