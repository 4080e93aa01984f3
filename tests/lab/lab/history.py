"""What clients did and saw: the evidence that verdicts are about. Everything here comes from outside of Nodex."""
import dataclasses
import threading
import time

# How an operation ended for its client.
ACKNOWLEDGED = "acknowledged"  # a whole answer: it must stay fetchable, and is charged once
ENDED = "ended"                # a stream that ended in its protocol with an error: charged at most once
REFUSED = "refused"            # an error that retrying does not change
UNKNOWN = "unknown"            # the client gave up; anything may have happened, but at most once


@dataclasses.dataclass
class Attempt:
    """One request on one connection."""
    pop: str
    began: float
    ended: float = 0.0
    result: str = ""        # "200", "503 overloaded", or "connect", "cut", "timeout", "gap"
    request_id: str = ""
    events: int = 0         # whole events that this attempt brought
    resumed_from: int = 0   # Last-Event-ID, 0: none
    replay: bool = False    # X-Nodex-Idempotent-Replay: true


@dataclasses.dataclass
class Operation:
    """One thing that a customer wanted once, however often it was sent."""
    account: int
    api_key: str
    key: str                # idempotency key
    identity: str           # under which the provider counts its runs
    words: int              # of the prompt: no other operation of the account has as many
    tokens: int             # of the whole answer
    stream: bool
    request_body: str
    home: str = ""          # the client's name
    attempts: list = dataclasses.field(default_factory=list)
    outcome: str = UNKNOWN
    body: bytes = b""       # what was delivered: the whole body, or whole events
    began: float = 0.0
    ended: float = 0.0
    session: str = ""
    account_opened: float = 0.0
    sdk: bool = False       # by an official SDK: `body` is then the text of the answer

    @property
    def last(self):
        return self.attempts[-1] if self.attempts else None


class History:
    """All operations of a run. Thread-safe."""

    def __init__(self):
        self._lock = threading.Lock()
        self.operations = []
        self.attempts = []   # (Operation, Attempt), in the order in which attempts ended
        self.problems = []   # what no client may ever see: a gap in the events, other bytes at a resume
        self.began = time.monotonic()

    def now(self):
        return time.monotonic() - self.began

    def begin(self, operation):
        operation.began = self.now()
        with self._lock:
            self.operations.append(operation)

    def attempt(self, operation, attempt):
        attempt.ended = self.now()
        with self._lock:
            operation.attempts.append(attempt)
            self.attempts.append((operation, attempt))

    def end(self, operation, outcome, body=b""):
        operation.outcome, operation.body, operation.ended = outcome, body, self.now()

    def problem(self, text):
        with self._lock:
            self.problems.append(text)

    def of(self, *outcomes):
        with self._lock:
            return [operation for operation in self.operations if operation.outcome in outcomes]

    def successes_since(self, moment, pop=None):
        """Attempts answered with 200 that began after `moment` (of now())."""
        with self._lock:
            return [attempt for _, attempt in self.attempts
                    if attempt.result == "200" and attempt.began >= moment and pop in (None, attempt.pop)]
