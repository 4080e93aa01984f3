"""An operator's commands through POPs that may do nothing: carried out once, read by nobody on the way."""
import json
import os
import socket
import subprocess
import threading

from support import built, programs
from support.cluster import Cluster
from support.pop import NANO, AdminRefusal, Client, chat_body
from support.runner import test
from support.waiting import until, until_logged

OK, USAGE, REFUSED = 0, 1, 2


def nodex(socket_path, *arguments, **environment):
    """The command line's exit status, standard output and standard error."""
    run = subprocess.run([programs.find(built.DIRECTORY, "nodex"), *arguments], capture_output=True, text=True, timeout=60, check=False,
                         env={**os.environ, "NODEX_ADMIN": f"unix:{socket_path}", **environment}, stdin=subprocess.DEVNULL)
    return run.returncode, run.stdout, run.stderr


def with_operators(cluster, **files):
    """The centre knows these operators, and trusts no POP."""
    for pop in cluster.central.config["pop"]:
        pop["admin"] = False
    cluster.central.config["operator"] = [{"name": name, "key": path} for name, path in files.items()]
    cluster.central.write_config()
    cluster.central.reload()


class Eavesdropper:
    """A POP as a thief runs it: passes an operator's requests on to the true admin socket, and keeps every octet."""

    def __init__(self, folder, pop):
        self.path, self.target = os.path.join(folder, "tapped.sock"), pop.admin.path
        self.requests, self.answers = [], []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.target)
            for source, target, kept in ((client, server, self.requests), (server, client, self.answers)):
                kept.append(bytearray())
                threading.Thread(target=self._pump, args=(source, target, kept[-1]), daemon=True).start()

    @staticmethod
    def _pump(source, target, kept):
        while octets := source.recv(65_536):
            kept += octets
            target.sendall(octets)
        target.shutdown(socket.SHUT_WR)

    def sealed(self):
        """The requests that carried a command, and all answers, as they went by."""
        return [bytes(each) for each in self.requests if each.startswith(b"POST /admin/sealed ")], [bytes(each) for each in self.answers]

    def close(self):
        self.listener.close()


