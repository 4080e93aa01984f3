// CopySender: the owner's side of copies: sends what is logged of running answers to this POP's
// buddy, behind the client and without holding it up. It keeps no chunk: they are read from the
// store when they are sent, so a buddy that is slow or away costs a small object a running answer,
// and catches up by itself.
//
//   an answer: waiting (nothing logged) --a chunk--> copying --its end, all chunks--> over
//              any --refused by the buddy, released here--> over
//
// Go-back-N for each answer: `sent` runs ahead of `acked`; a lost message or a hole at the buddy
// puts it back.
#pragma once
#include <deque>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "replication/commit_port.h"
#include "replication/peer_link.h"
#include "replication/peer_messages.h"
#include "storage/append_tap.h"
#include "storage/id_hashes.h"

namespace nodex::replication {

class CopySender {
  public:
    // How the copy of an answer ended: it is whole at the buddy, or will not be.
    enum class Ending : std::uint8_t { none, whole, given_up };
    using Progressed =
        std::function<void(const RequestId& request, std::uint32_t chunks, Ending ending)>;

    // `life` names this process to its buddy. `awaited`: clients wait for the copies, so nothing
    // is gathered for limits::buddy_batch_delay before it is sent.
    CopySender(PeerLink& link, CommitPort& commits, Clock& clock, std::uint64_t life, bool awaited)
        : link_(link), commits_(commits), clock_(clock), life_(life), awaited_(awaited) {}

    // Told whenever the buddy acknowledged something of an answer, and when its copy has ended.
    void on_progress(Progressed progressed) { progressed_ = std::move(progressed); }

    // While it says so one message is on its way at a time: somebody else needs the line and the
    // processors more. Not where clients wait for the copies.
    void give_way_while(std::function<bool()> urgent) { urgent_ = std::move(urgent); }

    // Who gets the copies from now on; 0: nobody. A change begins all running answers anew.
    void set_buddy(PopId buddy);
    void appended(const storage::AppendNews& news);
    void tick();

    [[nodiscard]] bool has_buddy() const noexcept { return buddy_ != PopId{}; }
    // Chunks of that answer that are at the buddy; nothing: it is not being copied (any more).
    [[nodiscard]] std::optional<std::uint32_t> acknowledged(const RequestId& request) const;
    // The same, as long as nobody else may be shown more; nothing: all there is.
    [[nodiscard]] std::optional<std::uint32_t> shown_most(const RequestId& request) const;
    void show_alone(const RequestId& request);  // clients have seen what may not be at the buddy

    [[nodiscard]] bool busy() const noexcept { return !ready_.empty() || in_flight_ > 0; }
    // Sealed bytes that are logged here and not yet known to be at the buddy.
    [[nodiscard]] std::uint64_t lag_bytes() const noexcept { return lag_bytes_; }
    [[nodiscard]] std::uint64_t dropped_count() const noexcept { return dropped_count_; }
    [[nodiscard]] std::uint64_t finished_count() const noexcept { return finished_count_; }

  private:
    struct Copy {
        storage::OpenRequest open;
        std::optional<std::string> answer;  // encoded, once it has ended
        std::uint32_t stored = 0;           // chunks here; at least
        std::uint32_t sent = 0;
        std::uint32_t acked = 0;
        std::uint64_t bytes_here = 0;   // of the chunks appended since it is known
        std::uint64_t bytes_acked = 0;  // at most bytes_here
        std::uint32_t goes_back = 0;    // how often `sent` was put back: older replies move nothing
        bool opened = false;            // the open row was sent
        bool ended = false;             // the answer was sent
        bool queued = false;            // in ready_
        bool probe = false;             // there may be chunks that no news told of: read to the end
        bool alone = false;             // show_alone()
    };
    // What one message holds of one answer.
    struct Part {
        RequestId request;
        std::uint32_t first = 0;
        std::uint32_t end = 0;  // behind the last chunk
        std::uint64_t bytes = 0;
        std::uint32_t goes_back = 0;
        bool open = false;
        bool answer = false;
        bool missing = false;  // the chunk at `end` is not in the store
    };
    struct Reading;
    using Copies = std::unordered_map<RequestId, Copy, storage::RequestIdHash>;

    void begin(Bytes open);
    void queue(Copy& copy);
    void pump();
    [[nodiscard]] unsigned batches_max() const;
    [[nodiscard]] static bool has_work(const Copy& copy) noexcept;
    void read();
    static Status fill(Reading& reading, storage::Store& store);
    static Status fill_part(Part& part, CopyRequest::Piece& piece, const BodyId& body,
                            std::size_t& bytes, storage::Store& store);
    void read_done(const Reading& reading);
    void send(std::vector<Part> parts, Bytes payload);
    void replied(const std::vector<Part>& parts, const Result<std::string>& payload);
    bool note_read(const Part& part, Copy& copy);
    void take(const Part& part, const storage::BuddyCopies::Outcome& outcome);
    void go_back(Copy& copy, std::uint32_t to);
    void acknowledge(Copy& copy, std::uint32_t chunks, std::uint64_t bytes);
    void drop(const RequestId& request, Ending ending);
    void look_again();
    void keep_alive();

    PeerLink& link_;
    CommitPort& commits_;
    Clock& clock_;
    const std::uint64_t life_;
    const bool awaited_;
    Progressed progressed_;
    std::function<bool()> urgent_;
    PopId buddy_{};
    std::uint64_t buddy_changes_ = 0;  // replies of another buddy are dropped
    Copies copies_;
    std::unordered_map<BodyId, RequestId, storage::BodyIdHash> by_body_;
    std::deque<RequestId> ready_;  // have something to send
    std::uint64_t ready_bytes_ = 0;
    bool reading_ = false;
    bool looking_ = false;
    unsigned in_flight_ = 0;
    Nanoseconds send_at_ns_ = 0;
    Nanoseconds backoff_ns_ = 0;
    Nanoseconds alive_at_ns_ = 0;
    std::uint64_t lag_bytes_ = 0;
    std::uint64_t dropped_count_ = 0;
    std::uint64_t finished_count_ = 0;
};

}  // namespace nodex::replication
