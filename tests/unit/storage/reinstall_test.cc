// Reinstall: the old outbox is in a file before the new history begins; a crash at any point leaves
// one of the two; no sequence number is used by two records of one install.
#include "storage/reinstall.h"

#include <gtest/gtest.h>

#include <fstream>

#include "storage/keyspace.h"
#include "tests/unit/storage/journal_on_disk.h"
#include "tests/unit/storage/samples.h"
#include "tests/unit/storage/temporary_directory.h"

namespace nodex::storage {
namespace {

class ReinstallTest : public JournalOnDisk {
  protected:
    void claim(std::uint64_t number) {
        EXPECT_TRUE(journal->claim(samples::request(number), {}, 1, batch).has_value());
        write();
    }
    void settle(std::uint64_t number) {
        claim(number);
        EXPECT_TRUE(
            journal->finish(samples::finish(samples::request(number), 5), batch).has_value());
        write();
    }
    std::vector<std::string> lines(const std::string& path) {
        std::vector<std::string> all;
        std::ifstream file(path);
        for (std::string line; std::getline(file, line);) all.push_back(line);
        return all;
    }
    TemporaryDirectory directory;
};

TEST_F(ReinstallTest, SetsTheOutboxAsideAndBeginsAnew) {
    for (std::uint64_t number = 1; number <= 3; ++number) settle(number);
    ASSERT_TRUE(journal->truncate_outbox(1, 1, batch).has_value());
    write();
    const InstallId before = journal->install_id();
    const auto done = reinstall(*journal, store, random, directory.path());
    ASSERT_TRUE(done.has_value());
    EXPECT_EQ(done->records, 3u);
    EXPECT_EQ(done->unapplied, 2u);
    const auto text = lines(done->path);
    ASSERT_EQ(text.size(), 3u);
    EXPECT_NE(text[0].find(R"({"sequence":1,"applied":true,"request_id":")"), std::string::npos);
    EXPECT_NE(text[2].find(R"("amount_nano":5,)"), std::string::npos);
    EXPECT_NE(done->path.find(to_hex(before.view())), std::string::npos);
    reopen();
    EXPECT_EQ(journal->install_id(), done->install);
    EXPECT_NE(journal->install_id(), before);
    EXPECT_EQ(journal->outbox().last, 0u);
    EXPECT_TRUE(journal->lease_scopes().empty());
    settle(4);
    EXPECT_EQ(journal->outbox().last, 1u);
    EXPECT_EQ(journal->look_up(samples::request(2), 1, batch)->verdict, ClaimVerdict::finished)
        << "answers stay";
}

TEST_F(ReinstallTest, ACrashBeforeTheWriteLeavesTheOldHistoryAndTheNextCallDoesIt) {
    for (std::uint64_t number = 1; number <= 3; ++number) settle(number);
    const InstallId before = journal->install_id();
    for (const bool reaches_disk : {false, true}) {
        store.fail_write_after(0, ErrorCode::storage_failed, reaches_disk);
        EXPECT_FALSE(reinstall(*journal, store, random, directory.path()));
        store.crash_process();
        reopen();
        const bool begun = journal->install_id() != before;
        EXPECT_EQ(begun, reaches_disk);
        EXPECT_EQ(journal->outbox().last, begun ? 0u : 3u) << "never a mixture";
    }
    const auto text = lines(directory.path() + "/outbox-" + to_hex(before.view()) + ".jsonl");
    EXPECT_EQ(text.size(), 3u);
}

TEST_F(ReinstallTest, RefusesWhileRequestsAreOpen) {
    claim(1);
    EXPECT_EQ(reinstall(*journal, store, random, directory.path()).error().code,
              ErrorCode::forbidden);
}

TEST_F(ReinstallTest, ChangesNothingWhenTheFileCannotBeWritten) {
    settle(1);
    EXPECT_EQ(reinstall(*journal, store, random, directory.path() + "/nowhere").error().code,
              ErrorCode::io_failure);
    reopen();
    EXPECT_EQ(journal->outbox().last, 1u);
}

}  // namespace
}  // namespace nodex::storage
