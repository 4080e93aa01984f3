// The ledger in PostgreSQL under what only a database does: two centres at once, a server that is
// killed between and inside commits, transactions that are refused, other schemas and settings.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <thread>

#include "edge/base/limits.h"
#include "replication/central/postgres/postgres_ledger_store.h"
#include "tests/support/postgres_cluster.h"
#include "tests/unit/replication/ledger_world.h"

namespace nodex::replication {
namespace {

using StorePtr = std::unique_ptr<PostgresLedgerStore>;

StorePtr open_store(const std::string& url, SchemaPolicy policy = SchemaPolicy::create) {
    std::string problem;
    StorePtr store = PostgresLedgerStore::open(url, policy, system_clock(), problem);
    EXPECT_NE(store, nullptr) << problem;
    return store;
}

std::string refusal_of(const std::string& url, SchemaPolicy policy = SchemaPolicy::create) {
    std::string problem;
    EXPECT_EQ(PostgresLedgerStore::open(url, policy, system_clock(), problem), nullptr);
    return problem;
}

// One centre process: a connection and a ledger of its own.
struct Centre {
    explicit Centre(const std::string& url) : store(open_store(url)), ledger(*store) {}
    StorePtr store;
    Ledger ledger;
};

// A POP that ships what it spent on every account, going back to the ledger's mark as the real one
// does.
struct Shipping {
    PopId pop{};
    std::uint32_t incarnation = 0;
    Outbox outbox;

    void begin(Ledger& ledger, PopId id, const std::vector<AccountId>& accounts, Nano granted) {
        pop = id;
        incarnation =
            ledger.register_pop(pop, {numbered<InstallId>(raw(id)), 0, 0, {}, {}, 0}, start_ms)
                ->incarnation;
        for (const AccountId account : accounts) {
            const LeaseKey scope{LeaseKey::Kind::account, raw(account)};
            EXPECT_TRUE(ledger.lease(pop, incarnation, {0, true, {{scope, 1, granted, 0, 0, 0}}},
                                     start_ms));
        }
    }
    // Idempotency keys are shared between the POPs: of each only one execution may be charged.
    void spend(const std::vector<AccountId>& accounts, std::uint64_t count, Nano amount) {
        for (std::uint64_t i = 1; i <= count; ++i) {
            storage::Settlement settlement;
            settlement.request_id = request_of(pop, i);
            settlement.idempotency = numbered<IdempotencyId>(i);
            settlement.account = accounts[i % accounts.size()];
            settlement.reservation = {amount, 1, 0, 1};
            settlement.amount = amount;
            outbox.add(settlement);
        }
    }
    // Ships batches of `size` until all are applied; an unanswered one is shipped again.
    void ship_all(Ledger& ledger, std::size_t size, const std::atomic<bool>& give_up) {
        std::uint64_t applied = 0;
        while (applied < outbox.records.size() && !give_up) {
            const Result<ShipReply> reply =
                ledger.ship(pop, incarnation, outbox.batch(applied + 1, size), start_ms);
            if (!reply) {
                ASSERT_TRUE(is_unavailable(reply.error())) << name(reply.error().code);
                std::this_thread::yield();
                continue;
            }
            ASSERT_EQ(reply->rejected, 0u);
            ASSERT_GE(reply->applied, applied);
            applied = reply->applied;
        }
    }
};

constexpr std::uint64_t settlements = 600;
constexpr Nano price = 1'000'003;  // nothing round

class PostgresLedger : public testing::Test {
  protected:
    PostgresLedger() : url_(PostgresCluster::shared().make_database()) {}

