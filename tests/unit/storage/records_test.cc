// Records: every field survives, every cut and every unknown value is refused.
#include "storage/records.h"

#include <gtest/gtest.h>

#include "storage/keyspace.h"
#include "tests/unit/storage/samples.h"

namespace nodex::storage {
namespace {

// Equal encodings mean equal fields only if no field is forgotten by both sides: every octet that
// can change must change the decoded record's encoding, and every shorter or longer text must be
// refused.
template <class Decode>
void expect_exact(const std::string& bytes, Decode decode) {
    const auto decoded = decode(bytes);
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(encode(*decoded), bytes);
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_FALSE(decode(Bytes(bytes).substr(0, size))) << size;
    EXPECT_EQ(decode(bytes + '\0').error().code, ErrorCode::corrupt);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        std::string changed = bytes;
        changed[i] = static_cast<char>(changed[i] ^ 0x15);
        const auto again = decode(changed);
        if (again) {
            EXPECT_EQ(encode(*again), changed) << "octet " << i << " is not represented";
        }
    }
    std::string other_version = bytes;
    other_version.front() = 9;
    EXPECT_EQ(decode(other_version).error().code, ErrorCode::corrupt);
}

TEST(Records, KeepEveryOctetOfAnOpenRequest) {
    expect_exact(encode(samples::request(77)), decode_open_request);
}
TEST(Records, KeepEveryOctetOfAnAnswer) {
    expect_exact(encode(samples::finish(samples::request(77), 5).answer), decode_answer);
}
TEST(Records, KeepEveryOctetOfASettlement) {
    expect_exact(encode(*samples::finish(samples::request(77), 5).settlement), decode_settlement);
}
// An outbox may hold records of the version before the upgrade: they are shipped as they are.
TEST(Records, ReadASettlementOfVersionOne) {
    Settlement settlement = *samples::finish(samples::request(77), 5).settlement;
    settlement.session = {};
    settlement.sealed_answer = settlement.sealed_request = {};
    std::string bytes = encode(settlement);
    bytes.resize(bytes.size() - SessionId::size - 1);
    bytes.front() = 1;
    const auto decoded = decode_settlement(bytes);
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(encode(*decoded), encode(settlement));
    EXPECT_FALSE(decode_settlement(bytes + '\0'));
}
TEST(Records, ASettlementNamesNoBodyThatIsNone) {
    Settlement settlement = *samples::finish(samples::request(77), 5).settlement;
    settlement.sealed_request.id = {};
    EXPECT_EQ(decode_settlement(encode(settlement))->sealed_request, SealedBody{});
}
TEST(Records, KeepEveryOctetOfLeaseCounters) {
    expect_exact(
        encode(LeaseCounters{.generation = 3, .granted = 1'000, .settled = 20, .returned = 3}),
        decode_lease_counters);
}

TEST(Records, KeepEveryOctetOfABuddyCopy) {
    BuddyCopy copy;
    copy.expires_ms = 1'900'000'000'000;
    copy.owner_life = 77;
    copy.chunks_count = 4;
    copy.open = samples::request(77);
    expect_exact(encode(copy), decode_buddy_copy);
    copy.answer = samples::finish(copy.open, 5).answer;
    expect_exact(encode(copy), decode_buddy_copy);
    EXPECT_EQ(expiry_of_buddy_copy(encode(copy)), copy.expires_ms);
}

TEST(Records, ReadBackTheFieldsThatWereWritten) {
    const OpenRequest request = samples::request(5);
    const auto decoded = decode_open_request(encode(request));
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(decoded->idempotency, request.idempotency);
    EXPECT_EQ(decoded->reservation.amount, 1'000);
    EXPECT_EQ(decoded->output_price, 4'000'000);
    const auto settlement = decode_settlement(encode(*samples::finish(request, 9).settlement));
    ASSERT_TRUE(settlement.has_value());
    EXPECT_EQ(settlement->amount, 9);
    EXPECT_EQ(settlement->units[static_cast<std::size_t>(Unit::output)], 42u);
    EXPECT_EQ(settlement->usage_source, UsageSource::provider);
    const auto answer = decode_answer(encode(samples::finish(request, 9).answer));
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->content_type, "text/event-stream");
    EXPECT_TRUE(answer->complete);
    EXPECT_EQ(answer->chunks_count, 1u);
}

TEST(Records, RefuseValuesOutsideTheirEnumeration) {
    Settlement settlement;
    settlement.outcome = static_cast<Outcome>(static_cast<std::uint8_t>(Outcome::budget_cut) + 1);
    EXPECT_FALSE(decode_settlement(encode(settlement)).has_value());
    settlement.outcome = Outcome::budget_cut;
    EXPECT_TRUE(decode_settlement(encode(settlement)).has_value());
    settlement.usage_source =
        static_cast<UsageSource>(static_cast<std::uint8_t>(UsageSource::none) + 1);
    EXPECT_FALSE(decode_settlement(encode(settlement)).has_value());
}

TEST(Records, TellTheExpiryOfAnAnswerWithoutDecodingIt) {
    Answer answer;
    answer.expires_ms = 123'456'789;
    EXPECT_EQ(expiry_of_answer(encode(answer)), 123'456'789);
    EXPECT_EQ(expiry_of_answer("\x02 another version"), std::nullopt);
    EXPECT_EQ(expiry_of_answer("\x01short"), std::nullopt);
}

TEST(Records, OrderKeysAsNumbers) {
    EXPECT_LT(outbox_key(255).view(), outbox_key(256).view());
    EXPECT_LT(outbox_key(1).view(), outbox_key(UINT64_MAX).view());
    const BodyId body = samples::id<BodyId>(1);
    EXPECT_LT(body_key(body, 9).view(), body_key(body, 1'000'000).view());
    const Journal::Scope scope{Journal::Scope::Kind::key, 12'345};
    EXPECT_EQ(parse_lease_key(lease_key(scope).view()), scope);
    EXPECT_EQ(parse_lease_key("\x02"
                              "12345678"),
              std::nullopt);
    EXPECT_EQ(parse_lease_key("1234"), std::nullopt);
}

}  // namespace
}  // namespace nodex::storage
