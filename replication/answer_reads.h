// AnswerReads: what this POP tells others of answers: its own, running or finished, and the copies
// that it keeps for its peers. A read that finds nothing new is held until there is, or its wait is
// over.
#pragma once
#include <functional>
#include <optional>
#include <unordered_map>

#include "replication/commit_port.h"
#include "replication/peer_link.h"
#include "replication/peer_messages.h"
#include "storage/append_tap.h"
#include "storage/id_hashes.h"

namespace nodex::replication {

// One look at the store, on the commit thread. `live`: the process of the owner that is heard of
// now, whose copies without an end may still grow; nothing: it is silent.
Result<ReadReply> read_own_answer(const ReadRequest& request, std::int64_t now_ms,
                                  storage::Journal& journal, storage::Store& store,
                                  const storage::Batch& batch);
Result<ReadReply> read_copied_answer(const ReadRequest& request, std::int64_t now_ms,
                                     std::optional<std::uint64_t> live, storage::Store& store);

class AnswerReads {
  public:
    using Done = std::function<void(Result<ReadReply> reply)>;
    // The process of that POP that has been heard of lately, if any.
    using Live = std::function<std::optional<std::uint64_t>(PopId owner)>;

    // Most chunks that others may be told of an answer of this POP; nothing: all.
    using ShownMost = std::function<std::optional<std::uint32_t>(const RequestId& request)>;

    AnswerReads(PeerLink& link, CommitPort& commits, Clock& clock, Live live);
    // Before the first read: what clients here may not see yet is kept from others too.
    void show_at_most(ShownMost most) { shown_most_ = std::move(most); }
    // More of that answer may be shown.
    void progressed(const RequestId& request);

    // For another POP, or for this one when it has the copies itself. `done` runs later, once; an
    // error is the store's. At limits::reads_held_max nothing is held: the reply says "running"
    // and brings nothing, and whoever asks does so again.
    void read(const ReadRequest& request, Done done);
    void appended(const storage::AppendNews& news);
    void tick();

    [[nodiscard]] std::size_t held_count() const noexcept { return reads_.size(); }
    [[nodiscard]] std::uint64_t served_count() const noexcept { return served_count_; }

  private:
    struct Read {
        ReadRequest request;
        Done done;
        Nanoseconds until_ns = 0;
        std::uint64_t news_at_look = 0;  // news_count_ when the look began
        bool looking = false;
        bool again = false;       // something happened while looking
        bool registered = false;  // in the two indexes below
        RequestId running;        // registered: whose progress is waited for
        BodyId body;
    };
    void withhold(const ReadRequest& request, ReadReply& reply) const;
    void look(std::uint64_t number);
    void looked(std::uint64_t number, Result<ReadReply> reply);
    void wake(std::uint64_t number);
    void finish(std::uint64_t number, Result<ReadReply> reply);

    CommitPort& commits_;
    Clock& clock_;
    const PopId self_;
    const Live live_;
    ShownMost shown_most_;
    std::uint64_t last_number_ = 0;
    std::uint64_t news_count_ = 0;
    std::uint64_t served_count_ = 0;
    std::unordered_map<std::uint64_t, Read> reads_;
    std::unordered_multimap<BodyId, std::uint64_t, storage::BodyIdHash> by_body_;
    std::unordered_multimap<RequestId, std::uint64_t, storage::RequestIdHash> by_request_;
};

}  // namespace nodex::replication
