"""What the TLS listener offers, and what it refuses."""
import json
import os
import re
import socket
import ssl
import subprocess

from support.pop import Pop
from support.runner import test
from support.wire import Wire, request, trusting


def handshake(pop, context, name="localhost"):
    """The version agreed on; raises what the handshake raises."""
    with Wire(pop.tls_address, context, name) as wire:
        wire.send(request("GET", "/healthz"))
        assert wire.answer().status == 200
        return wire.socket.version()


def only(pop, version):
    context = trusting(pop.ca_file)
    context.minimum_version = context.maximum_version = version
    return context


def refused(action):
    try:
        action()
    except (ssl.SSLError, OSError):
        return True
    return False


@test
def tls_1_3_and_1_2_are_spoken_and_nothing_older(pop):
    assert handshake(pop, trusting(pop.ca_file)) == "TLSv1.3"
    assert handshake(pop, only(pop, ssl.TLSVersion.TLSv1_2)) == "TLSv1.2"
    for old in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        context = only(pop, ssl.TLSVersion.TLSv1_2)
        context.minimum_version, context.maximum_version = old, old
        context.set_ciphers("ALL:@SECLEVEL=0")
        assert refused(lambda: handshake(pop, context)), old


@test
def weak_suites_are_refused(pop):
    for suite in ("ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256", "AES128-SHA", "ECDHE-ECDSA-AES256-SHA384"):
        context = only(pop, ssl.TLSVersion.TLSv1_2)
        context.set_ciphers(suite + ":@SECLEVEL=0")
        assert refused(lambda: handshake(pop, context)), suite


@test
def a_protocol_other_than_http_1_1_is_refused(pop):
    context = ssl.create_default_context(cafile=pop.ca_file)
    context.set_alpn_protocols(["h2"])
    assert refused(lambda: handshake(pop, context))
    context = ssl.create_default_context(cafile=pop.ca_file)  # none offered
    assert handshake(pop, context)


@test
def sessions_are_resumed_on_any_core(pop):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = only(pop, version)
        reused = 0
        session = None
        for _ in range(8):
            plain = socket.create_connection(tuple(pop.tls_address.rsplit(":", 1)), 10)
            with context.wrap_socket(plain, server_hostname="localhost", session=session) as wrapped:
                wrapped.sendall(request("GET", "/healthz"))
                wrapped.recv(4096)
                reused += wrapped.session_reused
                session = wrapped.session
        assert reused == 7, (version, reused)


@test
def a_ticket_still_works_after_a_reload(pop):
    context = only(pop, ssl.TLSVersion.TLSv1_3)

    def connect(session):
        plain = socket.create_connection(tuple(pop.tls_address.rsplit(":", 1)), 10)
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as wrapped:
            wrapped.sendall(request("GET", "/healthz"))
            wrapped.recv(4096)
            return wrapped.session, wrapped.session_reused
    session, _ = connect(None)
    pop.reload()
    assert connect(session)[1]


@test
def plain_http_on_the_tls_port_is_not_answered(pop):
    with Wire(pop.tls_address, seconds=8) as wire:
        wire.send(request("GET", "/healthz"))
        assert b"HTTP/1.1 200" not in wire.receive()


@test
def the_certificate_is_chosen_by_name():
    with Pop() as pop:
        other = os.path.join(pop.folder, "other")
        os.mkdir(other, 0o700)
        made = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-keyout", f"{other}/key.pem", "-out", f"{other}/crt.pem", "-subj", "/CN=api.example",
             "-addext", "subjectAltName=DNS:api.example,DNS:*.eu.example"], capture_output=True, check=False)
        assert made.returncode == 0, made.stderr
        os.chmod(f"{other}/key.pem", 0o600)
        pop.config["certificate"].append({"chain": f"{other}/crt.pem", "key": f"{other}/key.pem"})
        pop.write_config()
        pop.reload()
        for name in ("api.example", "pop1.eu.example"):
            assert handshake(pop, trusting(f"{other}/crt.pem"), name)
        assert handshake(pop, trusting(pop.ca_file), "localhost")
        for name in ("eu.example", "a.b.eu.example", "unknown.example"):
            assert refused(lambda wrong=name: handshake(pop, trusting(f"{other}/crt.pem"), wrong)), name


@test(group="testssl")
def testssl_finds_nothing_below_tls_1_2(pop, folder):
    report = os.path.join(folder, "report.json")
    program = "testssl" if os.path.exists("/usr/bin/testssl") else "testssl.sh"
    subprocess.run([program, "--quiet", "--color", "0", "--warnings", "batch", "--ip", "one", "-p", "-s", "-S", "-U", "-f",
                    "--jsonfile", report, pop.tls_address], capture_output=True, timeout=600, check=False,
                   stdin=subprocess.DEVNULL)
    with open(report, encoding="utf-8") as file:
        findings = {item["id"]: item for item in json.load(file)}
    for protocol in ("SSLv2", "SSLv3", "TLS1", "TLS1_1"):
        assert re.search("not offered", findings[protocol]["finding"]), findings[protocol]
    for protocol in ("TLS1_2", "TLS1_3"):
        assert findings[protocol]["finding"].startswith("offered"), findings[protocol]
    # A development certificate is not known to the world, and it has no revocation address.
    expected = re.compile("cert_|OCSP|CRL|trust|CAA|revocation|notAfter|chain_of_trust|DNS|HSTS|scan", re.IGNORECASE)
    bad = [item for name, item in findings.items()
           if item["severity"] in ("MEDIUM", "HIGH", "CRITICAL", "FATAL") and not expected.search(name)]
    assert not bad, bad
