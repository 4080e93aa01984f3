// CopyWaits: who waits for the buddy (durability.stream = "buddy"). An event of a stream is shown
// once the buddy has acknowledged its copy, so that nothing that a client has seen is lost with
// this POP. The wait is bounded, and a buddy that was late once holds up nobody until it keeps up
// again:
//
//   level --an ask waits for limits::copy_wait_max, or there is no buddy--> behind
//   behind --an ask, one at a time is watched, would have been answered in time--> level
#pragma once
#include <functional>
#include <map>
#include <unordered_map>

#include "edge/base/clock.h"
#include "replication/copy_sender.h"

namespace nodex::replication {

class CopyWaits {
  public:
    enum class Word : std::uint8_t {
        copied,  // the buddy has it
        alone,   // it has not, or not in time: to be shown all the same
    };
    struct Ask {
        RequestId request;
        std::uint32_t chunks = 0;  // the first so many of its answer
        bool whole = false;        // and its end, which may not be stored yet
        // It has ended, and was stored as ended before this was asked: a copy that nobody makes
        // (any more) is one that the buddy has, or of an earlier process.
        bool ended = false;
    };
    using Done = std::function<void(Word word)>;

    CopyWaits(CopySender& sender, Clock& clock) : sender_(sender), clock_(clock) {}

    // `done` runs once, at once or within limits::copy_wait_max. An ask of an answer that runs
    // comes after the news of its chunks, and before its end is stored.
    void ask(const Ask& ask, Done done);
    // From the sender.
    void progressed(const RequestId& request, std::uint32_t chunks, CopySender::Ending ending);
    void tick();
    void stop();  // who waits is told `alone`

    [[nodiscard]] std::size_t waiting() const noexcept { return waits_.size(); }
    [[nodiscard]] bool behind() const noexcept { return behind_; }
    [[nodiscard]] std::uint64_t copied_count() const noexcept { return copied_count_; }
    [[nodiscard]] std::uint64_t alone_count() const noexcept { return alone_count_; }

  private:
    struct Wait {
        Ask ask;
        Done done;  // empty: the one that is watched while behind
        Nanoseconds until_ns = 0;
    };
    using Waits = std::map<std::uint64_t, Wait>;  // in the order of asking, so of their ends

    void add(const Ask& ask, Done done);
    void answer(const Ask& ask, const Done& done, Word word);
    void end(Waits::iterator wait, Word word);
    void fall_behind(const char* reason);
    void catch_up();

    CopySender& sender_;
    Clock& clock_;
    bool behind_ = false;
    std::uint64_t last_number_ = 0;
    Waits waits_;
    std::unordered_multimap<RequestId, std::uint64_t, storage::RequestIdHash> by_request_;
    std::uint64_t copied_count_ = 0;
    std::uint64_t alone_count_ = 0;
};

}  // namespace nodex::replication
