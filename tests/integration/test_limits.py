"""Limits and deadlines at their boundary: one below, the limit itself, one above (deploy/threat-model.md, promises 4 and 5)."""
import json
import time

from support.pop import Pop, chat_body, unique
from support.runner import test
from support.wire import Cut, Wire, request

HEAD_BYTES = 16 * 1024
LINE_BYTES = 8 * 1024
FIELDS = 100


def ask(pop, octets, method="GET"):
    """The answer, and whether the connection was closed after it."""
    with pop.wire(seconds=10) as wire:
        wire.send(octets)
        answer = wire.answer(method)
        closed = (answer.field("connection") or "").lower() == "close"
        if closed:
            assert wire.ended(), "announced and not closed"
        return answer, closed


def head_of(size):
    """A request whose head has exactly `size` octets."""
    plain = len(request("GET", "/healthz", [("X-Fill-1", ""), ("X-Fill-2", "")]))
    fill = size - plain
    return request("GET", "/healthz", [("X-Fill-1", "a" * (fill // 2)), ("X-Fill-2", "b" * (fill - fill // 2))])


@test
def a_head_of_16_kib_is_taken_and_one_octet_more_is_431(pop):
    for size in (HEAD_BYTES - 1, HEAD_BYTES):
        octets = head_of(size)
        assert len(octets) == size
        assert ask(pop, octets)[0].status == 200, size
    answer, closed = ask(pop, head_of(HEAD_BYTES + 1))
    assert answer.status == 431 and answer.error["code"] == "header_too_large" and closed, answer


@test
def a_request_line_of_8_kib_is_taken_and_one_octet_more_is_414(pop):
    def with_line(size):
        target = "/healthz?" + "q" * (size - len("GET /healthz? HTTP/1.1"))
        return request("GET", target)
    for size in (LINE_BYTES - 1, LINE_BYTES):
        assert ask(pop, with_line(size))[0].status == 200, size
    answer, closed = ask(pop, with_line(LINE_BYTES + 1))
    assert answer.status == 414 and answer.error["code"] == "uri_too_long" and closed, answer


@test
def a_hundred_fields_are_taken_and_one_more_is_431(pop):
    def with_fields(count):  # Host is one of them
        return request("GET", "/healthz", [(f"X-{n}", "v") for n in range(count - 1)])
    for count in (FIELDS - 1, FIELDS):
        assert ask(pop, with_fields(count))[0].status == 200, count
    answer, closed = ask(pop, with_fields(FIELDS + 1))
    assert answer.status == 431 and closed, answer


def body_of(size):
    """A chat body of exactly `size` octets."""
    plain = len(chat_body("", tokens=1))
    return chat_body("x" * (size - plain), tokens=1)


@test
def a_body_at_its_limit_is_taken_and_one_octet_more_is_413():
    limit = 64 * 1024
    with Pop(config={"limits": {"body_bytes": limit}}) as pop:
        client = pop.client()
        for size in (limit - 1, limit):
            body = body_of(size)
            assert len(body) == size
            assert client.send(client.chat_request(body)).status == 200, size
        with client.wire() as wire:
            answer = client.send(client.chat_request(body_of(limit + 1)), wire=wire)
            assert answer.status == 413 and answer.error["code"] == "body_too_large", answer
        assert chunked(client, body_of(limit), 1000).status == 200
        assert chunked(client, body_of(limit + 1), 1000).status == 413
        # A declared length is refused before its body comes.
        with client.wire() as wire:
            head = request("POST", "/v1/chat/completions", [*client.fields(unique()), ("Content-Type", "application/json"),
                                                            ("Content-Length", str(10 ** 12))])
            wire.send(head)
            assert wire.answer().status == 413


def chunked(client, body, size, extension=b"", trailers=b""):
    """A chat call whose body comes in chunks of `size`."""
    head = request("POST", "/v1/chat/completions", [*client.fields(unique()), ("Content-Type", "application/json"),
                                                    ("Transfer-Encoding", "chunked")])
    octets = body.encode()
    parts = [octets[n:n + size] for n in range(0, len(octets), size)]
    chunks = b"".join(b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts)
    with client.wire() as wire:
        try:
            wire.send(head + chunks + b"0\r\n" + trailers + b"\r\n")
        except OSError:
            pass  # refused and closed while we were still sending
        return wire.answer()


@test
def a_chunked_body_is_one_body_whatever_its_chunks(pop):
    client = pop.client()
    for size in (1, 7, 100, 10_000):
        answer = chunked(client, chat_body("chunks", tokens=3), size)
        assert answer.status == 200 and answer.json["usage"]["completion_tokens"] == 3, (size, answer)


@test
def chunk_extensions_and_trailers_are_bounded_and_dropped(pop):
    client = pop.client()
    body = chat_body("extensions", tokens=1)
    assert chunked(client, body, 1000, b";a=b", b"X-Trailer: 1\r\n").status == 200
    assert chunked(client, body, 1000, b";" + b"e" * 5000).status in (400, 413, 431)
    assert chunked(client, body, 1000, b"", b"X-Trailer: " + b"t" * 9000 + b"\r\n").status in (400, 413, 431)
    # A trailer is no field: it cannot bring a key of its own.
    sneaky = chunked(client, chat_body("sneaky", tokens=1), 1000, b"", b"X-Idempotency-Key: other\r\n")
    assert sneaky.status == 200 and sneaky.field("x-nodex-idempotency-key") != "other"


@test
def expect_100_is_answered_before_the_body_and_anything_else_is_417(pop):
    client = pop.client()
    body = chat_body("expected", tokens=1).encode()
    fields = [*client.fields(unique()), ("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    with client.wire() as wire:
        wire.send(request("POST", "/v1/chat/completions", [*fields, ("Expect", "100-continue")]))
        assert wire.head().status == 100
        wire.send(body)
        assert wire.answer().status == 200
    answer, _ = ask(pop, request("POST", "/v1/chat/completions", [*fields, ("Expect", "200-maybe")]), "POST")
    assert answer.status == 417, answer
    with client.wire() as wire:  # refused without the body being asked for
        wire.send(request("POST", "/v1/chat/completions", [("Content-Type", "application/json"),
                                                          ("Content-Length", "5000"), ("Expect", "100-continue")]))
        assert wire.head().status == 401


@test
def pipelined_requests_are_answered_in_order(pop):
    client = pop.client()
    paths = ["/healthz", "/v1/models", "/v1/nothing", "/v1/models/sim", "/healthz"] * 4
    with client.wire() as wire:
        wire.send(b"".join(request("GET", path, client.fields()) for path in paths))
        statuses = [wire.answer().status for _ in paths]
    assert statuses == [200, 200, 404, 200, 200] * 4, statuses


@test
def pipelined_chat_calls_are_answered_in_order_too(pop):
    client = pop.client()
    with client.wire() as wire:
        wire.send(b"".join(client.chat_request(chat_body(f"p{n}", tokens=n)) for n in range(1, 6)))
        counts = [wire.answer().json["usage"]["completion_tokens"] for _ in range(5)]
    assert counts == [1, 2, 3, 4, 5], counts


@test
def a_head_that_takes_longer_than_five_seconds_is_408_whatever_its_speed(pop):
    with pop.wire(seconds=15) as wire:
        started = time.monotonic()
        wire.socket.settimeout(0.5)
        wire.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        answered = trickle(wire, b"X-Slow: 1\r\n", 10)
        took = time.monotonic() - started
    assert answered is not None and answered.status == 408, answered
    assert 4.5 < took < 6.5, took


def trickle(wire, piece, seconds):
    """Sends a piece every half second until the server answers; None when it never does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            return wire.answer()
        except TimeoutError:
            try:
                wire.send(piece)
            except OSError:
                return None
        except Cut:
            return None
    return None


@test
def a_body_that_stops_coming_is_408(pop):
    client = pop.client()
    body = chat_body("slow body").encode()
    head = request("POST", "/v1/chat/completions", [*client.fields(unique()), ("Content-Type", "application/json"),
                                                    ("Content-Length", str(len(body)))])
    with client.wire(seconds=20) as wire:
        started = time.monotonic()
        wire.send(head + body[:10])
        answer = wire.answer()
        took = time.monotonic() - started
    assert answer.status == 408 and answer.error["code"] == "request_timeout", answer
    assert 9 < took < 12.5, took


@test
def a_handshake_that_never_comes_is_closed_after_five_seconds(pop):
    with Wire(pop.tls_address, seconds=15) as wire:
        started = time.monotonic()
        wire.send(b"\x16\x03\x01")
        assert wire.ended()
        took = time.monotonic() - started
    assert 4 < took < 7, took


@test
def an_idle_connection_is_closed_after_its_time():
    with Pop(config={"limits": {"keep_alive_ms": 1000}}) as pop:
        with pop.wire(seconds=10) as wire:
            wire.send(request("GET", "/healthz"))
            assert wire.answer().status == 200
            started = time.monotonic()
            assert wire.ended()
            assert 0.5 < time.monotonic() - started < 3


@test
def above_the_connection_limit_others_are_not_disturbed():
    with Pop(config={"limits": {"connections": 20}}) as pop:
        kept = [pop.wire() for _ in range(10)]
        for wire in kept:
            wire.send(request("GET", "/healthz"))
            assert wire.answer().status == 200
        extra = []
        for _ in range(40):
            try:
                extra.append(pop.wire(seconds=1))
            except OSError:
                pass  # refused or not accepted: both are fine, what was open must go on
        for wire in kept:
            wire.send(request("GET", "/healthz"))
            assert wire.answer().status == 200
        for wire in kept + extra:
            wire.close()
        with pop.wire(seconds=10) as wire:
            wire.send(request("GET", "/healthz"))
            assert wire.answer().status == 200


@test
def http10_gets_an_answer_and_the_end(pop):
    client = pop.client()
    with client.wire() as wire:
        wire.send(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = wire.answer()
        assert answer.status == 200 and wire.ended()
    body = chat_body("old", stream=True, tokens=2)
    with client.wire() as wire:
        octets = client.chat_request(body).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
        wire.send(octets)
        answer = wire.head()
        assert answer.status in (200, 400), answer
        assert answer.field("transfer-encoding") is None, "HTTP/1.0 knows no chunks"


@test
def large_bodies_and_large_answers_pass_whole(pop):
    client = pop.client(balance="1000")
    text = "w" * 2_000_000
    answer = client.chat(text, tokens=1, wire=None)
    assert answer.status in (200, 400), answer  # 400 only when it is above the model's context
    answer = client.chat("big answer", answer_bytes=3_000_000)
    assert answer.status == 200 and len(answer.body) >= 2_900_000, answer.status
    json.loads(answer.body)
