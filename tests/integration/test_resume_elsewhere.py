"""A stream that is cut at one POP and resumed at another: the same bytes, or the delivered prefix and a visible end."""
import contextlib
import shutil

from support.cluster import Cluster
from support.pop import Stream, chat_body, unique
from support.runner import test
from support.waiting import until, until_logged
from support.wire import Cut, data_events

TOKENS = 40


def resume(client, body, key, last, session=None):
    """The request that asks for what comes after event number `last`."""
    fields = [("Last-Event-ID", f"evt_{last:05}")]
    if session:
        fields.append(("X-Nodex-Session-Id", session))
    return client.chat_request(body, key, fields)


def cut_after(client, octets, events):
    """Reads that many events, then the connection breaks: the whole events, the session."""
    with Stream(client, octets) as stream:
        stream.read_events(events)
        got, session = stream.body, stream.answer.field("x-nodex-session-id")
        stream.wire.reset()
    return got[:got.rfind(b"\n\n") + 2], session


def metric(pop, name):
    return pop.metrics()[name]


@test
def a_running_stream_that_is_cut_at_one_pop_goes_on_at_the_other():
    with Cluster() as cluster:
        here, there = cluster.clients()
        for cut in (1, 5, 17):
            key, identity = unique(), unique("id")
            body = chat_body(f"cut after {cut} \u00e9\u4e16\U0001f600", stream=True, tokens=TOKENS, pace_ms=25, id=identity)
            octets = here.chat_request(body, key)
            got, session = cut_after(here, octets, cut)
            last = len(data_events(got))
            rest = there.send(resume(there, body, key, last, session))
            assert rest.status == 200, rest
            assert rest.field("x-nodex-idempotent-replay") == "true"
            whole = here.send(octets)
            assert got + rest.body == whole.body, cut
            assert data_events(whole.body)[-1].data == "[DONE]"
            assert cluster.calls(identity) == 1
        assert metric(cluster.pops[1], "nodex_joins_elsewhere_total") >= 3


@test
def a_finished_answer_is_replayed_at_the_other_pop_whole_or_from_any_event():
    with Cluster() as cluster:
        here, there = cluster.clients()
        key, identity = unique(), unique("id")
        body = chat_body("finished", stream=True, tokens=8, id=identity)
        answer = here.send(here.chat_request(body, key))
        offset = 0
        for number, event in enumerate(answer.events):
            rest = there.send(resume(there, body, key, number, answer.field("x-nodex-session-id")))
            assert rest.status == 200 and answer.body[:offset] + rest.body == answer.body, (number, rest)
            offset += len(event.raw) + 2
        replay = there.send(there.chat_request(body, key))
        assert replay.status == 200 and replay.body == answer.body
        beyond = there.send(resume(there, body, key, len(answer.events) + 5))
        assert beyond.status == 400 and beyond.error["code"] == "invalid_last_event_id", beyond
        stranger = there.send(resume(there, body, key, 1, "ses_" + "0" * 32))
        assert stranger.status == 400 and stranger.error["code"] == "invalid_last_event_id", stranger
        whole, plain = unique(), chat_body("whole", tokens=5, id=identity)
        first = here.send(here.chat_request(plain, whole))
        second = there.send(there.chat_request(plain, whole))
        assert second.status == 200 and second.body == first.body
        assert cluster.calls(identity) <= 4  # an overlapped call is cancelled, never charged


@test
def a_stream_whose_pop_is_killed_ends_at_the_other_with_what_was_copied_and_upstream_lost():
    with Cluster() as cluster:
        here, there = cluster.clients()
        key, identity = unique(), unique("id")
        body = chat_body("killed", stream=True, tokens=400, pace_ms=25, id=identity)
        octets = here.chat_request(body, key)
        with Stream(here, octets) as stream:
            stream.read_events(20)
            got, session = stream.body, stream.answer.field("x-nodex-session-id")
        got = got[:got.rfind(b"\n\n") + 2]
        until(lambda: metric(cluster.pops[1], "nodex_copies_kept_bytes") > 0, 10, "the buddy has a copy")
        # So far ahead of what was delivered that a copy which is near has all of it.
        until(lambda: metric(cluster.pops[0], "nodex_stream_events_total") > 100, 20, "the answer goes on")
        until(lambda: metric(cluster.pops[0], "nodex_copies_lag_bytes") < 5_000, 10, "and is near")
        cluster.pops[0].kill()
        last = len(data_events(got)) - 5
        prefix = b"".join(event.raw + b"\n\n" for event in data_events(got)[:last])
        rest = there.send(resume(there, body, key, last, session))
        assert rest.status == 200, rest
        together = prefix + rest.body
        assert together.startswith(got), "no gap, no repeat"
        events = data_events(rest.body)
        assert '"code":"upstream_lost"' in events[-1].data, events[-1]
        numbers = [int(event.id[4:]) for event in events]
        assert numbers == list(range(last + 1, last + 1 + len(events)))
        # Nothing runs anew: what was delivered is charged when its POP is back, once.
        again = there.send(there.chat_request(body, key))
        assert again.status == 200 and '"code":"upstream_lost"' in data_events(again.body)[-1].data, again
        assert cluster.pops[1].provider.calls(identity) <= 1
        assert metric(cluster.pops[1], "nodex_cuts_elsewhere_total") == 2
        cluster.pops[0].restart()
        cluster.pops[0].until_settled(here.account, 1)
        copied = again.body[:again.body[:-2].rfind(b"\n\n") + 2]  # without the end that the copy was given
        back = there.send(there.chat_request(body, key))
        assert back.status == 200 and back.body.startswith(copied), "what its own log has begins with the copy"
        cluster.pops[1].until_quiet()
        assert len(cluster.pops[0].charges(here.account)) == 1