    std::vector<AccountId> make_accounts(Ledger& ledger, unsigned count) {
        std::vector<AccountId> accounts;
        for (unsigned i = 0; i < count; ++i) {
            accounts.push_back(
                ledger.create_account("a", *ledger::parse_currency("USD"), start_ms)->id);
            EXPECT_TRUE(ledger.top_up(accounts.back(), 10 * unit, "first", start_ms));
        }
        return accounts;
    }
    // Two POPs ran the same keys: each key is charged once, the other execution is the house's.
    void expect_each_key_charged_once(Ledger& ledger, const std::vector<AccountId>& accounts,
                                      const std::vector<const Shipping*>& pops) {
        Nano spent = 0;
        Nano posted = 0;
        for (const AccountId account : accounts) {
            const ledger::Account found = **ledger.account(account);
            spent += found.spent;
            posted += found.posted;
        }
        EXPECT_EQ(spent, static_cast<Nano>(settlements) * price);
        EXPECT_EQ(posted, static_cast<Nano>(accounts.size()) * 10 * unit - spent);
        const auto house = [&](ledger::House kind) {
            const auto found =
                ledger.account(ledger::house_account(kind, *ledger::parse_currency("USD")));
            return *found ? (*found)->posted : 0;
        };
        EXPECT_EQ(house(ledger::House::duplicate), -spent);
        EXPECT_EQ(house(ledger::House::late_loss), 0);
        for (const Shipping* pop : pops) {
            const ledger::Mark mark = **ledger.mark(pop->pop, pop->incarnation);
            EXPECT_EQ(mark.applied, settlements);
            EXPECT_EQ(mark.chain, pop->outbox.chains.back());
        }
        const Result<LedgerAudit> audit = ledger.check_invariants();
        ASSERT_TRUE(audit);
        EXPECT_TRUE(audit->sound()) << audit->first_problem;
        EXPECT_EQ(audit->rows, accounts.size() + 2 * settlements);
    }

