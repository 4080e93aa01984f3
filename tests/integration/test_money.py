"""Money: reserved before, settled after, never below zero, and every nano-unit accounted for."""
from support.pop import NANO, OUTPUT_MODEL, Pop, answers_of, chat_body, statuses, unique
from support.runner import test

TOKENS = 10
PRICE = 10 * NANO // 1_000_000 * TOKENS  # what one call of TOKENS output tokens costs, in nano-units


def paid(client, idempotency=None):
    """A call that costs PRICE exactly: as much is reserved as is spent."""
    body = chat_body("pay", model=OUTPUT_MODEL, tokens=TOKENS, more={"max_tokens": TOKENS})
    return client.send(client.chat_request(body, idempotency or unique()))


def decimal(nano):
    return f"{nano // NANO}.{nano % NANO:09}"


@test
def of_200_concurrent_requests_exactly_the_50_that_are_covered_succeed(pop):
    client = pop.client(balance=decimal(50 * PRICE))
    answers = answers_of([lambda: paid(client) for _ in range(200)])
    assert statuses(answers) == {200: 50, 402: 150}, statuses(answers)
    assert all(answer.error["code"] == "insufficient_balance" for answer in answers if answer.status == 402)
    rows = pop.until_settled(client.account, 50)
    assert sum(row["amount_nano"] for row in rows) == 50 * PRICE
    assert pop.balance_nano(client.account) == 0
    pop.verify_ledger()


@test
def a_balance_that_covers_one_nano_less_pays_for_one_call_less(pop):
    client = pop.client(balance=decimal(3 * PRICE - 1))
    answers = answers_of([lambda: paid(client) for _ in range(8)])
    assert statuses(answers) == {200: 2, 402: 6}, statuses(answers)
    pop.until_settled(client.account, 2)
    assert pop.balance_nano(client.account) == PRICE - 1
    pop.verify_ledger()


@test
def a_keys_budget_is_a_wall_of_its_own(pop):
    client = pop.client(balance="10", budget=decimal(5 * PRICE))
    answers = answers_of([lambda: paid(client) for _ in range(20)])
    assert statuses(answers) == {200: 5, 403: 15}, statuses(answers)
    assert all(answer.error["code"] == "insufficient_quota" for answer in answers if answer.status == 403)
    # Another key of the same account is not touched by it.
    other = type(client)(pop, pop.key(client.account)[0])
    assert paid(other).status == 200
    pop.until_settled(client.account, 6)
    pop.verify_ledger()


@test
def money_that_was_reserved_and_not_spent_comes_back(pop):
    client = pop.client(balance=decimal(20 * PRICE))
    body = chat_body("less", model=OUTPUT_MODEL, tokens=1, more={"max_tokens": 20 * TOKENS})
    for count in range(1, 6):
        assert client.send(client.chat_request(body, unique())).status == 200
        if count == 1:
            # The whole balance is reserved while a call runs, and only a tenth of a call is spent.
            pop.until_settled(client.account, 1)
            body = chat_body("less", model=OUTPUT_MODEL, tokens=1, more={"max_tokens": 15 * TOKENS})
    pop.until_settled(client.account, 5)
    assert pop.balance_nano(client.account) == 20 * PRICE - 5 * PRICE // TOKENS
    assert paid(client).status == 200


@test
def a_topup_is_applied_once_per_reference_and_opens_the_door_again(pop):
    client = pop.client(balance=decimal(PRICE))
    assert paid(client).status == 200
    assert paid(client).status == 402
    for _ in range(3):
        pop.admin("balance.topup", account=client.account, amount=decimal(2 * PRICE), reference="stripe-evt-1-" + client.key)
    answers = answers_of([lambda: paid(client) for _ in range(5)])
    assert statuses(answers) == {200: 2, 402: 3}, statuses(answers)
    pop.until_settled(client.account, 3)
    assert pop.balance_nano(client.account) == 0
    pop.verify_ledger()


@test
def a_row_can_be_recomputed_from_its_units_and_its_price_version(pop):
    client = pop.client()
    client.chat("priced", tokens=7)
    row = pop.until_settled(client.account, 1)[0]
    model = pop.admin("catalog.show", id=row["model"])
    assert row["price_version"] == model["price_version"]
    total = sum(units * model["prices"][f"{kind}_nano"] for kind, units in row["units"].items())
    assert row["amount_nano"] == -(-total // 1_000_000), row


@test
def a_price_change_counts_from_the_next_request_on(pop):
    name = unique("model")
    common = {"context_tokens": 1000, "output_tokens_max": 1000}
    before = pop.admin("catalog.set", id=name, **common, prices={"input": "0", "output": "10"})
    after = pop.admin("catalog.set", id=name, prices={"input": "0", "output": "20"})
    assert after["price_version"] > before["price_version"]
    assert pop.admin("catalog.set", id=name, owned_by="x")["price_version"] == after["price_version"]


@test
def the_statuses_of_the_money_codes_are_configurable():
    with Pop(config={"status_codes": {"insufficient_balance": 429, "insufficient_quota": 402}}) as pop:
        poor = pop.client(balance=None)
        answer = paid(poor)
        assert answer.status == 429 and answer.error["code"] == "insufficient_quota", answer  # Codex stops on it
        assert answer.field("x-should-retry") == "false"
        limited = pop.client(budget="0")
        answer = paid(limited)
        assert answer.status == 402 and answer.error["code"] == "insufficient_quota", answer


@test
def failed_requests_cost_nothing_and_hold_nothing(pop):
    client = pop.client(balance=decimal(PRICE))
    for fault in ({"status": 503}, {"bad_json": True}, {"cut_bytes": 0}):
        body = chat_body("fail", model=OUTPUT_MODEL, tokens=TOKENS, more={"max_tokens": TOKENS}, **fault)
        assert client.send(client.chat_request(body, unique())).status >= 500, fault
    assert paid(client).status == 200
    assert pop.until_settled(client.account, 1)[0]["amount_nano"] == PRICE
