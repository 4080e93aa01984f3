"""Streams that are cut and resumed: the pieces together are the uncut stream, byte by byte."""
from support.pop import Pop, Stream, chat_body, unique
from support.runner import test
from support.waiting import until
from support.wire import Cut, data_events, events_of, text_of


def resume(client, body, key, last, session=None):
    """The request that asks for what comes after event number `last`."""
    fields = [("Last-Event-ID", f"evt_{last:05}")]
    if session:
        fields.append(("X-Nodex-Session-Id", session))
    return client.chat_request(body, key, fields)


def whole_prefix(body):
    """What a client has understood of a cut stream: its whole events."""
    return body[:body.rfind(b"\n\n") + 2] if b"\n\n" in body else b""


def uncut(client, tokens=12):
    key = unique()
    body = chat_body("resume me \u00e9\u4e16\U0001f600", stream=True, tokens=tokens)
    answer = client.send(client.chat_request(body, key))
    assert answer.status == 200, answer
    return key, body, answer


@test
def a_finished_stream_resumes_after_every_event(pop):
    client = pop.client()
    key, body, answer = uncut(client)
    events = answer.events
    offset = 0
    for number in range(len(events) + 1):
        rest = client.send(resume(client, body, key, number, answer.field("x-nodex-session-id")))
        assert rest.status == 200, rest
        assert answer.body[:offset] + rest.body == answer.body, number
        if number < len(events):
            offset += len(events[number].raw) + 2


@test
def a_running_stream_resumes_after_every_event(pop):
    client = pop.client()
    events_count = len(uncut(client, tokens=8)[2].events)
    assert events_count >= 10, "a role, eight tokens, an end"
    for cut in range(1, events_count):
        key = unique()
        body = chat_body(f"running {cut}", stream=True, tokens=8, pace_ms=15)
        octets = client.chat_request(body, key)
        with Stream(client, octets) as stream:
            stream.read_events(cut)
            got, session = whole_prefix(stream.body), stream.answer.field("x-nodex-session-id")
            stream.wire.reset()
        last = len(data_events(got))
        rest = client.send(resume(client, body, key, last, session))
        assert rest.status == 200, rest
        together = got + rest.body
        assert together == client.send(octets).body, cut
        assert data_events(together)[-1].data == "[DONE]"


@test
def a_stream_cut_at_random_bytes_resumes_to_the_same_bytes(pop, random):
    client = pop.client()
    for _ in range(12):
        key = unique()
        body = chat_body("random cut " + "w" * random.randrange(50), stream=True, tokens=15, pace_ms=3,
                         split_utf8=True)
        octets = client.chat_request(body, key)
        got, session, cuts = b"", None, 0
        while not got.endswith(b"[DONE]\n\n"):
            last = len(data_events(got))
            stream = Stream(client, octets if session is None else resume(client, body, key, last, session))
            session = session or stream.answer.field("x-nodex-session-id")
            limit = random.randrange(1, 1500) if cuts < 6 else 1 << 30
            try:
                while len(stream.body) < limit:
                    stream.body += next(stream.pieces)
            except (StopIteration, Cut):
                pass
            # A client that was cut inside a buffer has only some of its octets.
            got += whole_prefix(stream.body[:limit])
            stream.wire.reset()
            cuts += 1
        assert got == client.send(octets).body
    pop.until_settled(client.account, 12)


@test
def a_stream_that_was_killed_half_way_keeps_what_was_delivered():
    with Pop() as pop:
        client = pop.client()
        key, identity = unique(), unique("id")
        body = chat_body("killed", stream=True, tokens=200, pace_ms=20, id=identity)
        with Stream(client, client.chat_request(body, key)) as stream:
            stream.read_events(5)
            got, session = whole_prefix(stream.body), stream.answer.field("x-nodex-session-id")
            pop.kill()
        pop.restart()
        rest = client.send(resume(client, body, key, len(data_events(got)), session))
        assert rest.status == 200, rest
        events = data_events(rest.body)
        assert [event.number for event in events] == list(range(events[0].number, events[0].number + len(events)))
        assert events[0].number == len(data_events(got)) + 1
        assert events[-1].json["error"]["code"] == "upstream_lost", events[-1]
        assert all(event.data != "[DONE]" for event in events)
        # Asked for as a whole it is the same stream, and it has been charged once for what was delivered.
        whole = client.send(client.chat_request(body, key))
        assert whole.body == got + rest.body
        assert pop.provider.calls(identity) == 1
        charge = pop.until_settled(client.account, 1)[0]
        # No more than a token for each octet of text that was produced: the framing is not billed.
        text = text_of(events_of(whole.body)[:-1]).encode()
        assert 0 < charge["units"]["output"] <= len(text), (charge, text)
        pop.verify_ledger()


