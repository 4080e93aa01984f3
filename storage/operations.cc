// What each operation does when it is committed. An operation that refuses has added nothing to the
// batch: the verb that may refuse comes first, chunks after it (a batch is atomic, so their order
// does not matter).
#include "storage/keyspace.h"
#include "storage/operation.h"

namespace nodex::storage {

Status ClaimOperation::apply(Journal& journal, Store& store, Batch& batch, std::int64_t now_ms) {
    // When space runs low new work is refused while what runs may still be settled; joins and
    // replays cost none.
    const bool may_claim = !look_up_only && !store.low_on_space();
    auto result = may_claim ? journal.claim(request, owner, now_ms, batch)
                            : journal.look_up(request, now_ms, batch);
    if (!result) return result.error();
    outcome = std::move(*result);
    if (outcome.verdict == ClaimVerdict::granted && !may_claim && !look_up_only)
        return Error{ErrorCode::storage_full, ErrorSource::storage, true};
    return {};
}

// A stored answer is the same whether or not there is room for new ones. A running one is not joined: what
// it still produces cannot become durable, and the running claim may be of the write that failed.
Status ClaimOperation::apply_read_only(Journal& journal, Store&, std::int64_t now_ms, Error failure) {
    auto result = journal.look_up(request, now_ms, {});
    if (!result) return result.error();
    const bool stored =
        result->verdict == ClaimVerdict::finished || result->verdict == ClaimVerdict::mismatch;
    if (!stored) return failure;
    outcome = std::move(*result);
    return {};
}

Status AppendOperation::apply(Journal& journal, Store&, Batch& batch, std::int64_t) {
    const Bytes bytes = arena;
    for (const Chunk& chunk : chunks)
        journal.append_chunk(chunk.body, chunk.number,
                             bytes.substr(chunk.sealed_offset, chunk.sealed_size),
                             bytes.substr(chunk.key_record_offset, chunk.key_record_size), batch);
    return {};
}

Status FinishOperation::apply(Journal& journal, Store&, Batch& batch, std::int64_t) {
    const Status finished = journal.finish(finish, batch);
    if (!finished) return finished;
    Bytes key = key_record;
    for (const Chunk& chunk : chunks) {
        journal.append_chunk(body, chunk.number, chunk.sealed, key, batch);
        key = {};
    }
    return {};
}

// Open row, answer, settlement and two leases besides the chunks.
Operation::Extent FinishOperation::extent() const noexcept {
    Extent extent{5 + chunks.size(), key_record.size()};
    for (const Chunk& chunk : chunks) extent.bytes += chunk.sealed.size();
    return extent;
}

Status ReleaseOperation::apply(Journal& journal, Store&, Batch& batch, std::int64_t) {
    return journal.release(request_id, batch);
}

// Point reads, not a scan: body files overlap (they are never rewritten), and a point read asks
// their bloom filters where a scan would open every one of them.
Status ReadOperation::apply(Journal& journal, Store& store, Batch&, std::int64_t now_ms) {
    return apply_read_only(journal, store, now_ms, {});
}

Status ReadOperation::apply_read_only(Journal&, Store& store, std::int64_t, Error) {
    chunks.clear();
    std::size_t bytes = 0;
    for (std::uint32_t i = 0; i < count && bytes < bytes_max; ++i) {
        auto chunk = store.get(Family::body, body_key(body, first + i).view());
        if (!chunk) return chunk.error();
        if (!chunk->has_value()) break;
        bytes += (*chunk)->size();
        chunks.push_back(std::move(**chunk));
    }
    return {};
}

Status CallOperation::apply(Journal& journal, Store& store, Batch& batch, std::int64_t) {
    return call(journal, store, batch);
}

}  // namespace nodex::storage
