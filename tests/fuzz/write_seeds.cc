// Writes seeds of our own layouts: write_seeds DIRECTORY, tests/fuzz/corpus. Not part of a build:
// run by hand when a layout is new or its version goes up (`fuzz_corpus` fails then), and the files
// are committed.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "replication/body_keys.h"
#include "replication/body_messages.h"
#include "replication/central/ledger_records.h"
#include "replication/central/operator_seal.h"
#include "replication/feed_records.h"
#include "replication/peer_messages.h"
#include "storage/chunk_codec.h"
#include "storage/keyspace.h"
#include "storage/outbox_retention.h"
#include "storage/records.h"

namespace nodex::fuzz {
namespace {

using namespace replication;

constexpr std::int64_t time_ms = 1'790'000'000'000;

template <class Id>
Id numbered(std::uint8_t number) {
    Id id;
    id.octets.fill(number);
    return id;
}

struct Folder {
    std::filesystem::path path;
    // `decoder`: its place in the table.
    void write(const char* name, unsigned decoder, Bytes record) const {
        std::filesystem::create_directories(path);
        std::ofstream file(path / name, std::ios::binary);
        file << static_cast<char>(decoder) << record;
        std::printf("%s\n", (path / name).c_str());
    }
};

storage::OpenRequest open_request() {
    storage::OpenRequest open;
    open.request_id = numbered<RequestId>(1);
    open.account = AccountId{7};
    open.key = KeyId{8};
    open.idempotency = numbered<IdempotencyId>(2);
    open.reservation = {5'000, 1, 2, 3};
    open.stream = true;
    open.answer = numbered<BodyId>(3);
    open.created_ms = time_ms;
    return open;
}
storage::Answer answer() {
    storage::Answer answer;
    answer.request_id = numbered<RequestId>(1);
    answer.status = 200;
    answer.stream = answer.complete = true;
    answer.content_type = "text/event-stream";
    answer.answer = numbered<BodyId>(3);
    answer.chunks_count = 2;
    answer.events_count = 9;
    answer.expires_ms = time_ms + 1;
    return answer;
}
storage::SealedBody sealed_body() {
    return {numbered<BodyId>(3), 4'096, numbered<storage::BodyDigest>(4), 65'537, time_ms + 1};
}

void write_records(const Folder& folder) {
    storage::BuddyCopy copy{time_ms + 1, 11, 1, open_request(), {}};
    folder.write("buddy_copy", 6, encode(copy));
    copy.answer = answer();
    folder.write("buddy_copy_ended", 6, encode(copy));
    storage::Settlement settlement;
    settlement.request_id = numbered<RequestId>(1);
    settlement.account = AccountId{7};
    settlement.amount = 4'000;
    settlement.sealed_answer = settlement.sealed_request = sealed_body();
    folder.write("settlement_of_bodies", 2, encode(settlement));
    storage::OutboxRetention retention(3);
    folder.write("retention", 7, retention.encode());
    retention.applied(10, time_ms);
    retention.applied(20, time_ms + 3'600'000);
    folder.write("retention_of_spans", 7, retention.encode());
    std::string plain, compressed;
    storage::encode_chunk("data: {}\n\n", plain);
    storage::encode_chunk(std::string(2 * storage::compressed_chunk_bytes_min, 'x'), compressed);
    folder.write("chunk", 8, plain);
    folder.write("chunk_compressed", 8, compressed);
    std::string key_record("\1\0\0\1\0", 5);  // its format and a key's version
    key_record.resize(5 + 7 + 16 + 72, 'k');
    folder.write("key_record", 9, key_record);
    folder.write("lease_row_key", 10,
                 storage::lease_key({storage::Journal::Scope::Kind::key, 8}).view());
    folder.write("chunk_row_key", 11, storage::body_key(numbered<BodyId>(3), 258).view());
}

void write_ledger_records(const Folder& folder) {
    ledger::Account account;
    account.id = AccountId{7};
    account.name = "customer";
    account.currency = *ledger::parse_currency("USD");
    account.posted = 10 * nano_per_unit;
    account.claims = ClaimMode::strict;
    const std::string encoded = encode(account);
    folder.write("account", 0, encoded);
    folder.write("account_of_before_claims", 0, encoded.substr(0, encoded.size() - 1));
    ledger::Key key;
    key.id = KeyId{8};
    key.account = AccountId{7};
    key.name = "key";
    key.has_budget = true;
    key.models = {1, 2};
    folder.write("key", 1, encode(key));
    folder.write(
        "lease", 2,
        encode(ledger::Lease{{{1, false, 9, 8, 1, 0, time_ms}, {2, true, 5, 0, 0, 0, time_ms}}}));
    folder.write("charge", 3, encode(ledger::Charge{numbered<RequestId>(1), 4'000, 12}));
    ledger::Row row;
    row.index = 12;
    row.kind = ledger::RowKind::charge;
    row.currency = account.currency;
    row.reference = "payment";
    folder.write("row", 4, encode(row));
    ledger::Model model;
    model.entry.number = 1;
    model.entry.id = "gpt";
    model.entry.aliases = {"alias"};
    folder.write("model", 5, encode(model));
    folder.write("price_list", 6, encode(ledger::PriceList{3, 1, {1, 2, 3}, time_ms}));
    folder.write("mark", 7, encode(ledger::Mark{12, numbered<ChainHash>(5), time_ms}));
    ledger::Reference reference;
    reference.request = numbered<RequestId>(1);
    reference.answer = reference.sent = sealed_body();
    folder.write("reference", 8, encode(reference));
    folder.write("restoration", 9, encode(ledger::Restoration{2, 12, time_ms}));
    ledger::Claim claim;
    claim.state = ledger::ClaimState::done;
    claim.request = numbered<RequestId>(1);
    folder.write("claim", 10, encode(claim));
    folder.write("head", 11, encode(ledger::Head{1, 1, 1, 3, 5, 12, numbered<ChainHash>(5), 1}));
    folder.write("body_keys", 12, encode(ledger::BodyKeys{65'537, {{65'537, time_ms, "wrapped"}}}));
    folder.write("erasure", 13,
                 encode(ledger::Erasure{PopId{1}, numbered<BodyId>(3), {}, time_ms, time_ms + 1}));
    folder.write("pop_state", 14, encode(ledger::PopState{time_ms, 1, "report"}));
}

void write_messages(const Folder& folder) {
    folder.write(
        "envelope", 12,
        seal({MessageType::ship_request, PopId{1}, 1, 1, 1}, "payload", crypto::SecretKey()));
    const std::string sealed(crypto::wrapped_key_bytes, 's');
    folder.write("register_request", 0,
                 encode(RegisterRequest{numbered<InstallId>(6), 3, 12, numbered<ChainHash>(5),
                                        numbered<ChainHash>(7), 1, 2}));
    RegisterReply registered;
    registered.incarnation = 1;
    registered.restored = true;
    folder.write("register_reply", 1, encode(registered));
    folder.write("body_key_request", 16, encode(BodyKeyRequest{{{AccountId{7}, 65'536}}}));
    folder.write("body_key_reply", 17,
                 encode(BodyKeyReply{{{AccountId{7}, 1, 65'536, {{65'537, sealed}}}}}));
    CopyRequest copy{11, {{}}};
    CopyRequest::Piece& piece = copy.pieces.front();
    piece.account = AccountId{7};
    piece.idempotency = numbered<IdempotencyId>(2);
    piece.request = numbered<RequestId>(1);
    piece.open = encode(open_request());
    piece.key_record = "key record";
    piece.answer = encode(answer());
    piece.chunks = {"one", "two"};
    folder.write("copy_request_whole", 21, encode(copy));
    storage::Settlement settlement;
    settlement.request_id = numbered<RequestId>(1);
    settlement.account = AccountId{7};
    const std::string record = encode(settlement);
    folder.write("packed_ship_request", 31,
                 pack(encode(ShipRequest{1, numbered<ChainHash>(5), {record, record}, time_ms, 1})));
}

void write_sealed(const Folder& folder) {
    const crypto::SecretKey key;  // of zeros, as the decoders' table has it
    SealedCommand command{PopId{7}, time_ms, "alice", numbered<CommandId>(8), {}};
    seal_command(command, key, R"({"command":"account.list","args":{}})");
    folder.write("sealed_command", 29, encode(command));
    SeededRandom random(1);
    folder.write("sealed_reply", 30, seal_reply({}, key, {200, R"({"result":{}})"}, random));
    folder.write("reference_request_sealed", 25,
                 encode(ReferenceRequest{numbered<RequestId>(1), encode(command)}));
}

}  // namespace
}  // namespace nodex::fuzz

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: write_seeds DIRECTORY\n");
        return 2;
    }
    const std::filesystem::path corpus = argv[1];
    nodex::fuzz::write_records({corpus / "records"});
    nodex::fuzz::write_ledger_records({corpus / "ledger_records"});
    nodex::fuzz::write_messages({corpus / "messages"});
    nodex::fuzz::write_sealed({corpus / "messages"});
}
