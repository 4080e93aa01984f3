"""One verdict per invariant, from evidence alone. A verdict says what was compared and how much of it there was: nothing
passes by having nothing to look at."""
import collections
import dataclasses

from lab.history import ACKNOWLEDGED
from lab.purse import INPUT_NANO, OUTPUT_NANO


@dataclasses.dataclass
class Verdict:
    """`name` is a sentence; `detail` has the figures, and the first offences when it does not hold."""
    name: str
    holds: bool
    detail: str


def _verdict(name, offences, looked_at):
    shown = "; ".join(map(str, offences[:3]))
    more = f" and {len(offences) - 3} more" if len(offences) > 3 else ""
    return Verdict(name, not offences, f"{len(offences)} against it: {shown}{more}" if offences else looked_at)


def charges(rows):
    return [row for row in rows if row["kind"] == "charge"]


def by_call(evidence):
    """{(account, words): [charge rows]}. A row belongs to the call that was told its request id; where the client never got to
    see one, the length of the prompt names the call (purse.py), if the provider has counted it."""
    told = {attempt.request_id: (one.account, one.words) for one in evidence.operations for attempt in one.attempts
            if attempt.request_id}
    found = collections.defaultdict(list)
    for account, rows in evidence.rows.items():
        for row in charges(rows):
            by_length = (account, row["units"].get("input", 0) + row["units"].get("cached_input", 0))
            unseen = by_length if row["usage_source"] == "provider" else (account, None)
            found[told.get(row["request_id"], unseen)].append(row)
    return found


def answers_are_kept(evidence):
    """What a client got whole can be fetched again, octet for octet."""
    offences = [f"{operation.identity} ({operation.last.pop}): {status} {body[:80]!r}"
                for operation, status, body, same in evidence.refetched if not same]
    if not evidence.refetched:
        offences.append("none was fetched again")
    return _verdict("an acknowledged answer is still fetchable, octet for octet", offences,
                    f"{len(evidence.refetched)} fetched again")


def acknowledged_are_charged(evidence):
    """Every acknowledged answer has exactly one charge, of exactly its own units."""
    found, offences = by_call(evidence), []
    acknowledged = [one for one in evidence.operations if one.outcome == ACKNOWLEDGED]
    for one in acknowledged:
        rows = found[one.account, one.words]
        whole = [row for row in rows if row["units"].get("output", 0) == one.tokens]
        if len(rows) != 1 or len(whole) != 1:
            if one.last.pop in evidence.excused and not rows:
                continue  # its record was destroyed with the disk before it was shipped: the house's loss, by the table
            offences.append(f"{one.identity} of {one.last.pop}: {len(rows)} charges {[row['units'] for row in rows]}, "
                            f"expected {one.words} + {one.tokens}")
    return _verdict("an acknowledged answer is charged once, by its real usage", offences, f"{len(acknowledged)} answers")


def none_is_charged_twice(evidence):
    """No call, acknowledged or not, has two charges, and no account more charges than calls."""
    offences, found = [], by_call(evidence)
    for (account, words), rows in found.items():
        if words is not None and len(rows) > 1:
            offences.append(f"call of {words} words of account {account}: {[(row['pop'], row['request_id']) for row in rows]}")
    calls = collections.Counter(one.account for one in evidence.operations)
    without_charge = collections.Counter(one.account for one in evidence.operations if not found[one.account, one.words])
    for account, rows in evidence.rows.items():
        if len(charges(rows)) > calls[account]:
            offences.append(f"account {account}: {len(charges(rows))} charges for {calls[account]} calls")
        if len(found[account, None]) > without_charge[account]:
            offences.append(f"account {account}: {len(found[account, None])} charges that no client heard of, and only "
                            f"{without_charge[account]} calls without a charge")
    return _verdict("no call is charged twice", offences, f"{sum(len(charges(rows)) for rows in evidence.rows.values())} charges")


def nothing_is_charged_that_did_not_run(evidence):
    """A charge has a run at the provider; runs beyond one a charge are the house's, never the customer's."""
    found = by_call(evidence)
    offences = [f"{one.identity} is charged and never ran" for one in evidence.operations
                if found[one.account, one.words] and evidence.runs.get(one.identity, 0) == 0]
    silent = [one for one in evidence.operations if one.outcome == ACKNOWLEDGED and evidence.runs.get(one.identity, 0) == 0]
    offences += [f"{one.identity} was answered and never ran" for one in silent]
    runs = sum(evidence.runs.get(one.identity, 0) for one in evidence.operations)
    again = sum(max(0, evidence.runs.get(one.identity, 0) - 1) for one in evidence.operations)
    house = sum(1 for rows in evidence.rows.values() for row in rows if row["kind"] == "duplicate")
    return _verdict("what is charged ran, and what was answered ran", offences,
                    f"{runs} runs at the provider, {again} of them repeated, {house} booked to the house")


