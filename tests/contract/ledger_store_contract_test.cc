// What every LedgerStore promises: the same tests for the one in memory, the ones on RocksDB and on
// the simulated disk, and the one in PostgreSQL, and the same ledger history in each.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "replication/central/ledger_transaction.h"
#include "replication/central/postgres/open_ledger_store.h"
#include "replication/central/rocks_ledger_store.h"
#include "storage/rocks_store.h"
#include "storage/sim_store.h"
#include "tests/support/postgres_cluster.h"
#include "tests/unit/replication/ledger_world.h"

namespace nodex::replication {
namespace {

// A store, and how to close and open it again without losing what was committed.
class StoreMaker {
  public:
    virtual ~StoreMaker() = default;
    virtual LedgerStore& store() = 0;
    virtual void reopen() = 0;
};

OpenedLedgerStore open(const LedgerStoreOptions& options) {
    std::string problem;
    auto opened = open_ledger_store(options, system_clock(), problem);
    NX_ASSERT(opened.has_value());
    return std::move(*opened);
}

class MemoryMaker final : public StoreMaker {
  public:
    LedgerStore& store() override { return store_; }
    void reopen() override {}

  private:
    MemoryLedgerStore store_;
};

class SimMaker final : public StoreMaker {
  public:
    LedgerStore& store() override { return store_; }
    void reopen() override { disk_.lose_power(0); }

  private:
    storage::SimStore disk_;
    RocksLedgerStore store_{disk_};
};

class RocksMaker final : public StoreMaker {
  public:
    RocksMaker() {
        static int number = 0;
        path_ =
            std::filesystem::temp_directory_path() /
            ("nodex_ledger_contract_" + std::to_string(getpid()) + "_" + std::to_string(++number));
        reopen();
    }
    ~RocksMaker() override {
        opened_.close();
        std::filesystem::remove_all(path_);
    }
    LedgerStore& store() override { return *opened_.ledger; }
    void reopen() override {
        opened_.close();
        LedgerStoreOptions options;
        options.rocks.path = path_.string();
        opened_ = open(options);
    }

  private:
    std::filesystem::path path_;
    OpenedLedgerStore opened_;
};

class PostgresMaker final : public StoreMaker {
  public:
    PostgresMaker() : url_(PostgresCluster::shared().make_database()) { reopen(); }
    LedgerStore& store() override { return *opened_.ledger; }
    void reopen() override {
        opened_.close();
        LedgerStoreOptions options;
        options.kind = LedgerStoreKind::postgres;
        options.url = url_;
        opened_ = open(options);
    }