def sent_again(pop, octets):
    """Status and body of the answer at that POP's admin socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(pop.admin.path)
        connection.sendall(octets)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(65_536)
        head, body = answer.split(b"\r\n\r\n", 1)
        length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")).split(b":")[1])
        while len(body) < length:
            body += connection.recv(65_536)
        return int(head.split()[1]), body


@test
def an_operator_with_his_key_is_obeyed_at_a_pop_that_is_refused_without_it(folder):
    with Cluster() as cluster:
        one, two = cluster.pops
        client = one.client(balance="10")
        key = cluster.net.path("operators", "operator.key")
        with_operators(cluster, operator=key)
        account = str(client.account)
        for pop in (one, two):
            status, _, err = nodex(pop.admin.path, "admin", "balance", "topup", account, "1", "--reference", "plain")
            assert status == REFUSED and "--operator" in err and "NODEX_OPERATOR" in err, (status, err)
            status, _, err = nodex(pop.admin.path, "--operator", key, "admin", "balance", "topup", account, "1", "--reference",
                                   f"through {pop.config['node']['pop_id']}")
            assert status == OK, err
        status, out, err = nodex(two.admin.path, "--json", "admin", "key", "create", account, "laptop", NODEX_OPERATOR=key)
        assert status == OK, err
        made = Client(one, json.loads(out)["key"])
        one.until_known(made.key)
        assert made.send(made.chat_request(chat_body("hello"))).status == 200
        status, out, err = nodex(one.admin.path, "--json", "--operator", key, "status", "--pops")
        assert status == OK and len(json.loads(out)["pops"]) == 2, err
        # What the centre refuses is the operator's to read as well.
        status, _, err = nodex(two.admin.path, "--operator", key, "admin", "account", "show", "999999")
        assert status == REFUSED and "not_found" in err, err
        until_logged(cluster.central.log, '"operator_command"', '"command":"key.create"')


@test
def a_command_that_a_pop_kept_does_nothing_when_it_is_sent_again_and_told_it_nothing(folder):
    with Cluster() as cluster:
        one, two = cluster.pops
        client = one.client(balance="10")
        key = cluster.net.path("operators", "operator.key")
        with_operators(cluster, operator=key)
        account = str(client.account)
        tap = Eavesdropper(folder, two)

        def balance():
            status, out, err = nodex(one.admin.path, "--json", "--operator", key, "admin", "balance", "show", account)
            assert status == OK, err
            return round(float(json.loads(out)["balance"]) * NANO)
        status, _, err = nodex(tap.path, "--operator", key, "admin", "balance", "adjust", account, "1", "--reason", "a correction")
        assert status == OK, err
        status, out, err = nodex(tap.path, "--json", "--operator", key, "admin", "key", "create", account, "laptop")
        assert status == OK and json.loads(out)["key"].startswith("nxk_"), err
        commands, answers = tap.sealed()
        tap.close()
        assert len(commands) == 2, tap.requests
        for octets in (*commands, *answers):
            assert b"balance.adjust" not in octets and b"key.create" not in octets and b"nxk_" not in octets
        keys = len(json.loads(nodex(one.admin.path, "--json", "--operator", key, "admin", "key", "list", account)[1])["keys"])
        for restarted in (False, True):
            if restarted:
                cluster.central.kill()
                cluster.central.start()
                until(lambda: sent_again(two, commands[0])[0] == 200, 30, "the centre answers again")
            for octets in commands:
                for pop in (two, one, two):
                    status, body = sent_again(pop, octets)
                    assert status == 200 and b"{" not in body[:1], (status, body)  # sealed, whatever it says
            assert balance() == 11 * NANO
            assert len(json.loads(nodex(one.admin.path, "--json", "--operator", key, "admin", "key", "list", account)[1])["keys"]) == keys
        until_logged(cluster.central.log, '"command_repeated"')


@test
def a_key_that_the_centre_does_not_know_is_told_what_to_do_and_is_changed_by_a_second_one(folder):
    with Cluster(pops=1) as cluster:
        pop = cluster.pops[0]
        old, new = cluster.net.path("operators", "operator.key"), os.path.join(folder, "alice.key")
        with_operators(cluster, operator=old)
        ask = ("admin", "account", "list")
        status, out, _ = nodex(pop.admin.path, "admin", "operator", "new", "alice", new)
        assert status == OK and "[[operator]]" in out and os.stat(new).st_mode & 0o777 == 0o600, out
        status, _, err = nodex(pop.admin.path, "admin", "operator", "new", "alice", new)
        assert status == USAGE and "exists" in err, err
        status, _, err = nodex(pop.admin.path, "--operator", new, *ask)
        assert status == REFUSED and "[[operator]]" in err and "unknown_operator" in err, err
        with_operators(cluster, operator=old, alice=new)
        for key in (old, new):
            assert nodex(pop.admin.path, "--operator", key, *ask)[0] == OK
        with_operators(cluster, alice=new)
        assert nodex(pop.admin.path, "--operator", new, *ask)[0] == OK
        assert nodex(pop.admin.path, "--operator", old, *ask)[0] == REFUSED
        forged = os.path.join(folder, "forged.key")
        with open(forged, "w", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write("nodex-operator alice " + "a" * 64 + "\n")
        status, _, err = nodex(pop.admin.path, "--operator", forged, *ask)
        assert status == REFUSED and "wrong_operator_key" in err, err
        os.chmod(forged, 0o644)
        status, _, err = nodex(pop.admin.path, "--operator", forged, *ask)
        assert status == USAGE and "chmod 600" in err, err
        # A file that cannot be used changes nothing: the centre goes on with the keys that it has.
        with_operators(cluster, alice=os.path.join(folder, "missing.key"))
        until_logged(cluster.central.log, "reload_refused")
        assert nodex(pop.admin.path, "--operator", new, *ask)[0] == OK


@test
def a_node_with_its_own_centre_needs_no_operators_key(pop, folder):
    assert pop.admin("account.create", name="standalone")["account"] > 0
    try:
        pop.admin("account.nope")
        raise AssertionError("a command that there is not was carried out")
    except AdminRefusal as refusal:
        assert refusal.code == "unknown_command", refusal
    key = os.path.join(folder, "alice.key")
    assert nodex(pop.admin.path, "admin", "operator", "new", "alice", key)[0] == OK
    assert nodex(pop.admin.path, "admin", "account", "list")[0] == OK
    # One that is given all the same is told to be left out.
    status, _, err = nodex(pop.admin.path, "admin", "account", "list", NODEX_OPERATOR=key)
    assert status == REFUSED and "--standalone" in err, (status, err)
