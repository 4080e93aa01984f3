// Recovery: what a restart makes of requests that were running.
#include "storage/recovery.h"

#include <gtest/gtest.h>

#include "storage/keyspace.h"
#include "tests/unit/storage/journal_on_disk.h"
#include "tests/unit/storage/samples.h"
#include "tests/unit/storage/temporary_directory.h"

namespace nodex::storage {
namespace {

constexpr AccountId account{7};

class RecoveryTest : public JournalOnDisk {
  protected:
    RecoveryTest() {
        auto made = Vault::open(directory.path() + "/node.key", true, random);
        NX_ASSERT(made.has_value());
        vault = std::move(*made);
        vault->activate(vault->wrap(account, 1, crypto::SecretKey::generate(random), random));
        options.now_ms = 5'000'000;
        options.answer_lifetime_ms = 86'400'000;
    }
    // A running request whose answer log holds these chunks, as the crash left it.
    OpenRequest run(std::uint64_t number, const std::vector<std::string>& chunks,
                    bool last_sealed = false) {
        OpenRequest request = samples::request(number);
        auto writer = vault->create_body(account, 1, random);
        NX_ASSERT(writer.has_value());
        request.answer = writer->id();
        EXPECT_TRUE(journal->claim(request, {}, 1, batch).has_value());
        for (std::size_t i = 0; i < chunks.size(); ++i) {
            std::string sealed;
            writer->seal(chunks[i], last_sealed && i + 1 == chunks.size(), sealed);
            journal->append_chunk(request.answer, static_cast<std::uint32_t>(i), sealed,
                                  i == 0 ? Bytes(writer->key_record()) : Bytes(), batch);
        }
        write();
        return request;
    }
    RecoverySummary restart_and_recover() {
        reopen();
        auto done = recover(*journal, store, *vault, options);
        EXPECT_TRUE(done.has_value());
        return *done;
    }
    Settlement settled(std::uint64_t sequence) {
        auto entries = journal->read_outbox(sequence, 1, 1 << 20);
        NX_ASSERT(entries.has_value() && entries->size() == 1);
        return *decode_settlement(entries->front().record);
    }