@test
def a_stream_killed_after_any_event_resumes_to_the_same_bytes(scale, random):
    """Each time another boundary, in random order; what was finished before the kills stays as it was."""
    with Pop() as pop:
        client = pop.client()
        key, body, answer = uncut(client, tokens=8)
        boundaries = list(range(1, len(answer.events)))
        random.shuffle(boundaries)
        for cut in boundaries[:None if scale.extended else 4]:
            running_key = unique()
            running = chat_body(f"killed after {cut}", stream=True, tokens=8, pace_ms=60)
            with Stream(client, client.chat_request(running, running_key)) as stream:
                stream.read_events(cut)
                got, session = whole_prefix(stream.body), stream.answer.field("x-nodex-session-id")
                pop.kill()
            pop.restart()
            rest = client.send(resume(client, running, running_key, len(data_events(got)), session))
            assert rest.status == 200, rest
            numbers = [event.number for event in data_events(got + rest.body)]
            assert numbers == list(range(1, len(numbers) + 1)), (cut, numbers)
            assert got + rest.body == client.send(client.chat_request(running, running_key)).body, cut
            offset = 0
            for number in range(len(answer.events) + 1):
                part = client.send(resume(client, body, key, number, answer.field("x-nodex-session-id")))
                assert answer.body[:offset] + part.body == answer.body, (cut, number)
                if number < len(answer.events):
                    offset += len(answer.events[number].raw) + 2
        pop.until_quiet()
        pop.verify_ledger()


@test
def a_request_killed_before_anything_was_delivered_runs_anew():
    with Pop() as pop:
        client = pop.client()
        key, identity = unique(), unique("id")
        for stream in (True, False):
            body = chat_body("killed early", stream=stream, tokens=5, first_token_ms=1500, id=f"{identity}{stream}")
            with client.wire() as wire:
                wire.send(client.chat_request(body, f"{key}{stream}"))
                until(lambda: pop.provider.calls(f"{identity}{stream}") == 1, 5, "the model runs")
                pop.kill()
            pop.restart()
            answer = client.send(client.chat_request(body, f"{key}{stream}"))
            assert answer.status == 200, answer
            assert answer.field("x-nodex-idempotent-replay") == "false"
            assert pop.provider.calls(f"{identity}{stream}") == 2
        assert len(pop.until_settled(client.account, 2)) == 2
        pop.verify_ledger()


@test
def an_event_id_that_names_nothing_is_refused(pop):
    client = pop.client()
    key, body, answer = uncut(client, tokens=4)
    session = answer.field("x-nodex-session-id")
    last = len(answer.events)
    for wrong in ("evt_1", "evt_000001", "00001", "evt_", "evt_-0001", "evt_99999999999999999999", "x" * 300,
                  f"evt_{last + 1:05}"):
        octets = client.chat_request(body, key, [("Last-Event-ID", wrong), ("X-Nodex-Session-Id", session)])
        refused = client.send(octets)
        assert refused.status == 400 and refused.error["code"] == "invalid_last_event_id", (wrong, refused)
    empty = client.send(resume(client, body, key, last, session))
    assert empty.status == 200 and empty.body == b"", empty


@test
def another_session_or_account_cannot_resume(pop):
    client = pop.client()
    key, body, answer = uncut(client, tokens=4)
    other_session = client.send(resume(client, body, key, 1, "ses_" + "0" * 32))
    assert other_session.status == 400, other_session
    stranger = pop.client()
    theirs = stranger.send(resume(stranger, body, key, 1, answer.field("x-nodex-session-id")))
    assert theirs.status in (400, 410) and b"choices" not in theirs.body, theirs


@test
def a_session_of_the_clients_own_is_kept(pop):
    client = pop.client()
    answer = client.chat("hello", fields=[("X-Nodex-Session-Id", "conversation-42")])
    assert answer.field("x-nodex-session-id") == "conversation-42"
    bad = client.chat("hello", fields=[("X-Nodex-Session-Id", "x" * 5000)])
    assert bad.status in (400, 431), bad


@test
def silence_is_broken_by_comments_that_change_nothing():
    with Pop(config={"limits": {"heartbeat_ms": 100}}) as pop:
        client = pop.client()
        key = unique()
        body = chat_body("silent", stream=True, tokens=4, first_token_ms=700, silence_after=2, silence_ms=700)
        first = client.send(client.chat_request(body, key))
        comments = [comment for event in first.events for comment in event.comments]
        assert len(comments) >= 6, first.body
        # Heartbeats stand between events: the numbering has no gap and a replay has the same data.
        numbers = [event.number for event in data_events(first.body)]
        assert numbers == list(range(1, len(numbers) + 1))
        replay = client.send(client.chat_request(body, key))
        assert [event.raw for event in data_events(replay.body)] == [
            event.raw for event in data_events(first.body)]


@test
def what_the_provider_framed_oddly_arrives_in_the_same_events(pop):
    client = pop.client()
    plain = client.chat("framing", stream=True, tokens=6)
    for odd in ({"crlf": True}, {"comments": True}, {"chunk_bytes": 1}, {"split_utf8": True}):
        answer = client.chat("framing", stream=True, tokens=6, **odd)
        events = answer.events
        assert len(events) >= len(plain.events), odd
        assert events[-1].data == "[DONE]" and b"\r" not in answer.body, odd
        text_of(events)


@test
def an_answer_that_was_not_streamed_cannot_be_resumed(pop):
    client = pop.client()
    key, body = unique(), chat_body("whole", tokens=2)
    client.send(client.chat_request(body, key))
    answer = client.send(client.chat_request(body, key, [("Last-Event-ID", "evt_00001")]))
    assert answer.status in (200, 400), answer
    assert answer.status != 200 or answer.field("x-nodex-idempotent-replay") == "true"


@test
def a_resume_of_what_never_was_is_gone(pop):
    client = pop.client()
    answer = client.send(resume(client, chat_body("never", stream=True), unique(), 3))
    assert answer.status in (400, 410) and answer.error["code"] in ("stream_expired", "invalid_last_event_id"), answer
