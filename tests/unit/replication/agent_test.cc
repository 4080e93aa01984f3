// Agent and centre in one process, on their real threads: the whole way from an admin command to a
// reservation and from a settlement to the ledger.
#include "replication/agent.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "edge/base/limits.h"
#include "edge/crypto/api_key.h"
#include "replication/central/central_thread.h"
#include "replication/central/json.h"
#include "replication/central/ledger.h"
#include "replication/central/memory_ledger_store.h"
#include "replication/thread_mailbox.h"
#include "replication/transport_inproc.h"
#include "storage/sim_store.h"
#include "tests/unit/replication/request_ids.h"

namespace nodex::replication::agent_test {
namespace {

constexpr Nano unit = nano_per_unit;

class AgentTest : public testing::Test {
  public:
    void nothing() noexcept {}  // the outcome is read from the operation

  protected:
    explicit AgentTest(Clock& clock = system_clock())
        : random_(7), link_(clock), secret_(crypto::SecretKey::generate(random_)) {
        const crypto::SecretKey link_key = crypto::SecretKey::generate(random_);
        central_ =
            std::make_unique<CentralThread>(ledger_store_, link_.centre(), clock, random_,
                                            CentralOptions{secret_,
                                                           {{PopId{1}, link_key}},
                                                           PlantedBug::none,
                                                           crypto::SecretKey::generate(random_),
                                                           {},
                                                           limits::lease_ttl,
                                                           {{}, {PopId{1}}}});
        auto journal = storage::Journal::open(store_, random_);
        EXPECT_TRUE(journal);
        journal_ = std::move(*journal);
        commits_ = std::make_unique<storage::CommitThread>(store_, *journal_, clock,
                                                           storage::Durability::power);
        commits_->start();
        folder_ = std::filesystem::temp_directory_path() /
                  ("nodex_agent_test_" + std::to_string(getpid()));
        std::filesystem::create_directories(folder_);
        auto vault = storage::Vault::open((folder_ / "node.key").string(), true, random_);
        EXPECT_TRUE(vault);
        vault_ = std::move(*vault);
        AgentOptions options;
        options.link_key = link_key;
        options.ship_delay_ns = 0;
        agent_ = std::make_unique<Agent>(link_.pop(), *commits_, *journal_, *vault_, clock,
                                         agent_random_, options);
    }
    ~AgentTest() override {
        agent_->stop();
        central_->stop();
        commits_->stop();
        std::filesystem::remove_all(folder_);
    }

    void start() {
        ASSERT_TRUE(central_->start(true));
        ASSERT_TRUE(agent_->start(10 * second));
    }
    // Runs the test thread's mailbox until `finished` says so; the test's own timeout is the limit.
    template <class Condition>
    void run_until(Condition finished) {
        while (!finished()) mailbox_.run(millisecond);
    }
    std::string query(const std::string& subject, const std::string& request,
                      int expected_status = 200) {
        CentralQuery query;
        query.subject = subject;
        query.request = request;
        agent_->query(query, mailbox_.mailbox(), storage::when_done<&AgentTest::nothing>(this));
        run_until([&] { return !query.in_flight(); });
        EXPECT_EQ(query.status, expected_status) << query.reply;
        return query.reply;
    }
    std::string admin(const std::string& command, const std::string& args) {
        return query("admin", R"({"command":")" + command + R"(","args":)" + args + "}");
    }
    // An account with `amount`, one key; answers the key's text.
    std::string make_customer(const std::string& amount, const std::string& key_args = "") {
        admin("account.create", R"({"name":"a"})");
        admin("balance.topup", R"({"account":1,"amount":")" + amount + R"(","reference":"pay-1"})");
        const std::string reply =
            admin("key.create", R"({"account":1,"name":"k")" + key_args + "}");
        auto object = JsonObject::parse(reply);
        EXPECT_TRUE(object);
        return std::string(*object->object("result")->string("key"));
    }
    const KeyEntry* find_key(const std::string& text) {
        const KeyHash hash = crypto::hash_api_key(secret_, text);
        const KeyEntry* found = nullptr;
        run_until([&] {
            directory_ = agent_->directory();
            found = directory_->find_key(hash);
            return found != nullptr;
        });
        return found;
    }
    unsigned ask_many(const KeyEntry& key, unsigned count, Nano amount,
                      std::vector<LeaseAsk>& asks) {
        for (unsigned i = 0; i < count; ++i) {
            asks[i].account = key.account_lease;
            asks[i].key = key.key_lease;
            asks[i].amount = amount;
            agent_->ask(asks[i], mailbox_.mailbox(), storage::when_done<&AgentTest::nothing>(this));
        }
        unsigned reserved = 0;
        for (unsigned i = 0; i < count; ++i) {
            run_until([&] { return !asks[i].in_flight(); });
            if (asks[i].verdict == LeaseAsk::Verdict::reserved) ++reserved;
        }
        return reserved;
    }

