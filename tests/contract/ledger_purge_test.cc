// What the ledger destroyed leaves the disk, in both durable stores: body keys of accounts, wrapped
// as they are, are in no file any more once their destruction was purged.
#include <gtest/gtest.h>
#include <string.h>

#include <fstream>

#include "edge/base/limits.h"
#include "replication/body_keys.h"
#include "replication/central/postgres/open_ledger_store.h"
#include "storage/rocks_store.h"
#include "tests/support/postgres_cluster.h"
#include "tests/unit/replication/ledger_world.h"
#include "tests/unit/storage/temporary_directory.h"

namespace nodex::replication::ledger_purge_test {
namespace {

// One read and one search, not octet by octet: sanitizers watch each access of ours.
bool is_in(const std::filesystem::path& path, const std::string& octets) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) return false;  // gone meanwhile: a server works in there
    std::string content(static_cast<std::size_t>(file.tellg()), '\0');
    file.seekg(0).read(content.data(), static_cast<std::streamsize>(content.size()));
    const auto size = static_cast<std::size_t>(file.gcount());
    return memmem(content.data(), size, octets.data(), octets.size()) != nullptr;
}

bool is_in_a_file_of(const std::filesystem::path& folder, const std::string& octets) {
    std::error_code gone;  // a server works in there
    std::filesystem::recursive_directory_iterator each(folder, gone);
    for (; each != std::filesystem::end(each); each.increment(gone)) {
        if (!each->is_regular_file(gone)) continue;
        if (is_in(each->path(), octets)) return true;
    }
    EXPECT_FALSE(gone) << gone.message();
    return false;
}

OpenedLedgerStore open(const LedgerStoreOptions& options) {
    std::string problem;
    auto opened = open_ledger_store(options, system_clock(), problem);
    EXPECT_TRUE(opened) << problem;
    return std::move(*opened);
}

struct OnRocks {
    storage::TemporaryDirectory directory;
    [[nodiscard]] LedgerStoreOptions options() const {
        LedgerStoreOptions options;
        options.rocks.path = directory.path() + "/db";
        options.rocks.free_bytes_min = 0;
        return options;
    }
    [[nodiscard]] bool on_disk(const std::string& octets) const {
        return is_in_a_file_of(directory.path(), octets);
    }
};

// Tables only: the write-ahead log is the operator's (deploy/postgresql.md). All files of a
// database are in a folder of its own; those of other tests' databases are not searched.
struct OnPostgres {
    std::string url = PostgresCluster::shared().make_database();
    std::string folder = PostgresCluster::shared().query(
        url, "SELECT oid FROM pg_database WHERE datname = current_database()");
    [[nodiscard]] LedgerStoreOptions options() const {
        LedgerStoreOptions options;
        options.kind = LedgerStoreKind::postgres;
        options.url = url;
        return options;
    }
    [[nodiscard]] bool on_disk(const std::string& octets) const {
        EXPECT_NE(folder, "");
        PostgresCluster::shared().query(url, "CHECKPOINT");
        return is_in_a_file_of(PostgresCluster::shared().data() / "base" / folder, octets);
    }
};

template <class Place>
struct LedgerPurge : testing::Test {
    Place place;
    OpenedLedgerStore opened = open(place.options());
    Ledger ledger{*opened.ledger};

    ~LedgerPurge() override { opened.close(); }
    AccountId make_account() {
        return ledger.create_account("a", *ledger::parse_currency("USD"), start_ms)->id;
    }
    // As long as a wrapped key, and found nowhere else.
    std::string add_key(AccountId account, char octet, std::int64_t now_ms = start_ms) {
        std::string wrapped = std::string("wrapped-") + octet + std::string(63, octet);
        const auto keys = ledger.body_keys(account);
        EXPECT_TRUE(
            ledger.add_body_key(account, *ledger.next_body_key(*keys, now_ms), wrapped, now_ms));
        return wrapped;
    }
    unsigned purge() {
        const Result<unsigned> purged = opened.purge();
        EXPECT_TRUE(purged);
        return *purged;
    }
};
using Places = testing::Types<OnRocks, OnPostgres>;
TYPED_TEST_SUITE(LedgerPurge, Places);