    std::string url_;
};

TEST_F(PostgresLedger, TwoCentresChargeTheSameAccountsOnce) {
    Centre centre(url_);
    const std::vector<AccountId> accounts = make_accounts(centre.ledger, 3);
    Shipping pops[2];
    for (std::uint16_t i = 0; i < 2; ++i) {
        pops[i].begin(centre.ledger, PopId{static_cast<std::uint16_t>(i + 1)}, accounts, 4 * unit);
        pops[i].spend(accounts, settlements, price);
    }
    // Four processes: both POPs' batches go to two centres each, as a queue group deals them.
    const std::atomic<bool> never{false};
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < 4; ++i)
        threads.emplace_back([&, i] {
            Centre own(url_);
            pops[i % 2].ship_all(own.ledger, 16 + 8 * i, never);
        });
    for (std::thread& thread : threads) thread.join();
    expect_each_key_charged_once(centre.ledger, accounts, {&pops[0], &pops[1]});
}

TEST_F(PostgresLedger, TwoCentresNeverGrantMoreThanThereIs) {
    Centre centre(url_);
    const AccountId account = make_accounts(centre.ledger, 1).front();
    std::atomic<Nano> granted{0};
    std::vector<std::thread> threads;
    for (std::uint16_t i = 1; i <= 4; ++i)
        threads.emplace_back([&, i] {
            Centre own(url_);
            const PopId pop{i};
            const std::uint32_t incarnation =
                own.ledger.register_pop(pop, {numbered<InstallId>(i), 0, 0, {}, {}, 0}, start_ms)
                    ->incarnation;
            const LeaseKey scope{LeaseKey::Kind::account, raw(account)};
            Nano total = 0;
            for (int ask = 0; ask < 40; ++ask) {
                const Result<LeaseReply> reply = own.ledger.lease(
                    pop, incarnation, {0, true, {{scope, 1, total + unit / 3, 0, 0, 0}}}, start_ms);
                ASSERT_TRUE(reply);
                total = reply->entries.at(0).granted_total;
            }
            granted += total;
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(granted, 10 * unit);  // all of it, and not a nano-unit more
    EXPECT_EQ((*centre.ledger.account(account))->held, 10 * unit);
    EXPECT_TRUE(centre.ledger.check_invariants()->sound());
}

// The periodic jobs of two centres look at the same leases.
TEST_F(PostgresLedger, TwoCentresReclaimALeaseOnce) {
    Centre first(url_);
    Centre second(url_);
    const std::vector<AccountId> accounts = make_accounts(first.ledger, 20);
    Shipping pop;
    pop.begin(first.ledger, PopId{1}, accounts, unit);
    constexpr std::int64_t hour_ms = 3'600'000;
    std::atomic<unsigned> closed{0};
    std::vector<std::thread> threads;
    for (Centre* centre : {&first, &second})
        threads.emplace_back(
            [&, centre] { closed += *centre->ledger.reclaim(start_ms + hour_ms, 256); });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(closed, accounts.size());
    EXPECT_TRUE(first.ledger.check_invariants()->sound());
    for (const AccountId account : accounts) EXPECT_EQ((*second.ledger.account(account))->held, 0);
}

// kill -9 of the server in the middle of whatever it was doing, again and again: what was answered
// is there, what was not is shipped again and found or applied.
TEST_F(PostgresLedger, AKilledServerLosesNothingAndRepeatsNothing) {
    constexpr unsigned kills = 4;
    std::atomic<bool> up{true};
    std::vector<AccountId> accounts;
    Shipping pops[2];
    {
        Centre centre(url_);
        accounts = make_accounts(centre.ledger, 3);
        for (std::uint16_t i = 0; i < 2; ++i) {
            pops[i].begin(centre.ledger, PopId{static_cast<std::uint16_t>(i + 1)}, accounts,
                          4 * unit);
            pops[i].spend(accounts, settlements, price);
        }
    }
    std::atomic<unsigned> done{0};
    std::atomic<std::uint64_t> answered{0};
    Centre centres[] = {Centre(url_), Centre(url_)};
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < 2; ++i)
        threads.emplace_back([&, i] {
            Centre& centre = centres[i];
            Shipping& pop = pops[i];
            std::uint64_t applied = 0;
            while (applied < settlements) {
                const Result<ShipReply> reply = centre.ledger.ship(
                    pop.pop, pop.incarnation, pop.outbox.batch(applied + 1, 4), start_ms);
                if (!reply) {
                    ASSERT_TRUE(is_unavailable(reply.error())) << name(reply.error().code);
                    up.wait(false);
                    continue;
                }
                ASSERT_EQ(reply->rejected, 0u);
                ASSERT_GE(reply->applied, applied) << "what was answered is gone";
                answered += reply->applied - applied;
                applied = reply->applied;
            }
            ++done;
        });
    // At fixed points of the history, wherever the server is just then.
    for (unsigned kill = 1; kill <= kills && done < 2; ++kill) {
        while (done < 2 && answered < kill * settlements / kills) std::this_thread::yield();
        up = false;
        PostgresCluster::shared().kill_hard();
        PostgresCluster::shared().start();
        up = true;
        up.notify_all();
    }
    for (std::thread& thread : threads) thread.join();
    Centre centre(url_);
    expect_each_key_charged_once(centre.ledger, accounts, {&pops[0], &pops[1]});
}

// A sequence is not rolled back, so the trigger refuses the first three writers and lets the fourth
// through.
TEST_F(PostgresLedger, ARefusedTransactionRunsAgain) {
    for (const char* state : {"40001", "40P01"}) {
        const std::string url = PostgresCluster::shared().make_database();
        Centre centre(url);
        const AccountId account = make_accounts(centre.ledger, 1).front();
        const std::string sql =
            std::string(
                "CREATE SEQUENCE nodex.refusals;"
                "CREATE FUNCTION nodex.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ "
                "BEGIN IF nextval('nodex.refusals') <= 3 THEN RAISE EXCEPTION 'injected' "
                "USING ERRCODE = '") +
            state +
            "'; END IF; RETURN NULL; END $$;"
            "CREATE TRIGGER refuse AFTER INSERT ON nodex.ledger_row "
            "FOR EACH STATEMENT EXECUTE FUNCTION nodex.refuse()";
        PostgresCluster::shared().query(url, sql);
        const Result<Ledger::TopUp> top_up =
            centre.ledger.top_up(account, unit, "second", start_ms);
        ASSERT_TRUE(top_up);
        EXPECT_TRUE(top_up->applied);
        EXPECT_EQ(top_up->account.posted, 11 * unit);
        EXPECT_EQ(PostgresCluster::shared().query(url, "SELECT last_value FROM nodex.refusals"),
                  "4");
        EXPECT_TRUE(centre.ledger.check_invariants()->sound());
    }
}

TEST_F(PostgresLedger, ATransactionThatIsAlwaysRefusedIsGivenUpAndChangesNothing) {
    Centre centre(url_);
    const AccountId account = make_accounts(centre.ledger, 1).front();
    PostgresCluster::shared().query(
        url_,
        "CREATE FUNCTION nodex.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'injected' USING ERRCODE = '40001'; END $$;"
        "CREATE TRIGGER refuse BEFORE INSERT ON nodex.ledger_row "
        "FOR EACH STATEMENT EXECUTE FUNCTION nodex.refuse()");
    const Result<Ledger::TopUp> refused = centre.ledger.top_up(account, unit, "second", start_ms);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(is_unavailable(refused.error()));
    PostgresCluster::shared().query(url_, "DROP TRIGGER refuse ON nodex.ledger_row");
    EXPECT_EQ((*centre.ledger.account(account))->posted, 10 * unit);
    EXPECT_TRUE(centre.ledger.top_up(account, unit, "second", start_ms)->applied);
}

// Every statement but the COMMIT went well, and the constraint that it checks did not hold: an
// error of ours that no repetition mends.
TEST_F(PostgresLedger, AnErrorThatNoRepetitionMendsIsAFailureOfTheStore) {
    Centre centre(url_);
    make_accounts(centre.ledger, 1);
    PostgresCluster::shared().query(url_, "DROP TABLE nodex.ledger_account");
    const auto refused = centre.ledger.create_account("b", *ledger::parse_currency("USD"), 1);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::storage_failed);
    EXPECT_EQ(refused.error().source, ErrorSource::storage);
}

TEST_F(PostgresLedger, AConnectionThatWasLostWhileIdleIsReplacedUnseen) {
    Centre centre(url_);
    const AccountId account = make_accounts(centre.ledger, 1).front();
    PostgresCluster::shared().query(
        url_,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'nodex-central' AND datname = current_database()");
    EXPECT_EQ((*centre.ledger.top_up(account, unit, "second", start_ms)).account.posted, 11 * unit);
}

// As when the primary is now elsewhere: what does not answer, or is nobody, is passed over.
TEST_F(PostgresLedger, TheFirstOfSeveralPlacesThatServesIsTaken) {
    std::string url = url_;
    url.insert(std::string("host=").size(), "/nowhere,");
    EXPECT_NE(open_store(url), nullptr);
    EXPECT_NE(refusal_of("host=/nowhere,/elsewhere dbname=nodex"), "");
}

// A socket that accepts and hangs up: a place where no server is.
class Nobody {
  public:
    Nobody() : folder_(::testing::TempDir() + "nobody_" + std::to_string(::getpid())) {
        std::filesystem::create_directories(folder_);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const std::string path = folder_ + "/.s.PGSQL.5432";
        NX_ASSERT(path.size() < sizeof address.sun_path);
        std::memcpy(address.sun_path, path.c_str(), path.size());
        listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        NX_ASSERT(::bind(listener_, reinterpret_cast<const sockaddr*>(&address),
                         sizeof address) == 0);
        NX_ASSERT(::listen(listener_, 4) == 0);
        thread_ = std::thread([this] {
            for (int peer; (peer = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(peer))
                ++asked_;
        });
    }
    ~Nobody() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
        std::filesystem::remove_all(folder_);
    }
    Nobody(const Nobody&) = delete;
    Nobody& operator=(const Nobody&) = delete;
    [[nodiscard]] const std::string& folder() const { return folder_; }
    [[nodiscard]] int asked() const { return asked_; }

  private:
    std::string folder_;
    int listener_ = -1;
    std::atomic<int> asked_{0};
    std::thread thread_;
};

// What was lost may be a frozen primary, which takes every new connection and answers none: its three
// seconds come after the standby's few milliseconds.
TEST_F(PostgresLedger, ALostConnectionIsMadeAnewAtTheNextPlaceFirst) {
    const Nobody standby;
    std::string url = url_;
    url.insert(url.find(' '), "," + standby.folder());
    Centre centre(url);
    EXPECT_EQ(standby.asked(), 0);
    PostgresCluster::shared().query(
        url_,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'nodex-central' AND datname = current_database()");
    EXPECT_EQ(make_accounts(centre.ledger, 1).size(), 1u);
    EXPECT_EQ(standby.asked(), 1);
}

TEST_F(PostgresLedger, ManyProcessesMakeTheSchemaOnce) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 6; ++i) threads.emplace_back([&] { EXPECT_NE(open_store(url_), nullptr); });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(PostgresCluster::shared().query(url_, "SELECT count(*) FROM nodex.schema_version"),
              std::to_string(migrations_count));
}

TEST_F(PostgresLedger, AnotherSchemaIsRefusedAndAnOlderOneMigratedWhenAsked) {
    open_store(url_);
    PostgresCluster& cluster = PostgresCluster::shared();
    cluster.query(url_, "INSERT INTO nodex.schema_version (version, name) VALUES (1000, 'newer')");
    EXPECT_NE(refusal_of(url_).find("install the newer program"), std::string::npos);
    EXPECT_NE(refusal_of(url_, SchemaPolicy::migrate).find("1000"), std::string::npos);
    // As the program before this one left it.
    cluster.query(url_,
                  "DELETE FROM nodex.schema_version WHERE version > 1;"
                  "DROP TABLE nodex.ledger_claim, nodex.ledger_kek, nodex.ledger_reference,"
                  " nodex.purge_mark");
    EXPECT_NE(refusal_of(url_).find("--migrate"), std::string::npos);
    EXPECT_NE(refusal_of(url_, SchemaPolicy::check).find("--migrate"), std::string::npos);
    EXPECT_NE(open_store(url_, SchemaPolicy::migrate), nullptr);
    EXPECT_NE(open_store(url_, SchemaPolicy::check), nullptr);
}

TEST_F(PostgresLedger, AServerThatMayForgetWhatItCommittedIsRefused) {
    PostgresCluster& cluster = PostgresCluster::shared();
    const std::string database = cluster.query(url_, "SELECT current_database()");
    for (const char* weak : {"off", "local", "remote_write"}) {
        cluster.query(url_, "ALTER DATABASE " + database + " SET synchronous_commit TO " + weak);
        EXPECT_NE(refusal_of(url_).find("synchronous_commit"), std::string::npos) << weak;
    }
    cluster.query(url_, "ALTER DATABASE " + database + " SET synchronous_commit TO remote_apply");
    EXPECT_NE(open_store(url_), nullptr);
}

TEST(DatabaseTarget, OnlyLocalPlacesWithoutTlsAndPasswordsAreAccepted) {
    const auto problem_of = [](const std::string& url) {
        DatabaseTarget target;
        std::string problem;
        const bool accepted = parse_database_target(url, target, problem);
        EXPECT_EQ(accepted, problem.empty()) << url;
        return problem;
    };
    EXPECT_EQ(problem_of("host=/run/postgresql dbname=nodex"), "");
    EXPECT_EQ(problem_of("postgresql://nodex@127.0.0.1:6432/nodex"), "");
    EXPECT_EQ(problem_of("host=/run/a,/run/b port=5432,5433 dbname=nodex sslmode=disable"), "");
    EXPECT_NE(problem_of("host=db.example.com dbname=nodex").find("pgbouncer"), std::string::npos);
    EXPECT_NE(problem_of("host=/run/a,10.0.0.1 dbname=nodex").find("pgbouncer"), std::string::npos);
    EXPECT_NE(problem_of("host=127.0.0.1 dbname=nodex sslmode=require").find("TLS"),
              std::string::npos);
    EXPECT_NE(problem_of("postgresql://nodex:secret@127.0.0.1/nodex").find("password"),
              std::string::npos);
    EXPECT_NE(problem_of("host=/run/a hostaddr=10.0.0.1 dbname=nodex").find("hostaddr"),
              std::string::npos);
    EXPECT_NE(problem_of("service=money").find("service"), std::string::npos);
    EXPECT_NE(problem_of("dbname=nodex").find("host"), std::string::npos);
    EXPECT_NE(problem_of("host=/run/a").find("database"), std::string::npos);
    EXPECT_NE(problem_of("host=/run/a,/run/b,/run/c port=1,2 dbname=nodex").find("port"),
              std::string::npos);
    EXPECT_NE(problem_of("no equals sign").find("connection string"), std::string::npos);
    setenv("PGHOSTADDR", "10.0.0.1", 1);
    EXPECT_NE(problem_of("host=/run/a dbname=nodex").find("PGHOSTADDR"), std::string::npos);
    unsetenv("PGHOSTADDR");
}

TEST(DatabaseTarget, WhatWeForceIsWhatLibpqIsGiven) {
    DatabaseTarget target;
    std::string problem;
    ASSERT_TRUE(parse_database_target("host=/run/a dbname=nodex", target, problem));
    const auto value_of = [&](Bytes keyword) {
        std::string value;
        for (const auto& [name, given] : target.parameters)
            if (name == keyword) value += given;
        return value;
    };
    EXPECT_EQ(value_of("sslmode"), "disable");
    EXPECT_EQ(value_of("gssencmode"), "disable");
    EXPECT_EQ(value_of("target_session_attrs"), "read-write");
}

}  // namespace
}  // namespace nodex::replication