@test
def an_answer_that_had_finished_is_replayed_whole_when_its_pop_is_dead():
    with Cluster() as cluster:
        here, there = cluster.clients()
        key = unique()
        body = chat_body("finished, then killed", stream=True, tokens=20)
        answer = here.send(here.chat_request(body, key))
        assert answer.status == 200
        until(lambda: metric(cluster.pops[0], "nodex_copies_finished_total") >= 1, 10, "its copy is whole")
        cluster.pops[0].kill()
        rest = there.send(resume(there, body, key, 3, answer.field("x-nodex-session-id")))
        assert rest.status == 200, rest
        assert answer.body.endswith(rest.body) and len(data_events(rest.body)) == len(data_events(answer.body)) - 3


@test
def a_position_that_no_copy_has_is_told_and_may_be_asked_for_again():
    with Cluster() as cluster:
        here, there = cluster.clients()
        key = unique()
        body = chat_body("beyond the copy", stream=True, tokens=400, pace_ms=25)
        _, session = cut_after(here, here.chat_request(body, key), 20)
        until(lambda: metric(cluster.pops[1], "nodex_copies_kept_bytes") > 0, 10, "the buddy has a copy")
        cluster.pops[0].kill()
        lost = there.send(resume(there, body, key, 4_000, session))
        if lost.status == 200:  # the head had to go out before the copy ended
            assert '"code":"position_lost"' in lost.body.decode(), lost
        else:
            assert lost.status == 503 and lost.error["code"] == "position_lost", lost
            assert lost.field("retry-after") and lost.field("x-should-retry") == "true"


def waits(pop):
    """How often streams waited for the buddy in vain, and with success."""
    metrics = pop.metrics()
    return metrics["nodex_stream_waits_alone_total"], metrics["nodex_stream_waits_copied_total"]


def until_streams_wait(pop, client):
    """Who asks before the buddy is known goes on alone: until a whole stream has waited for it with success."""
    def waited():
        alone, copied = waits(pop)
        answer = client.send(client.chat_request(chat_body("warm up", stream=True, tokens=2), unique()))
        assert answer.status == 200, answer
        now = waits(pop)
        return now[0] == alone and now[1] > copied
    until(waited, 60, "streams wait for the buddy")


@test
def what_a_client_has_seen_is_never_lost_with_its_pop_where_streams_wait_for_the_buddy():
    for lost_after in (1, 7, 33, None):  # events; None: the end
        with Cluster(config={"durability": {"stream": "buddy"}}) as cluster:
            one = cluster.pops[0]
            here, there = cluster.clients()
            until_streams_wait(one, here)
            alone, key = waits(one)[0], unique()
            body = chat_body("never lost \u00e9", stream=True, tokens=40, pace_ms=15)
            with Stream(here, here.chat_request(body, key)) as stream:
                if lost_after is None:
                    stream.rest()
                else:
                    stream.read_events(lost_after)
                assert waits(one)[0] == alone, "the buddy kept up"
                one.kill()
                shutil.rmtree(one.data_dir)
                with contextlib.suppress(OSError, Cut):
                    stream.rest()  # what was on its way when its POP was lost
                got, session = stream.body, stream.answer.field("x-nodex-session-id")
            seen = data_events(got[:got.rfind(b"\n\n") + 2])
            last = int(seen[-1].id[4:])
            assert last == len(seen) >= (lost_after or 40)
            rest = there.send(resume(there, body, key, last, session))
            assert rest.status == 200 and "position_lost" not in rest.body.decode(), (last, rest)
            events = data_events(rest.body)
            assert [int(event.id[4:]) for event in events] == list(range(last + 1, last + 1 + len(events)))
            if lost_after is None:
                assert seen[-1].data == "[DONE]" and not events
            else:
                assert '"code":"upstream_lost"' in events[-1].data, rest
            assert metric(cluster.pops[1], "nodex_positions_lost_total") == 0


@test
def a_buddy_that_is_away_stalls_no_stream_and_is_told_of():
    with Cluster(config={"durability": {"stream": "buddy"}}) as cluster:
        one, two = cluster.pops
        here, _ = cluster.clients()
        until_streams_wait(one, here)
        two.kill()
        body = chat_body("alone", stream=True, tokens=10)
        for _ in range(3):
            answer = here.send(here.chat_request(body, unique()))
            assert answer.status == 200 and data_events(answer.body)[-1].data == "[DONE]", answer
        assert waits(one)[0] >= 3 and metric(one, "nodex_stream_waits_behind") == 1
        until_logged(one.edge_log, '"stream_copies_behind"')
        two.restart()
        until_streams_wait(one, here)
        assert metric(one, "nodex_stream_waits_behind") == 0
        until_logged(one.edge_log, '"stream_copies_level"')