  private:
    std::string url_;
    OpenedLedgerStore opened_;
};

template <class Maker>
class LedgerStoreContract : public testing::Test {
  protected:
    LedgerStore& store() { return maker_.store(); }
    std::optional<std::string> get(LedgerTable table, Bytes key) {
        return *store().get(table, key);
    }
    std::vector<std::string> keys(LedgerTable table, Bytes from, Bytes to,
                                  std::size_t most = SIZE_MAX) {
        std::vector<std::string> keys;
        EXPECT_TRUE(store().scan(table, from, to, [&](Bytes key, Bytes) {
            keys.emplace_back(key);
            return keys.size() < most;
        }));
        return keys;
    }
    Maker maker_;
};
using Makers = testing::Types<MemoryMaker, SimMaker, RocksMaker, PostgresMaker>;
class MakerNames {
  public:
    template <class Maker>
    static std::string GetName(int index) {
        constexpr const char* names[] = {"Memory", "Sim", "Rocks", "Postgres"};
        return names[index];
    }
};
TYPED_TEST_SUITE(LedgerStoreContract, Makers, MakerNames);

TYPED_TEST(LedgerStoreContract, GivesBackWhatWasCommittedAndNothingElse) {
    EXPECT_FALSE(this->get(LedgerTable::row, "a"));
    ASSERT_TRUE(this->store().commit({{LedgerTable::row, "a", "1"}, {LedgerTable::row, "b", ""}}));
    EXPECT_EQ(*this->get(LedgerTable::row, "a"), "1");
    EXPECT_EQ(*this->get(LedgerTable::row, "b"), "");  // empty is not absent
    EXPECT_FALSE(this->get(LedgerTable::usage, "a"));  // tables are apart
    ASSERT_TRUE(this->store().commit(
        {{LedgerTable::row, "a", std::nullopt}, {LedgerTable::row, "b", "2"}}));
    EXPECT_FALSE(this->get(LedgerTable::row, "a"));
    EXPECT_EQ(*this->get(LedgerTable::row, "b"), "2");
}

TYPED_TEST(LedgerStoreContract, AppliesABatchInItsOrder) {
    ASSERT_TRUE(this->store().commit({{LedgerTable::meta, "k", "1"},
                                      {LedgerTable::meta, "k", std::nullopt},
                                      {LedgerTable::meta, "k", "2"}}));
    EXPECT_EQ(*this->get(LedgerTable::meta, "k"), "2");
}

TYPED_TEST(LedgerStoreContract, ScansInByteOrderWithinItsBounds) {
    const std::string high("\xff\x01", 2);
    ASSERT_TRUE(this->store().commit({{LedgerTable::charge, high, "x"},
                                      {LedgerTable::charge, std::string("a\0b", 3), "x"},
                                      {LedgerTable::charge, "a", "x"},
                                      {LedgerTable::charge, "b", "x"}}));
    using Keys = std::vector<std::string>;
    EXPECT_EQ(this->keys(LedgerTable::charge, {}, {}),
              (Keys{"a", std::string("a\0b", 3), "b", high}));
    EXPECT_EQ(this->keys(LedgerTable::charge, "a", "b"), (Keys{"a", std::string("a\0b", 3)}));
    EXPECT_EQ(this->keys(LedgerTable::charge, std::string("a\0", 2), {}, 1),
              (Keys{std::string("a\0b", 3)}));
    EXPECT_EQ(this->keys(LedgerTable::charge, "c", "d"), Keys{});
}

TYPED_TEST(LedgerStoreContract, ScansMoreThanOnePage) {
    LedgerBatch batch;
    std::vector<std::string> expected;
    for (std::uint64_t i = 0; i < 2 * limits::database_scan_rows + 1; ++i) {
        expected.push_back(ledger::row_key(i));
        batch.push_back({LedgerTable::row, expected.back(), "x"});
    }
    ASSERT_TRUE(this->store().commit(batch));
    EXPECT_EQ(this->keys(LedgerTable::row, {}, {}), expected);
    EXPECT_EQ(this->keys(LedgerTable::row, {}, expected.back()).size(), expected.size() - 1);
}

TYPED_TEST(LedgerStoreContract, ReadsManyPlacesAtOnceAndNamesEachOnce) {
    ASSERT_TRUE(this->store().commit({{LedgerTable::row, "a", "1"},
                                      {LedgerTable::charge, "a", "2"},
                                      {LedgerTable::charge, "b", ""}}));
    const std::vector<LedgerPlace> places = {{LedgerTable::charge, "b"},
                                             {LedgerTable::row, "a"},
                                             {LedgerTable::row, "missing"},
                                             {LedgerTable::charge, "a"},
                                             {LedgerTable::row, "a"}};
    std::vector<std::vector<std::string>> found(places.size());
    ASSERT_TRUE(this->store().get_many(places, [&](std::size_t i, std::optional<Bytes> value) {
        found[i].emplace_back(value ? std::string(*value) : "absent");
    }));
    using Values = std::vector<std::vector<std::string>>;
    EXPECT_EQ(found, (Values{{""}, {"1"}, {"absent"}, {"2"}, {"1"}}));
    EXPECT_TRUE(this->store().get_many({}, [](std::size_t, std::optional<Bytes>) { FAIL(); }));
}

TYPED_TEST(LedgerStoreContract, ATransactionThatIsDroppedChangesNothing) {
    ASSERT_TRUE(this->store().commit({{LedgerTable::row, "a", "1"}}));
    {
        LedgerTransaction dropped(this->store());
        EXPECT_TRUE(dropped.get(LedgerTable::row, "a"));
        dropped.put(LedgerTable::row, "a", "2");
    }
    EXPECT_EQ(*this->get(LedgerTable::row, "a"), "1");
    LedgerTransaction kept(this->store());
    EXPECT_EQ(**kept.get(LedgerTable::row, "a"), "1");
    kept.put(LedgerTable::row, "a", "3");
    ASSERT_TRUE(kept.commit());
    EXPECT_EQ(*this->get(LedgerTable::row, "a"), "3");
    LedgerTransaction only_read(this->store());
    EXPECT_EQ(**only_read.get(LedgerTable::row, "a"), "3");
    EXPECT_TRUE(only_read.commit());
}

// A record that settlements share is kept beside its octets: neither may ever be older than the other.
TYPED_TEST(LedgerStoreContract, AKeptRecordIsItsOctetsAlsoBehindASavepoint) {
    ledger::Account account;
    account.id = AccountId{7};
    account.name = "seven";
    const std::string place = ledger::account_key(account.id);
    const auto with = [&account](Nano posted) {
        ledger::Account changed = account;
        changed.posted = posted;
        return changed;
    };
    ASSERT_TRUE(this->store().commit({{LedgerTable::account, place, ledger::encode(with(1))}}));
    LedgerTransaction transaction(this->store());
    const auto expect = [&](Nano posted) {
        const auto found = transaction.find<ledger::Account>(LedgerTable::account, place);
        ASSERT_TRUE(found.has_value() && found->has_value());
        EXPECT_EQ((*found)->posted, posted);
        EXPECT_EQ((*found)->name, "seven");
        EXPECT_EQ(**transaction.get(LedgerTable::account, place), ledger::encode(with(posted)));
    };
    expect(1);
    transaction.keep(LedgerTable::account, place, with(2));
    const std::size_t savepoint = transaction.savepoint();
    transaction.keep(LedgerTable::account, place, with(3));
    expect(3);
    transaction.roll_back(savepoint);
    expect(2);
    transaction.put(LedgerTable::account, place, ledger::encode(with(4)));
    expect(4);
    transaction.erase(LedgerTable::account, place);
    EXPECT_FALSE(transaction.find<ledger::Account>(LedgerTable::account, place)->has_value());
    transaction.roll_back(savepoint);
    transaction.keep(LedgerTable::account, place, with(5));
    ASSERT_TRUE(transaction.commit());
    EXPECT_EQ(*this->get(LedgerTable::account, place), ledger::encode(with(5)));
}

TYPED_TEST(LedgerStoreContract, EveryTableExistsAndSurvivesARestart) {
    LedgerBatch batch;
    for (std::size_t table = 0; table < ledger_tables_count; ++table)
        batch.push_back({static_cast<LedgerTable>(table), "key", std::to_string(table)});
    ASSERT_TRUE(this->store().commit(batch));
    this->maker_.reopen();
    for (std::size_t table = 0; table < ledger_tables_count; ++table)
        EXPECT_EQ(*this->get(static_cast<LedgerTable>(table), "key"), std::to_string(table));
}

// Every step of a small history, then byte for byte the same state as in memory.
TYPED_TEST(LedgerStoreContract, ALedgerIsTheSameInEveryStore) {
    const auto play = [](LedgerStore& store) {
        Ledger ledger(store);
        const AccountId account = ledger.create_account("a", *ledger::parse_currency("USD"), 1)->id;
        EXPECT_TRUE(ledger.top_up(account, 10 * unit, "r", 2));
        const std::uint32_t incarnation =
            ledger.register_pop(PopId{1}, {numbered<InstallId>(1), 0, 0, {}, {}, 0, 1}, 3)
                ->incarnation;
        const LeaseKey scope{LeaseKey::Kind::account, raw(account)};
        EXPECT_TRUE(
            ledger.lease(PopId{1}, incarnation, {0, true, {{scope, 1, 5 * unit, 0, 0, 0}}}, 4));
        Outbox outbox;
        for (std::uint64_t i = 1; i <= 5; ++i) {
            storage::Settlement settlement;
            settlement.request_id = request_of(PopId{1}, i);
            settlement.idempotency = numbered<IdempotencyId>(i % 3 + 1);
            settlement.account = account;
            settlement.reservation = {unit, 1, 0, 1};
            settlement.amount = unit / 2;
            outbox.add(settlement);
        }
        EXPECT_EQ(ledger.ship(PopId{1}, incarnation, outbox.batch(1, 5), 5)->applied, 5u);
        EXPECT_TRUE(ledger.check_invariants()->sound());
    };
    MemoryLedgerStore memory;
    play(memory);
    play(this->store());
    this->maker_.reopen();
    for (std::size_t table = 0; table < ledger_tables_count; ++table) {
        std::map<std::string, std::string> expected;
        std::map<std::string, std::string> found;
        const auto collect = [](std::map<std::string, std::string>& target) {
            return [&target](Bytes key, Bytes value) { return target.emplace(key, value).second; };
        };
        ASSERT_TRUE(memory.scan(static_cast<LedgerTable>(table), {}, {}, collect(expected)));
        ASSERT_TRUE(this->store().scan(static_cast<LedgerTable>(table), {}, {}, collect(found)));
        EXPECT_EQ(found, expected) << table;
    }
    EXPECT_TRUE(Ledger(this->store()).verify()->sound());
}

}  // namespace
}  // namespace nodex::replication
