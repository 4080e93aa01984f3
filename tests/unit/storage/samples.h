// Requests and their ends, as the gateway would make them: everything follows from small numbers.
#pragma once
#include "edge/base/codec.h"
#include "storage/journal.h"
#include "storage/operation.h"

namespace nodex::storage::samples {

template <class Id>
Id id(std::uint64_t number, char kind = 0) {
    std::string bytes(Id::size - 9, '\0');
    bytes.push_back(kind);
    append_ordered(bytes, number);
    return Id::from(bytes);
}

// Request `number` of account 7, key 3, with an idempotency key of its own.
inline OpenRequest request(std::uint64_t number) {
    OpenRequest open;
    open.request_id = id<RequestId>(number);
    open.account = AccountId{7};
    open.key = KeyId{3};
    open.idempotency = id<IdempotencyId>(number, 'i');
    open.fingerprint = id<Fingerprint>(number, 'f');
    open.session = id<SessionId>(number, 's');
    open.reservation = {
        .amount = 1'000, .account_generation = 1, .key_generation = 0, .price_version = 4};
    open.model = 12;
    open.stream = true;
    open.answer = id<BodyId>(number, 'b');
    open.created_ms = 1'000'000;
    open.input_units_estimate = 100;
    open.input_price = 2'000'000;
    open.output_price = 4'000'000;
    return open;
}

inline Finish finish(const OpenRequest& open, Nano amount,
                     std::int64_t expires_ms = 1'900'000'000'000) {
    Finish end;
    end.request_id = open.request_id;
    end.answer.request_id = open.request_id;
    end.answer.fingerprint = open.fingerprint;
    end.answer.session = open.session;
    end.answer.status = 200;
    end.answer.stream = open.stream;
    end.answer.complete = true;
    end.answer.content_type = "text/event-stream";
    end.answer.answer = open.answer;
    end.answer.chunks_count = 1;
    end.answer.events_count = 3;
    end.answer.body_bytes = 300;
    end.answer.charged = amount;
    end.answer.created_ms = open.created_ms;
    end.answer.expires_ms = expires_ms;
    Settlement settlement;
    settlement.request_id = open.request_id;
    settlement.account = open.account;
    settlement.key = open.key;
    settlement.idempotency = open.idempotency;
    settlement.session = open.session;
    settlement.sealed_answer = {open.answer, 321, id<BodyDigest>(7, 'd'), 65'536, expires_ms};
    settlement.sealed_request = {id<BodyId>(7, 'r'), 99, id<BodyDigest>(8, 'd'), 65'537,
                                 expires_ms};
    settlement.reservation = open.reservation;
    settlement.amount = amount;
    settlement.model = open.model;
    settlement.units[static_cast<std::size_t>(Unit::output)] = 42;
    settlement.usage_source = UsageSource::provider;
    settlement.status = 200;
    settlement.answer = open.answer;
    settlement.answer_bytes = 300;
    settlement.created_ms = open.created_ms;
    settlement.settled_ms = open.created_ms + 500;
    end.settlement = settlement;
    return end;
}

// Chunks 0 and 1 of body 1, "one" and "two", and how to read all that it has.
inline void append_two_chunks(AppendOperation& append) {
    append.arena = "onetwo";
    append.chunks.push_back({id<BodyId>(1), 0, 0, 3, 0, 0});
    append.chunks.push_back({id<BodyId>(1), 1, 3, 3, 0, 0});
}
inline void read_body(ReadOperation& read) {
    read.body = id<BodyId>(1);
    read.count = 5;
}

}  // namespace nodex::storage::samples