def rows_have_their_price(evidence):
    """Each charge can be computed again from its units. What was counted after a crash, not told by the provider, is at most
    what had been reserved, so it may cost less than its units."""
    offences, count = [], 0
    for rows in evidence.rows.values():
        for row in charges(rows):
            count += 1
            units = row["units"]
            price = (units.get("input", 0) + units.get("cached_input", 0)) * INPUT_NANO + units.get("output", 0) * OUTPUT_NANO
            counted = row["usage_source"] != "provider"
            if not (row["amount_nano"] <= price if counted else row["amount_nano"] == price):
                offences.append(f"row {row['row']}: {row['amount_nano']} for {units}")
    return _verdict("every row can be computed again from its units", offences, f"{count} rows")


def balances_are_their_rows(evidence):
    """Top-ups less charges is the balance, to the nano-unit."""
    offences = []
    for account, topped_up in evidence.topped_up.items():
        spent = sum(row["amount_nano"] for row in charges(evidence.rows[account]))
        balance = evidence.balances[account]["balance_nano"]
        if balance != topped_up - spent:
            offences.append(f"account {account}: {balance} is not {topped_up} - {spent}")
    total = sum(row["amount_nano"] for rows in evidence.rows.values() for row in charges(rows))
    return _verdict("the sum of the rows is the movement of the balance, to the nano-unit", offences,
                    f"{len(evidence.topped_up)} accounts, {total} nano-units spent")


def no_balance_is_negative(evidence):
    offences = [f"account {account}: {shown['balance_nano']}" for account, shown in evidence.balances.items()
                if shown["balance_nano"] < 0]
    return _verdict("no balance is below zero", offences, f"{len(evidence.balances)} accounts")


def the_ledger_is_sound(evidence):
    return Verdict("the ledger proves itself: rows, chain, balances, sums", bool(evidence.audit["sound"]),
                   ", ".join(f"{name} {value}" for name, value in evidence.audit.items()))


def outboxes_are_empty(evidence):
    """Everything that a POP recorded has been applied by the ledger, and no run is left open."""
    offences = [f"{name}: {state or 'does not answer'}" for name, state in evidence.pops.items()
                if state is None or state["outbox"] or state["runs"]]
    return _verdict("every outbox is drained and no reservation is open", offences, f"{len(evidence.pops)} POPs")


def both_sides_agree(evidence):
    """At rest the centre holds exactly what the POPs may still spend: no reservation is open, no money is stuck between the two.
    What a destroyed disk had been granted stays held until its lease has ended."""
    held, headroom = evidence.held_nano, evidence.headroom_nano
    name = "the centre holds what the POPs may still spend, to the nano-unit"
    if headroom is None:
        return Verdict(name, False, "a POP does not tell what it may spend")
    agree = held >= headroom if evidence.excused else held == headroom
    return Verdict(name, agree, f"{held} held, {headroom} at the POPs{', a disk was destroyed' if evidence.excused else ''}")


def streams_have_no_gap(evidence):
    return _verdict("no client saw a gap or a repeat in a stream", evidence.problems,
                    f"{sum(one.stream for one in evidence.operations)} streams, "
                    f"{sum(attempt.resumed_from > 0 for one in evidence.operations for attempt in one.attempts)} resumes")


ALL = [answers_are_kept, acknowledged_are_charged, none_is_charged_twice, nothing_is_charged_that_did_not_run,
       rows_have_their_price, balances_are_their_rows, no_balance_is_negative, the_ledger_is_sound, outboxes_are_empty,
       both_sides_agree, streams_have_no_gap]


def judge(evidence):
    """Every invariant, and that there was something to judge."""
    acknowledged = sum(one.outcome == ACKNOWLEDGED for one in evidence.operations)
    there = Verdict("there was load", acknowledged > 0, f"{len(evidence.operations)} operations, {acknowledged} acknowledged")
    return [there, *(rule(evidence) for rule in ALL)]
