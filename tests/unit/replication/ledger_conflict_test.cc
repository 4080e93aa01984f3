// A store on which other processes work too: verbs run again where one was in the way, stop trying
// at their bound, and a store that cannot be reached now is not a store that failed.
#include <gtest/gtest.h>

#include "edge/base/limits.h"
#include "replication/central/central.h"
#include "replication/central/ledger_transaction.h"
#include "tests/unit/replication/ledger_world.h"

namespace nodex::replication {
namespace {

// Refuses commits as a database does, and counts them.
class ContestedStore final : public LedgerStore {
  public:
    Status begin(LedgerAccess access) noexcept override { return inner_.begin(access); }
    void abort() noexcept override { inner_.abort(); }
    Status commit(const LedgerBatch& batch) noexcept override {
        ++commits;
        if (refusals > 0) {
            --refusals;
            inner_.abort();
            return refusal;
        }
        const Status committed = inner_.commit(batch);
        if (!lose_answer) return committed;
        lose_answer = false;
        return ledger_unavailable();  // it is there, but nobody was told
    }
    Result<std::optional<std::string>> get(LedgerTable table, Bytes key) noexcept override {
        if (lose_reader()) return ledger_conflict();
        return inner_.get(table, key);
    }
    Status scan(LedgerTable table, Bytes from, Bytes to,
                const std::function<bool(Bytes key, Bytes value)>& visit) noexcept override {
        if (!lose_reader()) return inner_.scan(table, from, to, visit);
        unsigned left = 1;  // the connection goes in the middle of the answer
        const Status part = inner_.scan(table, from, to, [&](Bytes key, Bytes value) {
            return left-- > 0 && visit(key, value);
        });
        return part ? Status(ledger_conflict()) : part;
    }

    unsigned refusals = 0;  // of the next commits, with `refusal`
    Error refusal = ledger_conflict();
    bool lose_answer = false;
    bool lose_next_reader = false;
    unsigned commits = 0;

  private:
    bool lose_reader() noexcept { return std::exchange(lose_next_reader, false); }
    MemoryLedgerStore inner_;
};

struct Contested {
    ContestedStore store;
    Ledger ledger{store};
    AccountId account = ledger.create_account("a", *ledger::parse_currency("USD"), 1)->id;
    std::uint32_t incarnation =
        ledger.register_pop(PopId{1}, {numbered<InstallId>(1), 0, 0, {}, {}, 0}, 1)->incarnation;
    Outbox outbox;

    Contested() {
        EXPECT_TRUE(ledger.top_up(account, 10 * unit, "first", 2));
        const LeaseKey scope{LeaseKey::Kind::account, raw(account)};
        EXPECT_TRUE(
            ledger.lease(PopId{1}, incarnation, {0, true, {{scope, 1, 5 * unit, 0, 0, 0}}}, 3));
        for (std::uint64_t i = 1; i <= 4; ++i) {
            storage::Settlement settlement;
            settlement.request_id = request_of(PopId{1}, i);
            settlement.idempotency = numbered<IdempotencyId>(i);
            settlement.account = account;
            settlement.reservation = {unit, 1, 0, 1};
            settlement.amount = unit / 4;
            outbox.add(settlement);
        }
    }
    Nano balance() { return (*ledger.account(account))->posted; }
};

// The disk fails, or the process dies, between two pieces of a batch: the sender got no answer, and
// the ledger has the first.
TEST(LedgerConflict, ABatchThatEndsBetweenTwoPiecesIsGoneOnWithFromTheMark) {
    Contested world;
    static ContestedStore* store = nullptr;
    static unsigned pieces;
    store = &world.store;
    pieces = 0;
    Ledger ledger(world.store, PlantedBug::none, limits::lease_ttl, {2, []() noexcept {
                      store->refusal = Error{ErrorCode::storage_failed, ErrorSource::storage};
                      store->refusals = pieces++;
                      return true;
                  }});
    EXPECT_FALSE(ledger.ship(PopId{1}, world.incarnation, world.outbox.batch(1, 4), 5));
    EXPECT_EQ(world.balance(), 10 * unit - 2 * unit / 4);
    const Result<ShipReply> reply =
        world.ledger.ship(PopId{1}, world.incarnation, world.outbox.batch(1, 4), 6);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->applied, 4u);
    EXPECT_EQ(world.balance(), 9 * unit);
}

TEST(LedgerConflict, AVerbRunsAgainAndIsAppliedOnce) {
    Contested world;
    world.store.refusals = 3;
    world.store.commits = 0;
    const Result<ShipReply> reply =
        world.ledger.ship(PopId{1}, world.incarnation, world.outbox.batch(1, 4), 5);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->applied, 4u);
    EXPECT_EQ(world.store.commits, 4u);
    EXPECT_EQ(world.balance(), 9 * unit);
    EXPECT_TRUE(world.ledger.check_invariants()->sound());
}

