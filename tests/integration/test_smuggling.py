"""Shapes that another server could read differently are refused, over real TLS, before any provider is called
(deploy/threat-model.md, promise 2). After each of them nothing of the rest of the connection is taken for a request."""
from support.pop import chat_body, unique
from support.runner import test
from support.wire import Cut, request

HOST = b"Host: localhost\r\n"


def answers_to(pop, octets):
    """All answers until the server closes or falls silent."""
    answers = []
    with pop.wire(seconds=3) as wire:
        try:
            wire.send(octets)
        except OSError:
            pass  # closed while we were still sending
        try:
            while True:
                answers.append(wire.answer())
        except (Cut, TimeoutError, OSError):
            pass
    return answers


def smuggled(pop, head, body=b"", refusals=(400,)):
    """Sends head, body and a second request behind it: one refusal, then the end."""
    calls = pop.provider.calls()
    second = request("GET", "/v1/status", [("X-Smuggled", "1")])
    answers = answers_to(pop, head + body + second)
    assert len(answers) == 1, (head, answers)
    assert answers[0].status in refusals, (head, answers[0])
    assert answers[0].error["request_id"], answers[0]
    assert pop.provider.calls() == calls, "a provider was called"


def post(pop, fields, version=b"HTTP/1.1", target=b"/v1/chat/completions"):
    key = pop.smuggler.key.encode()
    return b"POST " + target + b" " + version + b"\r\n" + HOST + b"Authorization: Bearer " + key + \
        b"\r\nContent-Type: application/json\r\nX-Idempotency-Key: " + unique("smuggle").encode() + b"\r\n" + fields + b"\r\n"


def prepare(pop):
    if not hasattr(pop, "smuggler"):
        pop.smuggler = pop.client()


CHAT = chat_body("smuggle", tokens=1).encode()
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(CHAT), CHAT)
LENGTH = b"Content-Length: %d\r\n" % len(CHAT)


@test
def an_honest_request_of_each_framing_passes(pop):
    prepare(pop)
    for octets in (post(pop, LENGTH) + CHAT, post(pop, b"Transfer-Encoding: chunked\r\n") + CHUNKED,
                   post(pop, b"transfer-encoding:chunked\r\n") + CHUNKED):
        with pop.wire() as wire:
            wire.send(octets)
            assert wire.answer().status == 200, octets


