// Messages: what is encoded is decoded; what was altered, cut or lies about its counts is refused.
#include "replication/messages.h"

#include <gtest/gtest.h>

#include "edge/base/limits.h"
#include "replication/central/ledger_records.h"
#include "replication/feed_records.h"
#include "storage/zstd_frame.h"

namespace nodex::replication {
namespace {

crypto::SecretKey key_of(std::uint64_t seed) {
    SeededRandom random(seed);
    return crypto::SecretKey::generate(random);
}

template <class Value>
Value filled(std::uint8_t octet) {
    Value value;
    value.octets.fill(octet);
    return value;
}

TEST(Envelope, OpensWhatItSealed) {
    const crypto::SecretKey key = key_of(1);
    const Envelope envelope{MessageType::ship_request, PopId{513}, 7, 9, 11};
    const std::string message = seal(envelope, "payload", key);
    ASSERT_EQ(*claimed_sender(message), PopId{513});
    const Result<OpenedMessage> opened = open(message, key);
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->payload, "payload");
    EXPECT_EQ(opened->envelope.type, MessageType::ship_request);
    EXPECT_EQ(opened->envelope.pop, PopId{513});
    EXPECT_EQ(opened->envelope.incarnation, 7u);
    EXPECT_EQ(opened->envelope.epoch, 9u);
    EXPECT_EQ(opened->envelope.correlation, 11u);
}

TEST(Envelope, RefusesEverySingleAlteredOctet) {
    const crypto::SecretKey key = key_of(1);
    const std::string message = seal({MessageType::lease_reply, PopId{1}, 1, 1, 1}, "payload", key);
    for (std::size_t i = 0; i < message.size(); ++i) {
        std::string altered = message;
        altered[i] = static_cast<char>(altered[i] ^ 0x40);
        EXPECT_FALSE(open(altered, key)) << i;
    }
}

TEST(Envelope, RefusesEveryPrefixAndAnythingAppended) {
    const crypto::SecretKey key = key_of(1);
    const std::string message = seal({MessageType::feed_hint, PopId{1}, 1, 1, 1}, "12345678", key);
    for (std::size_t size = 0; size < message.size(); ++size)
        EXPECT_FALSE(open(message.substr(0, size), key)) << size;
    EXPECT_FALSE(open(message + "x", key));
}

TEST(Envelope, RefusesAnotherPopsKey) {
    const std::string message =
        seal({MessageType::ship_request, PopId{1}, 1, 1, 1}, "payload", key_of(1));
    EXPECT_EQ(open(message, key_of(2)).error().code, ErrorCode::forbidden);
}

TEST(Envelope, TellsWhatItsSenderSpeaks) {
    const crypto::SecretKey key = key_of(1);
    EXPECT_EQ(open(seal({MessageType::feed_hint, PopId{1}, 1, 1, 1}, "12345678", key), key)
                  ->envelope.protocol,
              protocol_version);
    const Envelope newer{MessageType::feed_hint, PopId{1}, 1, 1, 1, protocol_version + 1};
    EXPECT_EQ(open(seal(newer, "12345678", key), key)->envelope.protocol, protocol_version + 1);
}

TEST(Messages, RegistrationGoesBothWays) {
    const RegisterRequest request{filled<InstallId>(3), 4, 9, filled<ChainHash>(5),
                                  filled<ChainHash>(6), 2, 3};
    const Result<RegisterRequest> read = decode_register_request(encode(request));
    ASSERT_TRUE(read);
    EXPECT_EQ(encode(*read), encode(request));
    const RegisterReply reply{
        RegisterVerdict::must_reinstall, 3, 8, filled<ChainHash>(1), 600'000, 77, true};
    const Result<RegisterReply> read_reply = decode_register_reply(encode(reply));
    ASSERT_TRUE(read_reply);
    EXPECT_EQ(encode(*read_reply), encode(reply));
}

TEST(Messages, AnOutboxAppliedBeyondItsEndIsMalformed) {
    RegisterRequest request;
    request.outbox_applied = 2;
    request.outbox_last = 1;
    EXPECT_FALSE(decode_register_request(encode(request)));
}

TEST(Messages, LeasesGoBothWays) {
    LeaseRequest request{
        5, true, {{{LeaseKey::Kind::key, 4}, 2, 100, 30, 20, 10}, {{}, 1, 0, 0, 0, 0}}};
    const Result<LeaseRequest> read = decode_lease_request(encode(request));
    ASSERT_TRUE(read);
    EXPECT_EQ(encode(*read), encode(request));
    LeaseReply reply{5,
                     9,
                     {{{LeaseKey::Kind::key, 4}, 2, 100, 600'000, LeaseState::exhausted, 0},
                      {{LeaseKey::Kind::key, 5}, 2, 100, 600'000, LeaseState::open, 40}}};
    const Result<LeaseReply> read_reply = decode_lease_reply(encode(reply));
    ASSERT_TRUE(read_reply);
    EXPECT_EQ(encode(*read_reply), encode(reply));
    EXPECT_EQ(read_reply->entries[0].returned_total, 0);
    EXPECT_EQ(read_reply->entries[1].returned_total, 40);
}

TEST(Messages, ALeaseReplyOfACentreOfBeforeTellsNothingOfReturns) {
    const LeaseReply reply{5, 9, {{{LeaseKey::Kind::key, 4}, 2, 100, 1, LeaseState::open, 40}}};
    const std::string whole = encode(reply);
    const Result<LeaseReply> before = decode_lease_reply(Bytes(whole).substr(0, whole.size() - 8));
    ASSERT_TRUE(before);
    EXPECT_EQ(before->entries[0].granted_total, 100);
    EXPECT_EQ(before->entries[0].returned_total, 0);
    EXPECT_FALSE(decode_lease_reply(Bytes(whole).substr(0, whole.size() - 1)));
}

TEST(Messages, ANegativeAmountIsMalformed) {
    LeaseRequest request{5, false, {{{LeaseKey::Kind::account, 4}, 2, -1, 0, 0, 0}}};
    EXPECT_FALSE(decode_lease_request(encode(request)));
    LeaseReply reply{5, 9, {{{LeaseKey::Kind::account, 4}, 2, -1, 0, LeaseState::open, 0}}};
    EXPECT_FALSE(decode_lease_reply(encode(reply)));
    reply.entries[0].granted_total = 1;
    reply.entries[0].returned_total = -1;
    EXPECT_FALSE(decode_lease_reply(encode(reply)));
}

TEST(Messages, ShippingGoesBothWaysUpToItsLimit) {
    ShipRequest request{1, filled<ChainHash>(2), {}, 77, 5};
    for (unsigned i = 0; i < limits::ship_records_max; ++i)
        request.records.push_back(std::to_string(i));
    const Result<ShipRequest> read = decode_ship_request(encode(request));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->records, request.records);
    EXPECT_EQ(read->sent_ms, 77);
    EXPECT_EQ(read->steady_from, 5u);
    request.records.push_back("one too many");
    EXPECT_FALSE(decode_ship_request(encode(request)));
    request.records.clear();
    request.first_sequence = 0;
    EXPECT_FALSE(decode_ship_request(encode(request)));
    const ShipReply reply{8, filled<ChainHash>(9), 9, RejectReason::unknown_account};
    const Result<ShipReply> read_reply = decode_ship_reply(encode(reply));
    ASSERT_TRUE(read_reply);
    EXPECT_EQ(encode(*read_reply), encode(reply));
}

ShipRequest batch_of(unsigned records) {
    ShipRequest request{7, filled<ChainHash>(2), {}, 77, 5};
    SeededRandom random(1);
    for (unsigned i = 0; i < records; ++i) {
        storage::Settlement settlement;
        random.fill(settlement.idempotency.octets.data(), settlement.idempotency.octets.size());
        settlement.account = AccountId{7};
        settlement.amount = static_cast<Nano>(i);
        request.records.push_back(storage::encode(settlement));
    }
    return request;
}

TEST(Messages, APackedBatchIsSmallerAndTheSame) {
    for (const unsigned records : {0u, 1u, 9u, limits::ship_records_max}) {
        const std::string plain = encode(batch_of(records));
        const Result<ShipRequest> read = decode_packed_ship_request(pack(plain));
        ASSERT_TRUE(read);
        EXPECT_EQ(encode(*read), plain);
        if (records > 1) {
            EXPECT_LT(3 * pack(plain).size(), plain.size());
        }
    }
}

TEST(Messages, APackedBatchThatWasCutOrHasSomethingBehindItIsMalformed) {
    const std::string packed = pack(encode(batch_of(9)));
    for (std::size_t size = 0; size < packed.size(); ++size) {
        const Result<ShipRequest> cut = decode_packed_ship_request(Bytes(packed).substr(0, size));
        ASSERT_FALSE(cut) << size;
        EXPECT_EQ(cut.error().code, ErrorCode::malformed);
        EXPECT_EQ(cut.error().source, ErrorSource::central);
    }
    EXPECT_FALSE(decode_packed_ship_request(packed + "x"));
    EXPECT_FALSE(decode_packed_ship_request(packed + packed));
    EXPECT_FALSE(decode_packed_ship_request(packed + pack("")));
    const std::string skippable("\x50\x2a\x4d\x18\0\0\0\0", 8);
    EXPECT_FALSE(decode_packed_ship_request(packed + skippable));
    EXPECT_FALSE(decode_packed_ship_request(skippable + packed));
    EXPECT_FALSE(decode_packed_ship_request(encode(batch_of(9)))) << "it is not packed";
    EXPECT_FALSE(decode_packed_ship_request(pack("no batch")));
    EXPECT_FALSE(decode_packed_ship_request(pack(packed))) << "twice";
}

// What is behind a payload's fields is a newer sender's, so only the size decides.
TEST(Messages, APackedBatchUnfoldsUpToItsLimitAndNoFurther) {
    std::string plain = encode(batch_of(1));
    plain.resize(limits::ship_payload_bytes_max, 'x');
    std::string packed = pack(plain);
    ASSERT_TRUE(decode_packed_ship_request(packed));
    plain.push_back('x');
    packed.clear();
    ASSERT_TRUE(storage::append_frame(plain, 1, plain.size(), packed));
    EXPECT_FALSE(decode_packed_ship_request(packed));
}

TEST(Messages, AShipRequestOfAnOlderPopTellsNoTimes) {
    const std::string whole = encode(ShipRequest{3, filled<ChainHash>(2), {"a"}, 77, 5});
    const Result<ShipRequest> read = decode_ship_request(Bytes(whole).substr(0, whole.size() - 16));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->records.size(), 1u);
    EXPECT_EQ(read->sent_ms, 0);
    EXPECT_FALSE(decode_ship_request(Bytes(whole).substr(0, whole.size() - 1)));
}

TEST(Messages, ALyingCountIsRefusedBeforeItCostsMemory) {
    std::string ship = encode(ShipRequest{1, {}, {}, 1, 1});
    ship.replace(ship.size() - 20, 4, "\xff\xff\xff\xff");
    EXPECT_FALSE(decode_ship_request(ship));
    std::string lease = encode(LeaseRequest{1, false, {}});
    lease.replace(lease.size() - 2, 2, std::string("\x00\x10", 2));
    EXPECT_FALSE(decode_lease_request(lease));
    std::string claims = encode(ClaimRequest{7, 1, {}});
    claims.replace(claims.size() - 2, 2, std::string("\x00\x02", 2));
    EXPECT_FALSE(decode_claim_request(claims));
}

ClaimRequest::Entry claim_of(ClaimOp op) {
    return {
        op, AccountId{4}, filled<IdempotencyId>(1), filled<Fingerprint>(2), filled<RequestId>(3),
        7};
}

TEST(Messages, ClaimsGoBothWaysUpToTheirLimit) {
    ClaimRequest request{7, 86'400'000, {}};
    for (unsigned i = 0; i < limits::claim_entries_max; ++i)
        request.entries.push_back(claim_of(static_cast<ClaimOp>(i % 4)));
    const std::string bytes = encode(request);
    ASSERT_LE(bytes.size(), limits::message_bytes_max);
    const Result<ClaimRequest> read = decode_claim_request(bytes);
    ASSERT_TRUE(read);
    EXPECT_EQ(encode(*read), bytes);
    std::string one_more = bytes + bytes.substr(bytes.size() - 75);
    one_more[12] = static_cast<char>((limits::claim_entries_max + 1) & 0xff);
    EXPECT_FALSE(decode_claim_request(one_more));
    ClaimReply reply{{{ClaimResult::held, 2, PopId{3}, 4, filled<RequestId>(5), filled<BodyId>(6),
                       200, 77, 88, true}}};
    const Result<ClaimReply> read_reply = decode_claim_reply(encode(reply));
    ASSERT_TRUE(read_reply);
    EXPECT_EQ(encode(*read_reply), encode(reply));
    reply.entries[0].charged = -1;
    EXPECT_FALSE(decode_claim_reply(encode(reply)));
    const ClaimHint hint{AccountId{4}, filled<IdempotencyId>(1), filled<RequestId>(3)};
    const Result<ClaimHint> read_hint = decode_claim_hint(encode(hint));
    ASSERT_TRUE(read_hint);
    EXPECT_EQ(encode(*read_hint), encode(hint));
}

TEST(Messages, AClaimWithoutAKeyOrOfAnUnknownKindIsMalformed) {
    ClaimRequest request{7, 1, {claim_of(ClaimOp::acquire)}};
    request.entries[0].idempotency = {};
    EXPECT_FALSE(decode_claim_request(encode(request)));
    std::string unknown = encode(ClaimRequest{7, 1, {claim_of(ClaimOp::query)}});
    unknown[14] = 4;
    EXPECT_FALSE(decode_claim_request(unknown));
}

TEST(Messages, UnknownTrailingOctetsAreIgnored) {
    EXPECT_TRUE(decode_feed_hint(encode(FeedHint{4}) + "newer field"));
    EXPECT_EQ(decode_query_reply(encode(QueryReply{200, "{}"}) + "x")->json, "{}");
}

TEST(FeedRecords, EveryKindGoesBothWays) {
    const AccountRecord account{AccountId{4}, AccountState::blocked, 2, 3, ClaimMode::strict};
    auto read = decode_feed_record(encode(account));
    ASSERT_TRUE(read);
    EXPECT_EQ(encode(std::get<AccountRecord>(*read)), encode(account));
    KeyRecord key{KeyId{1},
                  AccountId{4},
                  filled<KeyHash>(7),
                  KeyState::suspended,
                  IdempotencyPolicy::generate,
                  12,
                  true,
                  {1, 2, 3},
                  {4, 5}};
    read = decode_feed_record(encode(key));
    ASSERT_TRUE(read);
    EXPECT_EQ(encode(std::get<KeyRecord>(*read)), encode(key));
    ModelEntry model;
    model.number = 3;
    model.id = "gpt-5.4";
    model.aliases = {"a", "b"};
    model.prices[0] = 42;
    read = decode_feed_record(encode(model));
    ASSERT_TRUE(read);
    EXPECT_EQ(encode(std::get<ModelEntry>(*read)), encode(model));
    model.prices[0] = -1;
    EXPECT_FALSE(decode_feed_record(encode(model)));
}

// Any octet but 0 was taken for true, so two records that differ meant the same: what is stored and
// compared by its bytes is canonical.
TEST(Records, AFlagIsZeroOrOne) {
    constexpr std::size_t has_budget = 1 + 8 + 8 + 32 + 1 + 1 + 8;
    KeyRecord record;
    record.id = KeyId{1};
    record.account = AccountId{4};
    std::string key = encode(record);
    constexpr std::size_t open = 1 + 1 + 4;
    std::string lease = ledger::encode(ledger::Lease{{{1, true}}});
    ledger::Lease decoded;
    for (const char flag : {'\0', '\1', '\2', '\xff'}) {
        key[has_budget] = lease[open] = flag;
        const bool known = flag == 0 || flag == 1;
        EXPECT_EQ(decode_feed_record(key).has_value(), known);
        EXPECT_EQ(ledger::decode(lease, decoded).has_value(), known);
    }
}

// Once a field of accounts was added, and no POP of before could follow the feed any more.
TEST(FeedRecords, ARecordOfANewerVersionIsReadAsFarAsItIsKnown) {
    const AccountRecord account{AccountId{4}, AccountState::blocked, 2, 3, ClaimMode::strict};
    const auto read = decode_feed_record(encode(account) + "a newer field");
    ASSERT_TRUE(read);
    EXPECT_EQ(encode(std::get<AccountRecord>(*read)), encode(account));
    KeyRecord key;
    key.id = KeyId{1};
    key.account = AccountId{4};
    key.state = KeyState::revoked;
    const auto read_key = decode_feed_record(encode(key) + "a newer field");
    ASSERT_TRUE(read_key);
    EXPECT_EQ(encode(std::get<KeyRecord>(*read_key)), encode(key));
    ModelEntry model;
    model.number = 3;
    model.id = "gpt-5.4";
    const auto read_model = decode_feed_record(encode(model) + "a newer field");
    ASSERT_TRUE(read_model);
    EXPECT_EQ(encode(std::get<ModelEntry>(*read_model)), encode(model));
    EXPECT_TRUE(std::holds_alternative<UnknownRecord>(*decode_feed_record("\x7fwhatever")));
}

TEST(FeedRecords, ARecordOfAnOlderVersionHasDefaultsForWhatItLacks) {
    std::string bytes =
        encode(AccountRecord{AccountId{4}, AccountState::active, 2, 3, ClaimMode::strict});
    bytes.pop_back();  // as before an account had a mode of claims
    const auto read = decode_feed_record(bytes);
    ASSERT_TRUE(read);
    EXPECT_EQ(std::get<AccountRecord>(*read).claims, ClaimMode::node);
    bytes.pop_back();  // never written by anyone
    EXPECT_FALSE(decode_feed_record(bytes));
}

TEST(FeedRecords, AnUnknownStateIsReadAsTheStrictestKnown) {
    std::string account = encode(AccountRecord{AccountId{4}});
    account[9] = 99;                   // state
    account[account.size() - 1] = 99;  // mode of claims
    const AccountRecord read = std::get<AccountRecord>(*decode_feed_record(account));
    EXPECT_EQ(read.state, AccountState::blocked);
    EXPECT_EQ(read.claims, ClaimMode::strict);
    KeyRecord any;
    any.id = KeyId{1};
    any.account = AccountId{4};
    std::string key = encode(any);
    key[1 + 8 + 8 + KeyHash::size] = 99;
    key[1 + 8 + 8 + KeyHash::size + 1] = 99;
    const KeyRecord read_key = std::get<KeyRecord>(*decode_feed_record(key));
    EXPECT_EQ(read_key.state, KeyState::suspended);
    EXPECT_EQ(read_key.policy, IdempotencyPolicy::required);
}

}  // namespace
}  // namespace nodex::replication
