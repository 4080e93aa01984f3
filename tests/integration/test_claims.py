"""One idempotency key at two POPs behind NATS: it runs once, is charged once, and nothing waits for ever."""
from support.cluster import Cluster
from support.pop import answers_of, chat_body, statuses, unique
from support.runner import test
from support.waiting import until


def followed(answer):
    """It is the other POP's answer, handed on."""
    return answer.status == 200 and answer.field("x-nodex-idempotent-replay") == "true"


@test
def the_same_key_at_two_pops_is_answered_once_and_charged_once():
    with Cluster() as cluster:
        here, there = cluster.clients()
        for stream in (False, True):
            identity, key = unique("id"), unique()
            # The provider is slower than the centre: both POPs call it, one is told to give up.
            octets = here.chat_request(chat_body("twice", stream=stream, tokens=5, first_token_ms=400, id=identity), key)
            answers = answers_of([lambda c=c: c.send(octets) for c in (here, there)])
            assert statuses(answers) == {200: 2}, answers
            assert sorted(followed(answer) for answer in answers) == [False, True], answers
            for again in (here.send(octets), there.send(octets)):
                assert followed(again), again
            assert answers[0].body == answers[1].body == again.body
            until(lambda: all(pop.provider.running() == 0 for pop in cluster.pops), 10, "the lost call is cancelled")
        cluster.pops[0].until_settled(here.account, 2)
        # Twice a key: at first, and when the POP that does not have the answer was asked again.
        assert sum(pop.metrics()["nodex_claims_lost_total"] for pop in cluster.pops) == 4
        # The word was there before the provider's first byte: no answer waited for it.
        for pop in cluster.pops:
            assert pop.metrics()['nodex_stage_seconds_sum{stage="claim_wait"}'] == 0


@test
def a_strict_account_calls_the_provider_once():
    with Cluster() as cluster:
        here, there = cluster.clients()
        cluster.pops[0].admin("account.claims", account=here.account, mode="strict")
        for pop in cluster.pops:  # the feed brings it: a claim that is granted before the provider is called shows it
            until(lambda p=pop, c=(here if pop is cluster.pops[0] else there): strict_now(p, c), 10, "the mode is known")
        identity, key = unique("id"), unique()
        octets = here.chat_request(chat_body("once", tokens=5, first_token_ms=100, id=identity), key)
        answers = answers_of([lambda c=c: c.send(octets) for c in (here, there)])
        assert statuses(answers) == {200: 2}, answers
        assert cluster.calls(identity) == 1


def strict_now(pop, client):
    """A key that the other POP holds is answered without a call of this one's provider."""
    other = next(p for p in pop.cluster.pops if p is not pop)
    identity, key = unique("id"), unique()
    octets = client.chat_request(chat_body("probe", tokens=1, id=identity), key)
    assert pop.cluster.at(other, client).send(octets).status == 200
    assert followed(client.send(octets))
    return pop.provider.calls(identity) == 0


@test
def another_body_under_a_key_of_another_pop_is_refused():
    with Cluster() as cluster:
        here, there = cluster.clients()
        key = unique()
        assert here.chat("one", idempotency=key, tokens=2).status == 200
        refused = there.chat("two", idempotency=key, tokens=2)
        assert refused.status == 422 and refused.error["code"] == "idempotency_key_reused", refused
        assert followed(there.chat("one", idempotency=key, tokens=2))
        cluster.pops[0].until_settled(here.account, 1)


@test
def a_request_that_failed_frees_its_key_at_every_pop():
    with Cluster() as cluster:
        here, there = cluster.clients()
        key = unique()
        body = chat_body("fails here", tokens=2)
        cluster.pops[0].provider.close()
        assert here.send(here.chat_request(body, key)).status == 503
        until(lambda: there.send(there.chat_request(body, key)).status == 200, 10, "the key is free")
        cluster.pops[1].until_settled(there.account, 1)


@test
def a_key_of_a_dead_pop_is_taken_over_after_its_silence():
    with Cluster() as cluster:
        here, there = cluster.clients()
        identity, key = unique("id"), unique()
        # Nothing has been delivered when the POP dies, so there is nothing to replay.
        octets = here.chat_request(chat_body("dies", tokens=4, first_token_ms=3_000, id=identity), key)
        with here.wire() as wire:
            wire.send(octets)
            until(lambda: cluster.pops[0].claims("granted") == 1, 10, "the first POP has the key")
            cluster.pops[0].kill()
        until(lambda: there.send(octets).status == 200, 40, "the other POP takes the key over")
        assert cluster.pops[1].claims("granted") == 1


@test
def without_the_centre_a_pop_proceeds_or_refuses_as_configured():
    with Cluster() as cluster:
        here, there = cluster.clients()
        refusing = cluster.pops[1]
        refusing.config["central"]["on_partition"] = "reject"
        refusing.write_config()
        refusing.reload()
        for client in (here, there):  # leases are there
            assert client.chat("warm", tokens=2).status == 200
        for pop in cluster.pops:  # heartbeats fill them up again
            beats = pop.metrics()["nodex_lease_requests_total"]
            until(lambda p=pop, b=beats: p.metrics()["nodex_lease_requests_total"] >= b + 3, 20, "leases are full")
        cluster.central.kill()
        alone = here.chat("goes on", tokens=2)
        assert alone.status == 200, alone
        assert cluster.pops[0].metrics()["nodex_claims_proceeded_total"] == 1
        refused = there.chat("does not", tokens=2)
        assert refused.status == 503 and refused.error["code"] == "claim_unavailable", refused
        cluster.central.start()
        until(lambda: there.chat("again", tokens=2).status == 200, 20, "the centre is back")
        cluster.pops[0].until_settled(here.account, 4)