@test
def two_framings_at_once_are_refused(pop):
    prepare(pop)
    for fields, body in (
            (LENGTH + b"Transfer-Encoding: chunked\r\n", CHUNKED),
            (b"Transfer-Encoding: chunked\r\n" + LENGTH, CHUNKED),
            (LENGTH + LENGTH, CHAT),
            (LENGTH + b"Content-Length: 1\r\n", CHAT),
            (b"Content-Length: %d, %d\r\n" % (len(CHAT), len(CHAT)), CHAT),
            (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", CHUNKED)):
        smuggled(pop, post(pop, fields), body)


@test
def lengths_that_are_no_plain_number_are_refused(pop):
    prepare(pop)
    for value in (b"+5", b"-1", b"0x10", b"5 5", b"", b"1" * 20, b"99999999999999999999", b"5.0", b"five", b"\xb2"):
        smuggled(pop, post(pop, b"Content-Length: " + value + b"\r\n"), CHAT, (400, 413))


@test
def transfer_codings_other_than_chunked_are_refused(pop):
    prepare(pop)
    for value in (b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b"identity", b"xchunked", b"chunked\x0b",
                  b"", b"\"chunked\"", b"chunked;q=1", b"gzip"):
        smuggled(pop, post(pop, b"Transfer-Encoding: " + value + b"\r\n"), CHUNKED, (400,))
    smuggled(pop, post(pop, b"Transfer-Encoding: chunked\r\n", b"HTTP/1.0"), CHUNKED)


@test
def folded_and_misshapen_fields_are_refused(pop):
    prepare(pop)
    for fields in (b"Transfer-Encoding:\r\n chunked\r\n", b"X-A: 1\r\n\tfolded\r\n", b"Content-Length : 5\r\n",
                   b"Transfer-Encoding : chunked\r\n", b": empty name\r\n", b"No-Colon\r\n", b"X\x00A: 1\r\n",
                   b"X-A: 1\x00\r\n", b"X-A: a\rb\r\n", b"X-A: a\nX-B: b\r\n", b"X(A): 1\r\n", b"X-A: \x7f\r\n",
                   b" X-A: 1\r\n", b"X-A: \x01\r\n"):
        smuggled(pop, post(pop, fields + LENGTH), CHAT)


@test
def ends_of_lines_other_than_crlf_are_refused(pop):
    prepare(pop)
    honest = post(pop, LENGTH)
    for head in (honest.replace(b"\r\n", b"\n"), honest.replace(b"\r\n\r\n", b"\r\n\n"), honest.replace(b"\r\n\r\n", b"\n\n"),
                 honest.replace(b"\r\n\r\n", b"\r\n\rX"), honest.replace(b"\r\n\r\n", b"\r\n\r\r\n"),
                 honest.replace(b"\r\nHost", b"\r\r\nHost")):
        smuggled(pop, head, CHAT)


@test
def misshapen_chunks_are_refused(pop):
    prepare(pop)
    size = b"%x" % len(CHAT)
    whole = CHAT + b"\r\n0\r\n\r\n"
    for body in (size + b"\n" + whole, b"0x" + size + b"\r\n" + whole, size + b"\rX" + whole, b"-" + size + b"\r\n" + whole,
                 size + b" \r\n" + whole, b"\r\n" + whole, b"g\r\n" + whole, size + b"\r\n" + CHAT + b"XX0\r\n\r\n",
                 size + b"\r\n" + CHAT + b"0\r\n\r\n", b"fffffffffffffffff\r\n" + whole, b"123456789\r\n" + whole,
                 size + b"\r\n" + CHAT + b"\r\n0\r\nX: a\nY: b\r\n\r\n", size + b"\r\n" + CHAT + b"\r\n0\r\n: x\r\n\r\n"):
        smuggled(pop, post(pop, b"Transfer-Encoding: chunked\r\n"), body, (400, 413))


@test
def hosts_that_are_missing_doubled_or_misshapen_are_refused(pop):
    for fields in (b"", HOST + HOST, HOST + b"Host: other\r\n", b"Host: a b\r\n", b"Host: a/b\r\n", b"Host: a@b\r\n",
                   b"Host: a,b\r\n", b"Host: localhost:99999x\r\n"):
        smuggled(pop, b"GET /v1/models HTTP/1.1\r\n" + fields + b"\r\n")


@test
def request_lines_that_are_not_plain_are_refused(pop):
    for line in (b"GET  /healthz HTTP/1.1", b"GET /healthz  HTTP/1.1", b"GET\t/healthz HTTP/1.1", b" GET /healthz HTTP/1.1",
                 b"GET /healthz HTTP/1.1 ", b"GET /heal\x80thz HTTP/1.1", b"GET /healthz\x00 HTTP/1.1", b"G@T /healthz HTTP/1.1",
                 b"GET http://localhost/healthz HTTP/1.1", b"GET localhost:80 HTTP/1.1", b"GET * HTTP/1.1",
                 b"GET /a\\b HTTP/1.1", b"GET /a#b HTTP/1.1", b"GET healthz HTTP/1.1", b"GET /healthz", b"/healthz"):
        smuggled(pop, line + b"\r\n" + HOST + b"\r\n", refusals=(400, 404, 405))


@test
def versions_other_than_1_0_and_1_1_are_refused(pop):
    for version in (b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.2", b"HTTP/1.10", b"http/1.1", b"RTSP/1.0", b"ICE/1.0", b"HTTP/11"):
        smuggled(pop, b"GET /healthz " + version + b"\r\n" + HOST + b"\r\n", refusals=(400,))


@test
def a_tunnel_is_never_opened(pop):
    smuggled(pop, b"CONNECT localhost:443 HTTP/1.1\r\n" + HOST + b"\r\n", refusals=(400, 405))
    smuggled(pop, b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", refusals=(400, 405))
    answers = answers_to(pop, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert len(answers) <= 1 and all(answer.status >= 400 for answer in answers), answers
    h2c = b"GET /healthz HTTP/1.1\r\n" + HOST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" \
        b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
    answers = answers_to(pop, h2c + request("GET", "/healthz"))
    assert answers and all(answer.status != 101 for answer in answers), answers


@test
def paths_are_taken_as_they_stand(pop):
    client = pop.client()
    for path in ("/v1/../v1/models", "/v1//models", "/%76%31/models", "/v1/models/", "/V1/models", "/v1/models%00",
                 "/v1/chat/completions/", "//healthz", "/./healthz", "/healthz/.", "/v1/models;x=1"):
        answer = client.get(path)
        assert answer.status == 404, (path, answer)


@test
def refused_shapes_arriving_octet_by_octet_are_refused_the_same(pop):
    prepare(pop)
    head = post(pop, LENGTH + b"Transfer-Encoding: chunked\r\n")
    with pop.wire(seconds=10) as wire:
        try:
            for octet in head + CHUNKED:
                wire.send(bytes([octet]))
        except OSError:
            pass  # refused before the end
        assert wire.answer().status == 400


@test
def random_changes_of_a_request_never_break_the_node(pop, random):
    prepare(pop)
    pid = pop.edge.pid
    for _ in range(150):
        octets = bytearray(post(pop, LENGTH) + CHAT)
        for _ in range(random.randrange(1, 4)):
            place = random.randrange(len(octets))
            if random.random() < 0.5:
                octets[place] = random.randrange(256)
            elif random.random() < 0.5:
                del octets[place]
            else:
                octets[place:place] = bytes([random.randrange(256)])
        with pop.wire(seconds=0.3) as wire:
            try:
                wire.send(bytes(octets))
                answer = wire.answer()
                assert answer.status < 500, (bytes(octets), answer)
            except (Cut, TimeoutError, OSError):
                pass  # it waits for more, or has closed
    assert pop.edge.alive() and pop.edge.pid == pid
    assert pop.smuggler.chat("still here", tokens=1).status == 200
