"""What is known after a run, gathered from outside: the clients' history, the provider's counters, the ledger's rows, both
sides' counters. Verdicts read this and nothing else, so a planted violation is a changed value here (self_test.py)."""
import collections
import dataclasses
import json

from lab.history import ACKNOWLEDGED
from support.wire import events_of, text_of

BOTH_SIDES_SECONDS = 20
REFETCH_MAX = 400  # acknowledged answers that are fetched again, spread over the run


@dataclasses.dataclass
class Evidence:
    """`rows`: of each account, its rows in the ledger. `balances`: of each account, {"balance_nano", "held_nano", ...}."""
    operations: list
    problems: list
    runs: dict            # identity -> how often the provider ran it
    rows: dict
    balances: dict
    topped_up: dict       # account -> nano-units
    audit: dict           # ledger.verify
    pops: dict            # name -> {"runs", "outbox"}; None where the POP does not answer
    refetched: list       # (Operation, status, octets or text, whether it is the same)
    held_nano: int = 0      # by the centre for POPs, over all accounts
    headroom_nano: int | None = 0  # what the POPs say that they may spend; nothing when one does not say
    excused: set = dataclasses.field(default_factory=set)  # names of POPs whose unshipped records a scenario destroyed


def pages(admin, account):
    """All rows of an account."""
    rows, cursor = [], None
    while True:
        page = admin("usage.list", account=account, limit=1000, **({"cursor": cursor} if cursor else {}))
        rows += page["data"]
        if not page["has_more"]:
            return rows
        cursor = page["next_cursor"]


def spread(items, most):
    """At most `most` of the items, evenly over all."""
    step = max(1, -(-len(items) // most))
    return items[::step]


def text_of_answer(body, stream):
    """The text of a chat answer's body, as an SDK hands it to its customer; nothing when it is not one."""
    try:
        if stream:
            return text_of(events_of(body))
        return json.loads(body)["choices"][0]["message"]["content"]
    except (AssertionError, KeyError, IndexError, TypeError, ValueError):
        return None


def same(operation, status, body):
    if status != 200:
        return False
    if operation.sdk:
        return text_of_answer(body, operation.stream) == operation.body.decode()
    return body == operation.body


def refetch(lab):
    """Asks again for acknowledged answers with their keys, at the POP that gave them: the same octets must come. An SDK
    shows its customer no octets; there the text must be the same."""
    found = []
    callers = {}
    kept = [one for one in lab.history.of(ACKNOWLEDGED)
            if one.ended > lab.destroyed.get(one.last.pop, 0) and one.api_key not in lab.revoked]
    for operation in spread(kept, REFETCH_MAX):
        pop = next(pop for pop in lab.pops if pop.name == operation.last.pop)
        caller = callers.setdefault(pop.name, lab.caller(lab.pops.index(pop)))
        with pop.wire(caller.host) as wire:
            wire.send(caller.octets(operation))
            answer = wire.answer()
        found.append((operation, answer.status, answer.body, same(operation, answer.status, answer.body)))
    return found


def held_by_centre(admin):
    """What the centre holds for POPs, over all accounts, the house's included."""
    held, after = 0, 0
    while True:
        page = admin("account.list", after=after)
        held += sum(account["held_nano"] for account in page["accounts"])
        if not page["has_more"]:
            return held
        after = page["accounts"][-1]["account"]


def headroom_of_pops(lab):
    found = [metrics.get("nodex_lease_headroom_nano") if metrics else None for metrics in (pop.metrics() for pop in lab.pops)]
    return None if None in found else int(sum(found))


def both_sides(lab):
    """(held, headroom), as soon as they are equal: refills and returns may still be under way, and the gauge is a second old."""
    deadline = lab.now() + BOTH_SIDES_SECONDS
    while True:
        sides = held_by_centre(lab.world.admin), headroom_of_pops(lab)
        if sides[0] == sides[1] or sides[1] is None or lab.now() > deadline:
            return sides
        lab.run_for(0.5)


def runs_of(lab):
    """The provider's counters over all of its lives."""
    return dict(collections.Counter(lab.runs_before) + collections.Counter(lab.provider.counters()["by_key"]))


def gather(lab):
    """After come_to_rest()."""
    refetched = refetch(lab)
    admin = lab.world.admin
    pops = {}
    for pop in lab.pops:
        metrics = pop.metrics()
        pops[pop.name] = metrics and {"runs": metrics["nodex_runs"], "outbox": metrics["nodex_outbox_depth"]}
    accounts = [purse.account for purse in lab.purses.all]
    held, headroom = both_sides(lab)
    return Evidence(
        operations=list(lab.history.operations), problems=list(lab.history.problems), runs=runs_of(lab),
        rows={account: pages(admin, account) for account in accounts},
        balances={account: admin("balance.show", account=account) for account in accounts},
        topped_up={purse.account: purse.topped_up_nano for purse in lab.purses.all},
        audit=admin("ledger.verify"), pops=pops, refetched=refetched, held_nano=held, headroom_nano=headroom,
        excused=set(lab.excused))