TYPED_TEST(LedgerPurge, KeysOfAShreddedAccountAreInNoFileAndThoseOfOthersStay) {
    const AccountId leaves = this->make_account();
    const AccountId stays = this->make_account();
    const std::string gone = this->add_key(leaves, 'a');
    const std::string kept = this->add_key(stays, 'b');
    ASSERT_TRUE(this->ledger.shred_account(leaves, start_ms));
    EXPECT_TRUE(this->place.on_disk(gone));  // else this test would show nothing
    EXPECT_EQ(this->purge(), 1u);
    EXPECT_FALSE(this->place.on_disk(gone));
    EXPECT_TRUE(this->place.on_disk(kept));
    EXPECT_EQ(this->ledger.body_keys(stays)->versions.at(0).wrapped, kept);
    EXPECT_EQ(this->purge(), 0u);
}

TYPED_TEST(LedgerPurge, AKeyThatIsOutOfDateGoesWithTheWriteThatDropsIt) {
    const std::int64_t retention_ms = limits::body_key_retention / millisecond;
    const AccountId account = this->make_account();
    const std::string first = this->add_key(account, 'c');
    const std::string second = this->add_key(account, 'd', start_ms + 1);
    EXPECT_EQ(this->purge(), 0u);  // a row that only grew destroyed nothing
    this->add_key(account, 'e', start_ms + retention_ms + 1);
    EXPECT_EQ(this->purge(), 1u);
    EXPECT_FALSE(this->place.on_disk(first));
    EXPECT_TRUE(this->place.on_disk(second));
}

TYPED_TEST(LedgerPurge, ADestructionIsNotForgottenByARestart) {
    const AccountId account = this->make_account();
    const std::string gone = this->add_key(account, 'f');
    ASSERT_TRUE(this->ledger.shred_account(account, start_ms));
    this->opened.close();
    OpenedLedgerStore again = open(this->place.options());
    EXPECT_EQ(*again.purge(), 1u);
    EXPECT_FALSE(this->place.on_disk(gone));
    again.close();
}

TYPED_TEST(LedgerPurge, TwoDestructionsOfOneAccountAreTwo) {
    const AccountId account = this->make_account();
    this->add_key(account, 'g');
    ASSERT_TRUE(this->ledger.shred_account(account, start_ms));
    const std::string second = this->add_key(account, 'h');
    ASSERT_TRUE(this->ledger.shred_account(account, start_ms));
    ASSERT_TRUE(this->ledger.shred_account(account, start_ms));  // nothing was left
    EXPECT_EQ(this->purge(), 2u);
    EXPECT_FALSE(this->place.on_disk(second));
}

// A rewrite would carry the old row over for it: the destruction waits, and is not forgotten.
TEST(LedgerPurgeInPostgres, WaitsForASnapshotOfBefore) {
    const OnPostgres place;
    OpenedLedgerStore opened = open(place.options());
    OpenedLedgerStore other = open(place.options());
    Ledger ledger(*opened.ledger);
    const AccountId account =
        ledger.create_account("a", *ledger::parse_currency("USD"), start_ms)->id;
    const std::string gone(72, 'i');
    ASSERT_TRUE(ledger.add_body_key(account, first_body_key_version, gone, start_ms));
    ASSERT_TRUE(other.ledger->begin(LedgerAccess::read));
    ASSERT_TRUE(other.ledger->get(LedgerTable::meta, "h"));
    ASSERT_TRUE(ledger.shred_account(account, start_ms));
    EXPECT_EQ(*opened.purge(), 0u);
    EXPECT_TRUE(place.on_disk(gone));
    other.ledger->abort();
    EXPECT_EQ(*opened.purge(), 1u);
    EXPECT_FALSE(place.on_disk(gone));
    other.close();
    opened.close();
}

}  // namespace
}  // namespace nodex::replication::ledger_purge_test
