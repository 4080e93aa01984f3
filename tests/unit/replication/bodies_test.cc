// One body for an operator: read at any POP from the one that has it, and destroyed at all of them.
#include <gtest/gtest.h>

#include "edge/base/limits.h"
#include "replication/body_fetcher.h"
#include "storage/keyspace.h"
#include "tests/unit/replication/pop_world.h"
#include "tests/unit/replication/request_ids.h"

namespace nodex::replication::bodies_test {
namespace {

constexpr AccountId account{1};
constexpr const char* text = "what the model said, twice: what the model said";

RequestId request_id(std::uint64_t number) {
    return request_of(PopId{1}, number);
}

TEST(BodyMessages, AreDecodedAsTheyWereEncodedAndLieAboutNothing) {
    const storage::SealedBody body{BodyId::from(std::string(16, '\1')), 300,
                                   storage::BodyDigest::from(std::string(32, '\2')), 65'536, 99};
    const std::string reference =
        encode(ReferenceReply{ReferenceState::known, account, PopId{2}, body, {}});
    const auto decoded = decode_reference_reply(reference);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->answer, body);
    EXPECT_EQ(encode(*decoded), reference);
    const std::string reply = encode(BodyReply{"key", {"one", ""}});
    ASSERT_TRUE(decode_body_reply(reply));
    EXPECT_EQ(encode(*decode_body_reply(reply)), reply);
    for (const std::string& whole : {reference, reply})
        for (std::size_t size = 0; size < whole.size(); ++size) {
            EXPECT_FALSE(decode_reference_reply(Bytes(reference).substr(0, size)) &&
                         size < reference.size());
            EXPECT_FALSE(size < reply.size() && decode_body_reply(Bytes(reply).substr(0, size)));
        }
    EXPECT_FALSE(decoded->refused);
    EXPECT_FALSE(decode_reference_reply(reference + '\0')->refused);
    EXPECT_TRUE(decode_reference_reply(reference + '\1')->refused);
    EXPECT_FALSE(decode_reference_reply(reference + '\2'));
    ReferenceReply refusal;
    refusal.refused = true;
    EXPECT_TRUE(decode_reference_reply(encode(refusal))->refused);
    std::string lying = encode(BodyReply{});
    lying.back() = '\x7f';
    EXPECT_FALSE(decode_body_reply(lying));
    EXPECT_FALSE(decode_reference_request("fifteen octets."));
    const std::string with = encode(ReferenceRequest{request_id(1), "an operator's word"});
    EXPECT_EQ(decode_reference_request(with)->authority, "an operator's word");
    EXPECT_FALSE(decode_reference_request(with.substr(0, with.size() - 1)));
    EXPECT_FALSE(decode_body_request("too short"));
}

struct BodiesTest : testing::Test {
    PopWorld world{3};
    std::uint64_t requests = 0;
    storage::SealedBody sealed;

