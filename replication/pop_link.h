// PopLink: a POP's requests to the centre: seals them, matches and checks the answers, keeps the
// epoch.
#pragma once
#include <functional>
#include <string>

#include "edge/base/clock.h"
#include "edge/base/limits.h"
#include "replication/body_keys.h"
#include "replication/messages.h"
#include "replication/planted_bug.h"
#include "replication/retry_timer.h"
#include "replication/transport.h"

namespace nodex::replication {

class PopLink {
  public:
    // The payload of a reply of the expected type from the centre; or timed_out, unavailable,
    // malformed, forbidden (not the centre's MAC), stale (another epoch than the one this POP is
    // registered in: an older one is never acted on, a newer one after registering again).
    using Done = std::function<void(Result<std::string> payload)>;

    // `correlation_from`: drawn at random, so that no reply to an earlier process of this POP, kept
    // by somebody on the way, is one to this.
    PopLink(Transport& transport, Clock& clock, PopId pop, const crypto::SecretKey& link_key,
            std::uint64_t correlation_from, PlantedBug bug = PlantedBug::none)
        : transport_(transport),
          clock_(clock),
          pop_(pop),
          link_key_(link_key),
          body_key_key_(body_key_link_key(link_key)),
          bug_(bug),
          last_correlation_(correlation_from) {}

    // `topic`: the last token of nx.v1.rpc.*. The reply's type is the one after `type`. `done` runs
    // later; of a query beyond limits::link_queries_max inside.
    void request(Bytes topic, MessageType type, Bytes payload, Nanoseconds timeout_ns, Done done);
    // The centre's hints for this POP, checked. Once.
    void on_hints(std::function<void(const FeedHint&)> changed,
                  std::function<void(const ClaimHint&)> wanted);

    // A reply or a hint of a newer epoch than epoch_max() came. It may run inside a Done's place.
    void on_new_epoch(std::function<void()> changed) { new_epoch_ = std::move(changed); }

    void set_incarnation(std::uint32_t incarnation) noexcept { incarnation_ = incarnation; }
    // Registered in this epoch, and that is durable.
    void set_epoch(std::uint64_t epoch) noexcept { epoch_max_ = epoch; }
    // Of the newest reply to a registration.
    [[nodiscard]] std::uint64_t register_epoch() const noexcept { return register_epoch_; }
    [[nodiscard]] std::uint32_t incarnation() const noexcept { return incarnation_; }
    [[nodiscard]] std::uint64_t epoch_max() const noexcept { return epoch_max_; }
    [[nodiscard]] Nanoseconds last_contact_ns() const noexcept { return last_contact_ns_; }
    // Smoothed over the requests that were answered; 0: none yet.
    [[nodiscard]] Nanoseconds round_trip_ns() const noexcept { return timer_.smoothed(); }
    // How long to wait for an answer before asking again, at most `longest`. For requests whose
    // repetition changes nothing. `repetition`: how often this one was already, while others were
    // answered (retry_timer.h).
    [[nodiscard]] Nanoseconds patience(Nanoseconds longest,
                                       unsigned repetition = 0) const noexcept {
        return std::min(timer_.timeout(repetition), longest);
    }
    // What was sent then is not waited for any more, before its deadline.
    void gave_up(Nanoseconds sent_ns) noexcept { timer_.lost(sent_ns, clock_.now_ns()); }
    // A word of the centre within three heartbeats.
    [[nodiscard]] bool linked(Nanoseconds heartbeat_ns) const noexcept {
        return last_contact_ns_ != 0 && clock_.now_ns() - last_contact_ns_ <= 3 * heartbeat_ns;
    }
    // Until when the centre's silence may be a failover; 0: it was never heard.
    [[nodiscard]] Nanoseconds failover_ends_ns() const noexcept {
        return last_contact_ns_ == 0 ? 0 : last_contact_ns_ + limits::centre_failover_max;
    }
    // messages.h; the lowest of the replies within limits::older_centre_kept.
    [[nodiscard]] std::uint16_t centre_protocol() const noexcept { return centre_protocol_; }
    [[nodiscard]] PopId pop() const noexcept { return pop_; }
    // What the centre seals body keys for this POP with.
    [[nodiscard]] const crypto::SecretKey& body_key_key() const noexcept { return body_key_key_; }

  private:
    Result<std::string> check(Bytes message, MessageType expected, std::uint64_t correlation);

    Transport& transport_;
    Clock& clock_;
    const PopId pop_;
    const crypto::SecretKey link_key_;
    const crypto::SecretKey body_key_key_;
    const PlantedBug bug_;
    bool is_current(const Envelope& envelope);
    void note_protocol(std::uint16_t protocol) noexcept;
    std::uint32_t incarnation_ = 0;
    std::uint64_t epoch_max_ = 0;  // 0: never registered
    std::uint64_t register_epoch_ = 0;
    std::uint16_t centre_protocol_ = 0;
    Nanoseconds centre_protocol_ns_ = 0;  // when it was heard last; 0: never
    unsigned queries_in_flight_ = 0;
    std::function<void()> new_epoch_;
    std::uint64_t last_correlation_;
    Nanoseconds last_contact_ns_ = 0;  // 0: never
    RetryTimer timer_;
};

}  // namespace nodex::replication
