// Gathers chunks, submits once a turn, hands durable bytes back to their runs.
#include "edge/gateway/append_log.h"

#include "edge/base/limits.h"
#include "edge/gateway/run.h"

namespace nodex::gateway {
namespace {

constexpr std::size_t arena_bytes_kept_max = 1024 * 1024;
// From one submission to the next. Ended by a timer, so by the wheel's next tick: a millisecond
// under load, one and a half at the most.
constexpr Nanoseconds submit_interval = 500 * microsecond;

}  // namespace

AppendLog::AppendLog(Loop& loop, TurnCommits& commits, Histogram& append_ns) noexcept
    : loop_(loop), commits_(commits), append_ns_(append_ns) {}

void AppendLog::gather(storage::BodyWriter& writer, Bytes plaintext, bool last) {
    storage::AppendOperation& operation = gathering();
    storage::AppendOperation::Chunk chunk{};
    chunk.body = writer.id();
    chunk.number = writer.chunks_count();
    if (chunk.number == 0) {
        chunk.key_record_offset = operation.arena.size();
        chunk.key_record_size = writer.key_record().size();
        operation.arena += writer.key_record();
        urgent_ = true;
    }
    chunk.sealed_offset = operation.arena.size();
    writer.seal(plaintext, last, operation.arena);
    chunk.sealed_size = operation.arena.size() - chunk.sealed_offset;
    operation.chunks.push_back(chunk);
    if (!flying_) at_turn_end<&AppendLog::submit_when_due>(loop_, submit_task_, this);
}

void AppendLog::add(Run& run, storage::BodyWriter& writer, Bytes plaintext) {
    gather(writer, plaintext, false);
    pending_[gathering_].push_back({&run, plaintext.size()});
}

void AppendLog::add_whole(storage::BodyWriter& writer, Bytes text) {
    do {
        const Bytes piece = text.substr(0, limits::stored_chunk_bytes_max);
        text.remove_prefix(piece.size());
        gather(writer, piece, text.empty());
    } while (!text.empty());
}

void AppendLog::submit_when_due() noexcept {
    if (flying_ || gathering().chunks.empty()) return;
    const Nanoseconds due_ns = submitted_ns_ + submit_interval;
    if (urgent_ || loop_.now_ns() >= due_ns) return submit();
    if (!submit_timer_.armed())
        start_timer<&AppendLog::submit_when_due>(loop_.timers(), submit_timer_, due_ns, this);
}

void AppendLog::submit() noexcept {
    flying_ = true;
    urgent_ = false;
    loop_.timers().cancel(submit_timer_);
    submitted_ns_ = loop_.now_ns();
    commits_.submit(gathering(), storage::when_done<&AppendLog::committed>(this));
    gathering_ ^= 1;
}

void AppendLog::committed() noexcept {
    const std::size_t flown = gathering_ ^ 1;
    append_ns_.record(static_cast<std::uint64_t>(loop_.now_ns() - submitted_ns_));
    const bool durable = operations_[flown].status().has_value();
    operations_[flown].clear();
    // A burst of many streams must not be paid for ever after.
    if (operations_[flown].arena.capacity() > arena_bytes_kept_max)
        std::string().swap(operations_[flown].arena);
    flying_ = false;
    std::vector<Pending> done;
    done.swap(pending_[flown]);
    submit_when_due();  // what has gathered leaves before we spend time on delivery
    for (const Pending& pending : done) {
        if (durable)
            pending.run->append_done(pending.plaintext_bytes);
        else
            pending.run->append_failed(pending.plaintext_bytes);
    }
    done.clear();
    if (pending_[flown].empty()) pending_[flown].swap(done);  // keep the memory
}

}  // namespace nodex::gateway