TEST(LedgerConflict, AVerbThatNeverGetsThroughChangesNothingAndMayBeAskedAgain) {
    Contested world;
    world.store.refusals = limits::ledger_attempts_max;
    world.store.commits = 0;
    const Result<Ledger::TopUp> refused = world.ledger.top_up(world.account, unit, "second", 6);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(is_unavailable(refused.error()));
    EXPECT_EQ(world.store.commits, limits::ledger_attempts_max);
    EXPECT_EQ(world.balance(), 10 * unit);
    EXPECT_TRUE(world.ledger.top_up(world.account, unit, "second", 7)->applied);
}

// As when the database's connection is lost between two questions or in one: a centre once took
// that for a failure of its store, and ended. Every question answers the same as without it.
TEST(LedgerConflict, AQuestionWhoseReaderIsLostIsAskedAgain) {
    Contested world;
    Ledger& ledger = world.ledger;
    EXPECT_TRUE(ledger.ship(PopId{1}, world.incarnation, world.outbox.batch(1, 4), 5));
    EXPECT_TRUE(ledger.create_account("b", *ledger::parse_currency("USD"), 6));
    ModelEntry model;
    model.id = "m";
    EXPECT_TRUE(ledger.set_model(model, 8));
    const auto same = [&](const char* question, const auto& ask) {
        const auto undisturbed = ask();
        world.store.lose_next_reader = true;
        EXPECT_EQ(ask(), undisturbed) << question;
        EXPECT_FALSE(world.store.lose_next_reader) << question;
    };
    same("account", [&] { return (*ledger.account(world.account))->posted; });
    same("accounts", [&] { return ledger.accounts(AccountId{0}, 10)->size(); });
    same("keys", [&] { return ledger.keys(world.account, KeyId{0}, 10)->size(); });
    same("model", [&] { return (*ledger.model("m"))->entry.number; });
    same("models", [&] { return ledger.models()->size(); });
    same("mark", [&] { return (*ledger.mark(PopId{1}, world.incarnation))->applied; });
    same("head", [&] { return ledger.head()->rows; });
    same("feed", [&] { return ledger.feed(0)->records; });
    UsageFilter all;
    all.account = world.account;
    same("usage", [&] { return ledger.usage(all)->rows.size(); });
    same("verify", [&] { return ledger.verify()->rows; });
    same("invariants", [&] { return ledger.check_invariants()->accounts; });
    same("reclaim", [&] { return *ledger.reclaim(9, 10); });
    same("claims", [&] { return *ledger.sweep_claims(9, 10); });
    same("references", [&] { return *ledger.sweep_references(9, 10); });
    same("bodies",
         [&] { return ledger.references(world.account, std::nullopt, "", 10)->references.size(); });
    same("body keys", [&] { return ledger.outdated_body_keys(9, 10)->size(); });
    same("root key", [&] { return *ledger.root_key_check(); });
}

TEST(LedgerConflict, AVerbThatConsumesItsArgumentsCanStillRunAgain) {
    Contested world;
    ModelEntry model;
    model.id = "m";
    world.store.refusals = 2;
    const Result<ledger::Model> saved = world.ledger.set_model(model, 8);
    ASSERT_TRUE(saved);
    EXPECT_EQ(saved->entry.id, "m");
    EXPECT_EQ((*world.ledger.model("m"))->entry.number, 1u);
}

// The connection is lost after the database committed and before it said so: the POP ships again.
TEST(LedgerConflict, ACommitWhoseAnswerIsLostIsFoundByTheRepetition) {
    Contested world;
    world.store.lose_answer = true;
    const Result<ShipReply> lost =
        world.ledger.ship(PopId{1}, world.incarnation, world.outbox.batch(1, 4), 5);
    ASSERT_FALSE(lost);
    EXPECT_TRUE(is_unavailable(lost.error()));
    const Result<ShipReply> again =
        world.ledger.ship(PopId{1}, world.incarnation, world.outbox.batch(1, 4), 6);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->applied, 4u);
    EXPECT_EQ(world.balance(), 9 * unit);
    world.store.lose_answer = true;
    EXPECT_FALSE(world.ledger.top_up(world.account, unit, "payment", 7));
    EXPECT_FALSE(world.ledger.top_up(world.account, unit, "payment", 8)->applied);
    EXPECT_EQ(world.balance(), 10 * unit);
}