    void SetUp() override {
        world.make_account();
        for (unsigned pop = 0; pop < 3; ++pop) ASSERT_TRUE(world.served(world.start(pop)));
        ASSERT_TRUE(world.until([&] {
            for (const auto& pop : world.pops)
                if (pop->core->peers().roster().count() != 2 ||
                    !pop->vault->current_version(account))
                    return false;
            return true;
        }));
    }
    PopWorld::Pop& pop(unsigned number) { return *world.pops[number]; }
    void write(PopWorld::Pop& at, const storage::Batch& batch) {
        ASSERT_TRUE(at.store.write(batch, storage::Durability::power));
    }
    // A request at POP 1 whose answer is stored there and known to the ledger.
    RequestId answered() {
        PopWorld::Pop& owner = pop(0);
        auto writer = owner.vault->create_body(account, world.clock.wall_ms(), world.random);
        EXPECT_TRUE(writer);
        storage::Batch rows;
        std::string first, second;
        writer->seal(Bytes(text).substr(0, 20), false, first);
        writer->seal(Bytes(text).substr(20), true, second);
        put_body(*writer, {first, second}, rows);
        write(owner, rows);
        sealed = writer->sealed();
        sealed.expires_ms = world.clock.wall_ms() + 3'600'000;
        settle(owner);
        return request_id(requests);
    }
    void put_body(const storage::BodyWriter& writer, const std::vector<std::string>& chunks,
                  storage::Batch& rows) {
        std::string row;
        storage::encode(storage::BodyKey{world.clock.wall_ms(), writer.key_record()}, row);
        rows.put(storage::Family::dek, storage::dek_key(writer.id()).view(), row);
        for (std::uint32_t number = 0; number < chunks.size(); ++number)
            rows.put(storage::Family::body, storage::body_key(writer.id(), number).view(),
                     chunks[number]);
    }
    void settle(PopWorld::Pop& owner) {
        storage::OpenRequest open;
        open.request_id = request_id(++requests);
        open.account = account;
        open.key = KeyId{1};
        storage::Batch batch;
        ASSERT_TRUE(owner.journal->claim(open, {}, world.clock.wall_ms(), batch).has_value());
        storage::Finish done;
        done.request_id = done.answer.request_id = open.request_id;
        storage::Settlement settlement;
        settlement.request_id = open.request_id;
        settlement.account = account;
        settlement.key = open.key;
        settlement.created_ms = settlement.settled_ms = world.clock.wall_ms();
        settlement.sealed_answer = sealed;
        done.settlement = settlement;
        ASSERT_TRUE(owner.journal->finish(done, batch).has_value());
        write(owner, batch);
        owner.core->outbox_grew();
        ASSERT_TRUE(
            world.until([&] { return (*world.ledger.reference(open.request_id)).has_value(); }));
    }
    // As a buddy stores them.
    void copy_to(unsigned number) {
        storage::Batch rows;
        const auto key = pop(0).store.get(storage::Family::dek, storage::dek_key(sealed.id).view());
        rows.put(storage::Family::dek, storage::dek_key(sealed.id).view(), **key);
        for (std::uint32_t chunk = 0; chunk < 2; ++chunk) {
            const auto place = storage::body_key(sealed.id, chunk);
            rows.put(storage::Family::body, place.view(),
                     **pop(0).store.get(storage::Family::body, place.view()));
        }
        write(pop(number), rows);
    }
    void stop(unsigned number) {
        pop(number).core.reset();
        pop(number).transport.reset();
    }
    FetchedBody fetch(unsigned at, const RequestId& request, BodyKind kind = BodyKind::answer) {
        std::optional<FetchedBody> told;
        pop(at).core->bodies().fetch({request}, kind,
                                     [&](FetchedBody body) { told = std::move(body); });
        EXPECT_TRUE(world.until([&] { return told.has_value(); }));
        return told.value_or(FetchedBody{});
    }
    bool has_key(unsigned number) {
        return pop(number)
            .store.get(storage::Family::dek, storage::dek_key(sealed.id).view())
            ->has_value();
    }
    std::vector<PopId> waiting(const RequestId& request) {
        const auto erasing = world.ledger.erasing(request);
        EXPECT_TRUE(erasing);
        return erasing ? erasing->waiting : std::vector<PopId>{PopId{99}};
    }
};

TEST_F(BodiesTest, AreReadAtAnyPopFromTheOneThatHasThem) {
    const RequestId request = answered();
    for (unsigned at = 0; at < 3; ++at) {
        const FetchedBody body = fetch(at, request);
        EXPECT_EQ(body.outcome, BodyOutcome::read) << at;
        EXPECT_EQ(body.text, text);
        EXPECT_EQ(body.holder, PopId{1});
        EXPECT_TRUE(body.complete);
    }
    EXPECT_EQ(fetch(1, request, BodyKind::sent).outcome, BodyOutcome::absent);
    EXPECT_EQ(fetch(1, request_id(77)).outcome, BodyOutcome::unknown);
}

TEST_F(BodiesTest, OfAnOwnerThatIsAwayAreReadFromItsBuddyOrToldToBeAway) {
    const RequestId request = answered();
    stop(0);
    EXPECT_EQ(fetch(2, request).outcome, BodyOutcome::away);
    copy_to(1);
    const FetchedBody body = fetch(2, request);
    EXPECT_EQ(body.outcome, BodyOutcome::read);
    EXPECT_EQ(body.text, text);
    EXPECT_EQ(body.holder, PopId{2});
    EXPECT_EQ(fetch(1, request).text, text);  // the buddy itself
}

TEST_F(BodiesTest, ThatWereAlteredOrExchangedAreNotShown) {
    const RequestId request = answered();
    storage::Batch rows;
    const auto place = storage::body_key(sealed.id, 1);
    std::string chunk = **pop(0).store.get(storage::Family::body, place.view());
    chunk.back() = static_cast<char>(chunk.back() ^ 1);
    rows.put(storage::Family::body, place.view(), chunk);
    write(pop(0), rows);
    const FetchedBody body = fetch(1, request);
    EXPECT_EQ(body.outcome, BodyOutcome::damaged);
    EXPECT_TRUE(body.text.empty());
}

TEST_F(BodiesTest, OfAShreddedAccountOpenNowhere) {
    const RequestId request = answered();
    ASSERT_TRUE(world.ledger.shred_account(account, world.clock.wall_ms()));
    world.start_centre();  // whoever reads the feed hears of it
    ASSERT_TRUE(world.until([&] { return fetch(1, request).outcome == BodyOutcome::shredded; }));
    ASSERT_TRUE(world.until([&] { return fetch(0, request).outcome == BodyOutcome::shredded; }));
}

TEST_F(BodiesTest, UnderAKeyThatHasYetToComeAreNotToldAsShredded) {
    PopWorld::Pop& owner = pop(0);
    owner.vault->activate(owner.vault->wrap(account, *owner.vault->current_version(account) + 1,
                                            crypto::SecretKey::generate(world.random),
                                            world.random));
    const RequestId request = answered();
    EXPECT_EQ(fetch(0, request).outcome, BodyOutcome::read);
    EXPECT_EQ(fetch(1, request).outcome, BodyOutcome::key_away);
}

TEST_F(BodiesTest, WithoutTheCentreNothingIsRead) {
    const RequestId request = answered();
    world.network.stop_centre();
    EXPECT_EQ(fetch(1, request).outcome, BodyOutcome::unavailable);
}

TEST_F(BodiesTest, NoMoreAreReadAtOnceThanThereIsMemoryFor) {
    const RequestId request = answered();
    unsigned told = 0, busy = 0;
    for (unsigned i = 0; i < limits::body_fetches_max + 1; ++i)
        pop(1).core->bodies().fetch({request}, BodyKind::answer, [&](const FetchedBody& body) {
            ++told;
            busy += body.outcome == BodyOutcome::busy ? 1 : 0;
        });
    EXPECT_EQ(busy, 1u);
    ASSERT_TRUE(world.until([&] { return told == limits::body_fetches_max + 1; }));
    EXPECT_FALSE(pop(1).core->bodies().busy());
}

TEST_F(BodiesTest, DeletionReachesTheOwnerAndEveryCopyBeforeItIsDone) {
    const RequestId request = answered();
    copy_to(1);
    const auto ordered = world.ledger.erase_bodies(request, world.clock.wall_ms());
    ASSERT_TRUE(ordered);
    EXPECT_EQ(ordered->waiting.size(), 3u);
    EXPECT_TRUE(has_key(0) && has_key(1));
    // Never told as done while a key is there.
    ASSERT_TRUE(world.until([&] {
        const bool done = waiting(request).empty();
        EXPECT_FALSE(done && (has_key(0) || has_key(1)));
        return done;
    }));
    EXPECT_FALSE(has_key(0) || has_key(1));
    EXPECT_EQ(fetch(2, request).outcome, BodyOutcome::deleted);
    const auto again = world.ledger.erase_bodies(request, world.clock.wall_ms());
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->waiting.empty());
    EXPECT_TRUE((*world.ledger.reference(request))->deleted);
    EXPECT_EQ(world.ledger.erase_bodies(request_id(77), 1).error().code, ErrorCode::not_found);
}

TEST_F(BodiesTest, APopThatIsAwayFindsTheOrderWhenItComesBack) {
    const RequestId request = answered();
    copy_to(1);
    stop(0);
    ASSERT_TRUE(world.ledger.erase_bodies(request, world.clock.wall_ms()));
    ASSERT_TRUE(world.until([&] { return !has_key(1); }));
    world.until([] { return false; }, 10 * second);
    // A copy may come again from the owner: the buddy's word does not count before the owner's.
    EXPECT_EQ(waiting(request).size(), 3u);
    copy_to(1);
    world.start(0);
    ASSERT_TRUE(world.until([&] { return waiting(request).empty(); }));
    EXPECT_FALSE(has_key(0) || has_key(1));
}

TEST_F(BodiesTest, AnEndInTheMiddleLeavesNothingHalfDeletedThatIsToldAsDone) {
    const RequestId request = answered();
    ASSERT_TRUE(world.ledger.erase_bodies(request, world.clock.wall_ms()));
    // Ends after every step of the way, from the order's arrival to the report of it.
    for (unsigned life = 0; life < 20; ++life) {
        for (unsigned steps = 0; steps < 40 + 10 * life; ++steps) {
            world.step();
            EXPECT_FALSE(waiting(request).empty() && has_key(0));
        }
        world.start(0);
    }
    ASSERT_TRUE(world.until([&] { return waiting(request).empty(); }));
    EXPECT_FALSE(has_key(0));
}

TEST_F(BodiesTest, OrdersAreForgottenWhenTheBodiesHaveExpired) {
    const RequestId request = answered();
    stop(0);
    ASSERT_TRUE(world.ledger.erase_bodies(request, world.clock.wall_ms()));
    world.clock.advance(3'600'000 * millisecond);
    world.start(0);
    ASSERT_TRUE(world.until([&] {
        const auto erasing = world.ledger.erasing(request);
        return !erasing || erasing->waiting.empty();
    }));
}

}  // namespace
}  // namespace nodex::replication::bodies_test
