"""HTTP/1.1 and server-sent events on raw sockets: tests decide every byte that is sent and see every byte
that comes back. Strict where it reads: a malformed answer is a failed test."""
import json
import socket
import ssl
import struct


class Cut(Exception):
    """The connection ended before the message did. `got` has what came of the body."""

    def __init__(self, got=b""):
        super().__init__(f"cut after {len(got)} octets of the body")
        self.got = got


class Answer:
    """A whole HTTP answer."""

    def __init__(self, status, fields, body=b""):
        self.status = status
        self.fields = fields  # (name in lower case, value), in order
        self.body = body

    def field(self, name):
        """The value of a field that must not appear twice; None when absent."""
        values = [value for field, value in self.fields if field == name.lower()]
        assert len(values) <= 1, f"{name} appears {len(values)} times"
        return values[0] if values else None

    @property
    def json(self):
        assert "application/json" in (self.field("content-type") or ""), f"not JSON: {self!r}"
        return json.loads(self.body)

    @property
    def error(self):
        """The error object of an error envelope, checked for its shape."""
        error = self.json["error"]
        assert set(error) >= {"code", "message", "type", "param", "request_id"}, error
        assert self.status >= 400, self.status
        return error

    @property
    def events(self):
        assert (self.field("content-type") or "").startswith("text/event-stream"), f"not a stream: {self!r}"
        return events_of(self.body)

    def __repr__(self):
        return f"<{self.status} {self.fields} {self.body[:300]!r}>"


class Event:
    """One server-sent event as it stood on the wire."""

    def __init__(self, raw):
        self.raw = raw
        lines = raw.decode().split("\n")
        self.id = self._one(lines, "id")
        self.type = self._one(lines, "event")
        self.data = "\n".join(line[6:] for line in lines if line.startswith("data: "))
        self.comments = [line for line in lines if line.startswith(":")]

    @staticmethod
    def _one(lines, name):
        values = [line[len(name) + 2:] for line in lines if line.startswith(name + ": ")]
        assert len(values) <= 1, lines
        return values[0] if values else None

    @property
    def number(self):
        return int(self.id.removeprefix("evt_"))

    @property
    def json(self):
        return json.loads(self.data)

    def __repr__(self):
        return f"<event {self.raw!r}>"


def events_of(body):
    """Splits a stream at blank lines; bytes after the last blank line are a cut event and fail the test."""
    assert body == b"" or body.endswith(b"\n\n"), f"the stream ends inside an event: {body[-200:]!r}"
    return [Event(raw) for raw in body.split(b"\n\n") if raw]


def data_events(body):
    """Events without the heartbeats."""
    return [event for event in events_of(body) if event.data or event.id]


def text_of(events):
    """The text that a chat stream's deltas make together."""
    text = ""
    for event in events:
        if event.data in ("", "[DONE]"):
            continue
        for choice in event.json.get("choices", []):
            text += choice["delta"].get("content") or ""
    return text


def request(method, path, fields=(), body=b"", host="localhost"):
    """The octets of a request. Fields are (name, value); Content-Length is added when there is a body."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in fields]
    if body and not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in fields):
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def trusting(ca_file):
    """A TLS context as an SDK has it: the authority is checked, and so is the name."""
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


class Wire:
    """One connection. `ready` is an unconnected socket to use, for one of another network namespace."""

    def __init__(self, address, context=None, name="localhost", seconds=30, receive_buffer=None, ready=None,
                 connect_seconds=None):
        host, _, port = address.rpartition(":")
        plain = ready or socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.settimeout(connect_seconds or seconds)
        try:
            plain.connect((host, int(port)))
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket = context.wrap_socket(plain, server_hostname=name) if context else plain
        except (OSError, ValueError):
            plain.close()
            raise
        self.socket.settimeout(seconds)
        self.pending = b""  # received, not yet taken

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, octets):
        self.socket.sendall(octets)

    def receive(self):
        """Some more octets, b"" at the end of the connection."""
        try:
            return self.socket.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError, BrokenPipeError):
            return b""

    def _more(self, got=b""):
        octets = self.receive()
        if not octets:
            raise Cut(got)
        self.pending += octets

    def head(self):
        """The next answer's status line and fields; 100 Continue is answered as it comes."""
        while b"\r\n\r\n" not in self.pending:
            assert len(self.pending) < 1 << 20, "endless head"
            self._more(self.pending)
        head, _, self.pending = self.pending.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        version, status, *_ = lines[0].split(" ", 2)
        assert version == "HTTP/1.1", lines[0]
        fields = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            assert colon and name and name == name.strip(), f"bad field {line!r}"
            fields.append((name.lower(), value.strip()))
        return Answer(int(status), fields)

    def body(self, answer, method="GET"):
        """Yields the body in pieces as they come; Cut when it does not end as its framing says."""
        if method == "HEAD" or answer.status in (204, 304) or answer.status < 200:
            return
        if answer.field("transfer-encoding") is not None:
            assert answer.field("transfer-encoding") == "chunked", answer
            assert answer.field("content-length") is None, answer
            yield from self._chunks()
            return
        length = answer.field("content-length")
        assert length is not None, f"neither length nor chunks: {answer}"
        yield from self._exactly(int(length))

    def _exactly(self, size):
        while size > 0:
            if not self.pending:
                self._more()
            piece, self.pending = self.pending[:size], self.pending[size:]
            size -= len(piece)
            yield piece

    def _line(self):
        while b"\r\n" not in self.pending:
            self._more()
        line, _, self.pending = self.pending.partition(b"\r\n")
        return line

    def _chunks(self):
        while True:
            size = int(self._line(), 16)
            if size == 0:
                assert self._line() == b"", "trailers"
                return
            yield from self._exactly(size)
            assert self._line() == b"", "no line end after a chunk"

    def answer(self, method="GET"):
        """The next whole answer."""
        answer = self.head()
        pieces = []
        try:
            for piece in self.body(answer, method):
                pieces.append(piece)
        except Cut:
            raise Cut(b"".join(pieces)) from None
        answer.body = b"".join(pieces)
        return answer

    def ended(self):
        """True when the server has closed the connection; reads what may still come."""
        try:
            while self.receive():
                pass
            return True
        except (TimeoutError, socket.timeout):
            return False

    def close(self):
        self.socket.close()

    def reset(self):
        """Ends the connection by RST, as a killed process or a pulled cable would look."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