// What a repeated batch is answered from must be as durable as what is written: the store is asked
// to commit although nothing changed.
TEST(LedgerConflict, AnAnswerFromWhatWasReadIsCommittedToo) {
    Contested world;
    ASSERT_TRUE(world.ledger.ship(PopId{1}, world.incarnation, world.outbox.batch(1, 4), 5));
    world.store.commits = 0;
    ASSERT_TRUE(world.ledger.ship(PopId{1}, world.incarnation, world.outbox.batch(1, 4), 6));
    EXPECT_EQ(world.store.commits, 1u);
    ASSERT_TRUE(world.ledger.feed(0));
    EXPECT_EQ(world.store.commits, 2u);
}

// Two operators at two centres read the same key and change different things of it.
TEST(LedgerConflict, AChangeMadeFromAnOldStateIsRefused) {
    Contested world;
    const ledger::Key key =
        *world.ledger.create_key(world.account, numbered<KeyHash>(1), KeySettings{}, 4);
    KeySettings first;
    first.budget = unit;
    ASSERT_TRUE(world.ledger.update_key(key.id, first, 5, key.feed_version));
    KeySettings second;
    second.name = "renamed";
    const Result<ledger::Key> refused =
        world.ledger.update_key(key.id, second, 6, key.feed_version);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::stale);
    EXPECT_EQ(refused.error().source, ErrorSource::client);
    EXPECT_EQ((*world.ledger.key(key.id))->budget, unit);
    ModelEntry model;
    model.id = "m";
    const ledger::Model made = *world.ledger.set_model(model, 7, 0);
    EXPECT_FALSE(world.ledger.set_model(model, 8, 0));
    EXPECT_TRUE(world.ledger.set_model(model, 9, made.feed_version));
}

// Hands requests straight to the centre.
class DirectServer final : public TransportServer {
  public:
    void attach(Mailbox*) override {}
    void serve(Bytes subject, RequestHandler handler) override {
        handlers_.emplace_back(std::string(subject), std::move(handler));
    }
    void publish(Bytes, std::string) override {}
    // Nothing: not answered.
    std::optional<std::string> ask(Bytes subject, Bytes payload) {
        std::optional<std::string> answer;
        for (const auto& [name, handler] : handlers_)
            if (name == subject)
                handler(subject, payload, [&](std::string reply) { answer = std::move(reply); });
        return answer;
    }

  private:
    std::vector<std::pair<std::string, RequestHandler>> handlers_;
};

struct ServedStore {
    ContestedStore store;
    DirectServer server;
    ManualClock clock;
    SeededRandom random{1};
    crypto::SecretKey key = crypto::SecretKey::generate(random);
    Central central{store, server, clock, random, options()};

    CentralOptions options() const {
        CentralOptions options;
        options.key_hash_secret = key;
        options.link_keys.emplace_back(PopId{1}, key);
        return options;
    }
    ServedStore() { EXPECT_TRUE(central.start(true)); }
    bool registers() {
        RegisterRequest request;
        request.install = numbered<InstallId>(1);
        const Envelope envelope{MessageType::register_request, PopId{1}, 0, 0, 1};
        return server.ask("nx.v1.rpc.reg", seal(envelope, encode(request), key)).has_value();
    }
};

TEST(LedgerConflict, ACentreWhoseStoreIsAwayIsSilentAndServesAgain) {
    ServedStore world;
    world.store.refusals = 1;
    world.store.refusal = ledger_unavailable();
    EXPECT_FALSE(world.registers());
    EXPECT_FALSE(world.central.failed());
    EXPECT_TRUE(world.registers());
}

TEST(LedgerConflict, ACentreWhoseStoreFailedIsSilentForGood) {
    ServedStore world;
    world.store.refusals = 1;
    world.store.refusal = {ErrorCode::storage_failed, ErrorSource::storage};
    EXPECT_FALSE(world.registers());
    EXPECT_TRUE(world.central.failed());
    EXPECT_FALSE(world.registers());
}

}  // namespace
}  // namespace nodex::replication