    TemporaryDirectory directory;
    std::unique_ptr<Vault> vault;
    RecoveryOptions options;
};

TEST_F(RecoveryTest, ReleasesARequestOfWhichNothingWasLogged) {
    OpenRequest request = run(1, {});
    const auto summary = restart_and_recover();
    EXPECT_EQ(summary.released, 1u);
    EXPECT_EQ(summary.settled, 0u);
    EXPECT_EQ(journal->outbox().last, 0u) << "nothing is charged";
    EXPECT_EQ(journal->open_count(), 0u);
    request.request_id = samples::id<RequestId>(2);
    EXPECT_EQ(journal->look_up(request, options.now_ms, batch)->verdict, ClaimVerdict::granted);
}

TEST_F(RecoveryTest, SettlesWhatWasLoggedAndKeepsItForReplay) {
    const std::vector<std::string> chunks = {"id: evt_00001\ndata: 12345678\n\n",
                                             "id: evt_00002\ndata: 1234\n\nid: evt_00003\nda"};
    OpenRequest request = run(1, chunks);
    const auto summary = restart_and_recover();
    EXPECT_EQ(summary.settled, 1u);
    // 9 + 5 octets of payload: 4 units; (100 * 2'000'000 + 4 * 4'000'000) / 1'000'000 = 216.
    EXPECT_EQ(summary.charged, 216);
    const Settlement settlement = settled(1);
    EXPECT_EQ(settlement.amount, 216);
    EXPECT_EQ(settlement.overrun, 0);
    EXPECT_EQ(settlement.usage_source, UsageSource::counted);
    EXPECT_EQ(settlement.outcome, Outcome::upstream_lost);
    EXPECT_EQ(settlement.units[static_cast<std::size_t>(Unit::output)], 4u);
    EXPECT_EQ(journal->lease({Journal::Scope::Kind::account, 7})->settled, 216);

    request.request_id = samples::id<RequestId>(2);
    const auto found = journal->look_up(request, options.now_ms, batch);
    ASSERT_EQ(found->verdict, ClaimVerdict::finished);
    EXPECT_FALSE(found->answer->complete);
    EXPECT_EQ(found->answer->status, 200);
    EXPECT_EQ(found->answer->chunks_count, 2u);
    EXPECT_EQ(found->answer->events_count, 2u) << "the third was cut";
    EXPECT_EQ(found->answer->expires_ms, options.now_ms + options.answer_lifetime_ms);
    auto reader = vault->open_body(account, request.answer, found->key_record);
    ASSERT_TRUE(reader.has_value());
    std::string body;
    for (std::uint32_t i = 0; i < 2; ++i)
        ASSERT_TRUE(reader->open(
            i, false, **store.get(Family::body, body_key(request.answer, i).view()), body));
    EXPECT_EQ(body, chunks[0] + chunks[1]);
}

TEST_F(RecoveryTest, NeverChargesMoreThanWasReserved) {
    run(1, {"id: evt_00001\ndata: " + std::string(4'000, 'x') + "\n\n"});
    const auto summary = restart_and_recover();
    EXPECT_EQ(summary.charged, 1'000);
    // 4'001 octets: 1'001 units; 200 + 4'004 = 4'204.
    EXPECT_EQ(settled(1).overrun, 3'204);
}

TEST_F(RecoveryTest, ReadsALogWhoseLastChunkWasSealedAsTheLast) {
    run(1, {"one", "two"}, true);
    restart_and_recover();
    EXPECT_EQ(settled(1).answer_bytes, 6u);
}

TEST_F(RecoveryTest, SettlesOnlyTheReadablePartOfADamagedLog) {
    const OpenRequest request = run(1, {"data: 1234\n\n", "data: 5678\n\n"});
    ASSERT_TRUE(store.corrupt_value(Family::body, body_key(request.answer, 1).view()));
    const auto summary = restart_and_recover();
    EXPECT_EQ(summary.unreadable, 1u);
    EXPECT_EQ(settled(1).units[static_cast<std::size_t>(Unit::output)], 2u);
    EXPECT_EQ(journal->open_count(), 0u);
}

TEST_F(RecoveryTest, ChargesNoOutputThatCannotBeReadWhenTheAccountKeyIsGone) {
    run(1, {"data: 1234\n\n"});
    vault->shred(account);
    const auto summary = restart_and_recover();
    EXPECT_EQ(summary.unreadable, 1u);
    EXPECT_EQ(settled(1).amount, 200) << "the input, which was sent";
}

TEST_F(RecoveryTest, LeavesEverythingOpenWhenTheWriteFailsAndDoesItAgain) {
    run(1, {"data: 1234\n\n"});
    run(2, {});
    reopen();
    store.fail_write_after(0, ErrorCode::storage_full, false);
    EXPECT_EQ(recover(*journal, store, *vault, options).error().code, ErrorCode::storage_full);
    store.crash_process();
    const auto summary = restart_and_recover();
    EXPECT_EQ(summary.settled, 1u);
    EXPECT_EQ(summary.released, 1u);
    reopen();
    EXPECT_TRUE(journal->recovered().empty());
    EXPECT_EQ(journal->outbox().last, 1u) << "charged once";
}

TEST_F(RecoveryTest, CountsANonStreamAnswerByItsBytes) {
    OpenRequest request = samples::request(1);
    request.stream = false;
    EXPECT_EQ(count_four_bytes_a_unit("12345", request).output_units, 2u);
    EXPECT_EQ(count_four_bytes_a_unit("12345", request).events, 0u);
    EXPECT_EQ(count_four_bytes_a_unit("", request).output_units, 0u);
    request.stream = true;
    EXPECT_EQ(count_four_bytes_a_unit("id: evt_00001\r\ndata: abc\r\n\r\n: comment\n\n", request)
                  .output_units,
              1u);
    EXPECT_EQ(
        count_four_bytes_a_unit("id: evt_00001\r\ndata: abc\r\n\r\n: comment\n\n", request).events,
        1u);
}

}  // namespace
}  // namespace nodex::storage
