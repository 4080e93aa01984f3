// PeerService: everything between this POP and the others: who they are, reads of each other's
// answers, copies of each other's streams. A state machine without a thread, a part of AgentCore.
#pragma once
#include "replication/answer_reads.h"
#include "replication/copy_sender.h"
#include "replication/copy_taker.h"
#include "replication/copy_waits.h"
#include "replication/peer_link.h"
#include "replication/peer_roster.h"
#include "replication/remote_reader.h"

namespace nodex::replication {

class PeerService {
  public:
    PeerService(Transport& transport, PopLink& link, const crypto::SecretKey& link_key,
                CommitPort& commits, Clock& clock, std::uint64_t life,
                storage::BuddyCopies::Options copies, bool copies_awaited)
        : roster_(link, link_key, clock),
          link_(transport, link, roster_, life),
          taker_(link_, roster_, commits, clock, copies),
          reads_(link_, commits, clock, [this](PopId owner) { return taker_.live(owner); }),
          sender_(link_, commits, clock, life, copies_awaited),
          waits_(sender_, clock),
          remote_(link_, roster_, reads_, clock) {
        if (!copies_awaited) return;
        reads_.show_at_most(
            [this](const RequestId& request) { return sender_.shown_most(request); });
        sender_.on_progress(
            [this](const RequestId& request, std::uint32_t chunks, CopySender::Ending ending) {
                waits_.progressed(request, chunks, ending);
                reads_.progressed(request);
            });
    }

    void start() {  // registered
        roster_.start();
        taker_.start();
    }
    void tick() {
        roster_.tick();
        sender_.set_buddy(roster_.own_buddy());
        sender_.tick();
        waits_.tick();
        reads_.tick();
        remote_.tick();
    }
    // Whether anybody is there whom news of answers could concern; then appended() wants them all.
    [[nodiscard]] bool wants_news() const noexcept { return roster_.count() > 0; }
    void appended(const storage::AppendNews& news) {
        reads_.appended(news);
        sender_.appended(news);
    }
    // Something needs ticks at short intervals.
    [[nodiscard]] bool busy() const noexcept {
        return sender_.busy() || remote_.busy() || reads_.held_count() > 0 || waits_.waiting() > 0;
    }

    [[nodiscard]] RemoteReader& remote() noexcept { return remote_; }
    [[nodiscard]] const AnswerReads& reads() const noexcept { return reads_; }
    void copies_give_way_while(std::function<bool()> urgent) {
        sender_.give_way_while(std::move(urgent));
    }
    [[nodiscard]] const CopySender& sender() const noexcept { return sender_; }
    [[nodiscard]] CopyWaits& waits() noexcept { return waits_; }
    [[nodiscard]] const CopyTaker& taker() const noexcept { return taker_; }
    [[nodiscard]] const PeerRoster& roster() const noexcept { return roster_; }
    [[nodiscard]] const PeerLink& link() const noexcept { return link_; }
    [[nodiscard]] PeerLink& link() noexcept { return link_; }

  private:
    PeerRoster roster_;
    PeerLink link_;
    CopyTaker taker_;
    AnswerReads reads_;
    CopySender sender_;
    CopyWaits waits_;
    RemoteReader remote_;
};

}  // namespace nodex::replication
