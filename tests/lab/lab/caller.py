"""A customer's program in small: sends a call, retries it with its key, resumes its stream, at the next POP if need be."""
import json
import ssl
import threading

from lab.history import ACKNOWLEDGED, ENDED, REFUSED, UNKNOWN, Attempt
from support.wire import Cut, request

RETRIED = {408, 409, 425, 429, 500, 502, 503, 504}   # as official SDKs do, and 425
NEW_KEY_SECONDS = 15                                 # until every POP that is not cut off knows a new key
FINAL_CODES = {"upstream_lost"}                      # a stream that is over: another try would not bring more


class Broken(Exception):
    """The attempt brought no end; `result` says how it broke."""

    def __init__(self, result):
        super().__init__(result)
        self.result = result


class EventReader:
    """Whole events of a stream as they come, with their numbers checked."""

    def __init__(self, last):
        self.last = last        # number of the last whole event
        self.events = []        # octets of whole events, blank line included
        self.finished = self.failed = False
        self._pending = b""

    def feed(self, octets):
        self._pending += octets
        while b"\n\n" in self._pending:
            raw, self._pending = self._pending.split(b"\n\n", 1)
            self._take(raw)

    def _take(self, raw):
        number, data = None, None
        for line in raw.split(b"\n"):
            if line.startswith(b"id: evt_"):
                number = int(line[8:])
            elif line.startswith(b"data: "):
                data = line[6:]
        if number is None:
            return  # a heartbeat
        if number != self.last + 1:
            raise Broken(f"gap: event {number} after {self.last}")
        self.last = number
        self.events.append(raw + b"\n\n")
        self.finished = self.finished or data == b"[DONE]"
        if data and data.startswith(b'{"error"'):
            self.failed = True


class Caller:
    """Calls POPs from one host. Not thread-safe; each thread has its own."""

    def __init__(self, lab, host, pops, *, patience=60.0, answer_seconds=20.0):
        self.lab, self.host, self.pops = lab, host, list(pops)
        self.patience, self.answer_seconds = patience, answer_seconds
        self.history = lab.history
        self.giving_up = threading.Event()

    def call(self, operation, *, first=0, attempts_max=40, backoff=0.15):
        """Sends until the operation has an end, beginning at POP number `first` of this client's list."""
        self.history.begin(operation)
        got = []     # whole events that were delivered
        for number in range(attempts_max):
            pop = self.pops[(first + number) % len(self.pops)]
            outcome = self.attempt(operation, pop, got)
            if outcome is not None:
                return self.history.end(operation, outcome[0], outcome[1])
            if self.history.now() - operation.began > self.patience:
                break
            self.giving_up.wait(min(backoff * 1.5 ** number, 0.6))
        return self.history.end(operation, UNKNOWN, b"".join(got))

    def attempt(self, operation, pop, got, *, read_events=None):
        """One request; (outcome, body) when it was an end, else nothing. Whole events are appended to `got`.
        `read_events`: leave after so many, as a customer who closes the window."""
        attempt = Attempt(pop.name, self.history.now(), resumed_from=len(got))
        ended = None
        try:
            with pop.wire(self.host, seconds=self.answer_seconds) as wire:
                ended = self._exchange(operation, wire, attempt, got, read_events)
        except Broken as broken:
            attempt.result = broken.result
            if broken.result.startswith("gap"):
                self.history.problem(f"{operation.identity} at {pop.name}: {broken.result}")
        except Cut:
            attempt.result = "cut"
        except TimeoutError:
            attempt.result = "timeout"
        except (OSError, ssl.SSLError):
            attempt.result = "cut" if attempt.request_id else "connect"
        self.history.attempt(operation, attempt)
        return ended

    def octets(self, operation, last=0):
        fields = [("Authorization", f"Bearer {operation.api_key}"), ("X-Idempotency-Key", operation.key),
                  ("Content-Type", "application/json")]
        if operation.session:
            fields.append(("X-Nodex-Session-Id", operation.session))
        if last:
            fields.append(("Last-Event-ID", f"evt_{last:05}"))
        return request("POST", "/v1/chat/completions", fields, operation.request_body.encode())

    def _exchange(self, operation, wire, attempt, got, read_events):
        wire.send(self.octets(operation, len(got)))
        head = wire.head()
        attempt.request_id = head.field("x-nodex-request-id") or ""
        attempt.replay = head.field("x-nodex-idempotent-replay") == "true"
        operation.session = operation.session or head.field("x-nodex-session-id") or ""
        if head.status == 200 and (head.field("content-type") or "").startswith("text/event-stream"):
            return self._stream(wire, head, attempt, got, read_events)
        body = b"".join(wire.body(head))
        if head.status == 200:
            attempt.result = "200"
            return ACKNOWLEDGED, body
        code = self._code(body)
        attempt.result = f"{head.status} {code}"
        if code in FINAL_CODES:
            return ENDED, b"".join(got)
        if code == "invalid_api_key" and self.history.now() - operation.account_opened < NEW_KEY_SECONDS:
            return None  # the feed has not brought the new key to this POP yet
        if head.status in RETRIED and head.field("x-should-retry") != "false":
            return None
        return REFUSED, body

    @staticmethod
    def _code(body):
        try:
            return json.loads(body)["error"]["code"]
        except (ValueError, KeyError, TypeError):
            return "?"

    @staticmethod
    def _stream(wire, head, attempt, got, read_events):
        reader = EventReader(len(got))
        try:
            for piece in wire.body(head):
                reader.feed(piece)
                if read_events is not None and len(reader.events) >= read_events:
                    attempt.result = "left"
                    return None
        finally:
            attempt.events = len(reader.events)
            got += reader.events
        if reader.finished:
            attempt.result = "200"
            return ACKNOWLEDGED, b"".join(got)
        if reader.failed:
            attempt.result = "200 ended by an error event"
            return ENDED, b"".join(got)
        raise Broken("cut")