    SeededRandom random_;            // the centre's thread
    SeededRandom agent_random_{11};  // the commit thread's, by the agent
    InprocLink link_;
    crypto::SecretKey secret_;
    MemoryLedgerStore ledger_store_;
    storage::SimStore store_;
    std::filesystem::path folder_;
    std::unique_ptr<CentralThread> central_;
    std::unique_ptr<storage::Journal> journal_;
    std::unique_ptr<storage::CommitThread> commits_;
    std::unique_ptr<storage::Vault> vault_;
    std::unique_ptr<Agent> agent_;
    ThreadMailbox mailbox_;
    std::shared_ptr<const Directory> directory_;
};

TEST_F(AgentTest, RegistersAndPublishesAnEmptyDirectory) {
    start();
    EXPECT_TRUE(agent_->linked());
    EXPECT_TRUE(agent_->directory()->models().empty());
}

// The first snapshot once was empty, published before the first page had come: a restarted node
// refused every key.
TEST_F(AgentTest, TheFirstDirectoryHasEverythingThatIsKnown) {
    Ledger ledger(ledger_store_);  // the centre's thread has not begun: the ledger is ours
    const AccountId account = ledger.create_account("a", *ledger::parse_currency("USD"), 1)->id;
    ASSERT_TRUE(ledger.create_key(account, KeyHash{}, {}, 1));
    start();
    EXPECT_NE(agent_->directory()->find_key(KeyHash{}), nullptr);
}

TEST_F(AgentTest, ANewKeyAppearsWithItsBodyKeyMade) {
    start();
    const KeyEntry* key = find_key(make_customer("1"));
    EXPECT_EQ(key->account, AccountId{1});
    EXPECT_EQ(key->key_lease, nullptr);
    EXPECT_TRUE(vault_->current_version(AccountId{1}).has_value());
}

TEST_F(AgentTest, TwoHundredAsksAgainstMoneyForFiftyReserveExactlyFifty) {
    start();
    const KeyEntry* key = find_key(make_customer("50"));
    std::vector<LeaseAsk> asks(200);
    EXPECT_EQ(ask_many(*key, 200, unit, asks), 50u);
    unsigned refused = 0;
    for (const LeaseAsk& ask : asks)
        if (ask.verdict == LeaseAsk::Verdict::insufficient_balance) ++refused;
    EXPECT_EQ(refused, 150u);
    EXPECT_EQ(key->account_lease->reserved(), 50 * unit);
    EXPECT_EQ(key->account_lease->available(), 0);
}

TEST_F(AgentTest, TellsWhatMayStillBeSpentWithoutTheCentre) {
    start();
    const KeyEntry* key = find_key(make_customer("50"));
    EXPECT_EQ(agent_->stats().lease_headroom.load(), 0);
    std::vector<LeaseAsk> asks(1);
    ASSERT_EQ(ask_many(*key, 1, unit, asks), 1u);
    // The next heartbeat refills ahead of the next requests: never more than is left.
    run_until([&] { return agent_->stats().lease_headroom.load() > 0; });
    EXPECT_LE(agent_->stats().lease_headroom.load(), 49 * unit);
    asks[0].account->release(unit);
}

TEST_F(AgentTest, AKeysBudgetRefusesWithQuotaWhileTheAccountHasMoney) {
    start();
    const KeyEntry* key = find_key(make_customer("50", R"(,"budget":"7")"));
    ASSERT_NE(key->key_lease, nullptr);
    std::vector<LeaseAsk> asks(20);
    EXPECT_EQ(ask_many(*key, 20, unit, asks), 7u);
    unsigned refused = 0;
    for (const LeaseAsk& ask : asks)
        if (ask.verdict == LeaseAsk::Verdict::insufficient_quota) ++refused;
    EXPECT_EQ(refused, 13u);
    EXPECT_EQ(key->key_lease->reserved(), 7 * unit);
    EXPECT_EQ(key->account_lease->reserved(), 7 * unit);
}

TEST_F(AgentTest, ASettledRequestReachesTheLedgerAndTheBalance) {
    start();
    const KeyEntry* key = find_key(make_customer("50"));
    std::vector<LeaseAsk> asks(1);
    ASSERT_EQ(ask_many(*key, 1, 10 * unit, asks), 1u);
    LeaseScope* lease = asks[0].account;

    storage::ClaimOperation claim;
    claim.request.request_id.octets[1] = 1;
    claim.request.account = AccountId{1};
    claim.request.key = key->id;
    claim.request.idempotency.octets[0] = 5;
    claim.request.reservation = {10 * unit, lease->generation(), 0, 1};
    commits_->submit(claim, mailbox_.mailbox(), storage::when_done<&AgentTest::nothing>(this));
    run_until([&] { return !claim.in_flight(); });
    ASSERT_TRUE(claim.status());
    storage::FinishOperation finish;
    finish.finish.request_id = claim.request.request_id;
    finish.finish.answer.request_id = claim.request.request_id;
    storage::Settlement settlement;
    settlement.request_id = claim.request.request_id;
    settlement.account = AccountId{1};
    settlement.key = key->id;
    settlement.idempotency = claim.request.idempotency;
    settlement.reservation = claim.request.reservation;
    settlement.amount = 4 * unit;
    finish.finish.settlement = settlement;
    commits_->submit(finish, mailbox_.mailbox(), storage::when_done<&AgentTest::nothing>(this));
    run_until([&] { return !finish.in_flight(); });
    ASSERT_TRUE(finish.status());
    lease->settle(10 * unit, 4 * unit);
    run_until([&] { return agent_->stats().applied_records.load() == 1; });
    const std::string balance = query("balance", R"({"account":1,"key_id":1})");
    EXPECT_NE(balance.find(R"("balance":"46")"), std::string::npos) << balance;
    EXPECT_NE(balance.find(R"("total_spent":"4")"), std::string::npos) << balance;
    const std::string usage = query("usage", R"({"account":1})");
    EXPECT_NE(usage.find(R"("amount":"4")"), std::string::npos) << usage;
    EXPECT_NE(admin("ledger.verify", "{}").find(R"("sound":true)"), std::string::npos);
}

TEST_F(AgentTest, AQueryTheCentreRefusesKeepsItsStatusAndReason) {
    start();
    EXPECT_NE(query("balance", R"({"account":99})", 404).find("not_found"), std::string::npos);
    EXPECT_NE(query("admin", "not json", 400).find("invalid_json"), std::string::npos);
}

TEST_F(AgentTest, WithoutACentreItSaysSoAndRefusesToReserve) {
    central_->stop();
    EXPECT_EQ(agent_->start(50 * millisecond).error().code, ErrorCode::unavailable);
    EXPECT_FALSE(agent_->linked());
    query("balance", R"({"account":1})", 503);
}

TEST_F(AgentTest, AKeyIsGrantedFoundAndFreeAgain) {
    start();
    make_customer("1");
    ClaimAsk claim;
    const auto word = [&](ClaimAsk::What what) {
        claim.what = what;
        agent_->claim(claim, mailbox_.mailbox(), storage::when_done<&AgentTest::nothing>(this));
        run_until([&] { return !claim.in_flight(); });
        return claim.verdict;
    };
    claim.account = AccountId{1};
    claim.idempotency.octets.fill(4);
    claim.fingerprint.octets.fill(5);
    claim.request = request_of(PopId{1}, 6);
    EXPECT_EQ(word(ClaimAsk::What::query), ClaimAsk::Verdict::free);
    EXPECT_EQ(word(ClaimAsk::What::acquire), ClaimAsk::Verdict::granted);
    EXPECT_EQ(word(ClaimAsk::What::query), ClaimAsk::Verdict::elsewhere);
    EXPECT_EQ(claim.owner.pop, PopId{1});
    EXPECT_EQ(claim.owner.request, claim.request);
    EXPECT_FALSE(claim.owner.done);
    word(ClaimAsk::What::release);
    EXPECT_EQ(word(ClaimAsk::What::query), ClaimAsk::Verdict::free);  // in order, so not before it
    EXPECT_GT(agent_->stats().round_trip_ns.load(), 0);
}

// Time stands still: on a busy machine three thousand answers took longer than a word is waited
// for.
Clock& stopped_clock() {
    static ManualClock clock;
    return clock;
}
struct TimelessAgentTest : AgentTest {
    TimelessAgentTest() : AgentTest(stopped_clock()) {}
};

TEST_F(TimelessAgentTest, ManyClaimsOfATurnAreAnsweredEach) {
    start();
    make_customer("1");
    std::vector<ClaimAsk> claims(3'000);  // more than one message takes
    for (std::size_t i = 0; i < claims.size(); ++i) {
        const std::size_t number = i + 1;
        claims[i].account = AccountId{1};
        std::memcpy(claims[i].idempotency.octets.data(), &number, sizeof number);
        claims[i].request = request_of(PopId{1}, 6);
        agent_->claim(claims[i], mailbox_.mailbox(), storage::when_done<&AgentTest::nothing>(this));
    }
    for (ClaimAsk& claim : claims) {
        run_until([&] { return !claim.in_flight(); });
        EXPECT_EQ(claim.verdict, ClaimAsk::Verdict::granted);
    }
}

TEST_F(AgentTest, ACentreThatIsGoneLeavesClaimsWithoutAWord) {
    start();
    make_customer("1");
    central_->stop();
    ClaimAsk claim;
    claim.account = AccountId{1};
    claim.idempotency.octets.fill(4);
    agent_->claim(claim, mailbox_.mailbox(), storage::when_done<&AgentTest::nothing>(this));
    run_until([&] { return !claim.in_flight(); });
    EXPECT_EQ(claim.verdict, ClaimAsk::Verdict::unavailable);
}

}  // namespace
}  // namespace nodex::replication::agent_test
