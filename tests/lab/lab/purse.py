"""Accounts of customers. Each call of an account has a prompt of its own length, so that a row of the ledger, which knows
units and no text, still names the call that it is for."""
import dataclasses
import itertools
import threading

from lab.history import Operation
from support.pop import MODEL, NANO, chat_body

CALLS_MAX = 300            # then a new account: prompts stay short
WORDS_LEAST = 12           # directives are words too
INPUT_NANO, OUTPUT_NANO = 1_000, 10_000  # what MODEL costs a token (World.fill_catalogue)
NUMBERS = itertools.count(1)


@dataclasses.dataclass
class Purse:
    """An account with one key."""
    account: int
    api_key: str
    topped_up_nano: int
    opened: float           # of History.now()


class Purses:
    """Makes accounts through the centre and deals out operations. Thread-safe."""

    def __init__(self, world, history, balance="5"):
        self.world, self.history, self.balance = world, history, balance
        self.all = []
        self._lock = threading.Lock()

    def open(self, balance=None, **key_options):
        balance = balance or self.balance
        number = next(NUMBERS)
        account = self.world.admin("account.create", name=f"lab-{number}")["account"]
        self.world.admin("balance.topup", account=account, amount=balance, reference=f"lab-payment-{number}")
        key = self.world.admin("key.create", account=account, name="lab", **key_options)["key"]
        whole, _, part = balance.partition(".")
        purse = Purse(account, key, int(whole) * NANO + int(part.ljust(9, "0") or 0), self.history.now())
        with self._lock:
            self.all.append(purse)
        return purse

    @staticmethod
    def operation(purse, index, *, stream, tokens, first_token_ms, pace_ms, home=""):
        """Call number `index` of the account."""
        number = next(NUMBERS)
        identity = f"op-{number}"
        directives = {"id": identity, "tokens": tokens, "first_token_ms": first_token_ms, "pace_ms": pace_ms}
        words = WORDS_LEAST + index
        text = " ".join(["w"] * (words - len(directives) - 1))
        body = chat_body(text, model=MODEL, stream=stream, more={"max_tokens": tokens,
                         **({"stream_options": {"include_usage": True}} if stream else {})}, **directives)
        return Operation(purse.account, purse.api_key, f"key-{number}", identity, words, tokens, stream, body, home,
                         account_opened=purse.opened)


class Spender:
    """One client's supply of operations: it never has two accounts at a time."""

    def __init__(self, purses, random, home, *, stream_share=0.5, tokens=(4, 24), first_token_ms=40, pace_ms=10):
        self.purses, self.random, self.home = purses, random, home
        self.stream_share, self.tokens, self.first_token_ms, self.pace_ms = stream_share, tokens, first_token_ms, pace_ms
        self.purse, self.index = None, 0

    def next(self):
        """The next operation. Raises what the centre's refusal raises when an account must be opened and cannot."""
        if self.purse is None or self.index >= CALLS_MAX:
            self.purse, self.index = self.purses.open(), 0
        self.index += 1
        return Purses.operation(self.purse, self.index, stream=self.random.random() < self.stream_share,
                                tokens=self.random.randint(*self.tokens), first_token_ms=self.first_token_ms,
                                pace_ms=self.pace_ms, home=self.home)
