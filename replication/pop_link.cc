// PopLink: see the header.
#include "replication/pop_link.h"

#include "edge/base/limits.h"

namespace nodex::replication {

void PopLink::request(Bytes topic, MessageType type, Bytes payload, Nanoseconds timeout_ns,
                      Done done) {
    const bool query = type == MessageType::query_request;
    if (query && queries_in_flight_ >= limits::link_queries_max)
        return done(Error{ErrorCode::unavailable, ErrorSource::central, true, 0});
    if (query) ++queries_in_flight_;
    const std::uint64_t correlation = ++last_correlation_;
    const Envelope envelope{type, pop_, incarnation_, epoch_max_, correlation};
    const auto expected = static_cast<MessageType>(raw(type) + 1);
    transport_.request("nx.v1.rpc." + std::string(topic), seal(envelope, payload, link_key_),
                       timeout_ns,
                       [this, query, expected, correlation, sent_ns = clock_.now_ns(),
                        done = std::move(done)](Result<std::string> reply) {
                           if (query) --queries_in_flight_;
                           if (!reply) {
                               if (reply.error().code == ErrorCode::timed_out)
                                   timer_.lost(sent_ns, clock_.now_ns());
                               return done(std::move(reply));
                           }
                           Result<std::string> checked = check(*reply, expected, correlation);
                           if (checked) timer_.answered(sent_ns, clock_.now_ns());
                           done(std::move(checked));
                       });
}

Result<std::string> PopLink::check(Bytes message, MessageType expected, std::uint64_t correlation) {
    const Result<OpenedMessage> opened = open(message, link_key_);
    if (!opened) return opened.error();
    const Envelope& envelope = opened->envelope;
    if (envelope.type != expected || envelope.correlation != correlation || envelope.pop != pop_)
        return Error{ErrorCode::malformed, ErrorSource::central};
    if (!is_current(envelope)) return Error{ErrorCode::stale, ErrorSource::central};
    last_contact_ns_ = clock_.now_ns();
    note_protocol(envelope.protocol);
    return std::string(opened->payload);
}

void PopLink::note_protocol(std::uint16_t protocol) noexcept {
    const Nanoseconds now_ns = clock_.now_ns();
    const bool known = centre_protocol_ns_ != 0;
    const bool recent = known && now_ns - centre_protocol_ns_ <= limits::older_centre_kept;
    if (recent && protocol > centre_protocol_) return;
    centre_protocol_ = protocol;
    centre_protocol_ns_ = now_ns;
}

// A registration is how an epoch is entered; what an operator asked carries no state, and a centre
// of an older epoch answers only what is about that.
bool PopLink::is_current(const Envelope& envelope) {
    if (envelope.epoch < epoch_max_)
        return envelope.type == MessageType::query_reply || bug_ == PlantedBug::accept_old_epoch;
    if (envelope.type == MessageType::register_reply) {
        register_epoch_ = envelope.epoch;
        return true;
    }
    if (envelope.epoch == epoch_max_) return true;
    if (epoch_max_ != 0 && new_epoch_) new_epoch_();
    return envelope.type == MessageType::query_reply;
}

void PopLink::on_hints(std::function<void(const FeedHint&)> changed,
                       std::function<void(const ClaimHint&)> wanted) {
    const std::string subject = "nx.v1.feed." + std::to_string(raw(pop_));
    transport_.subscribe(subject, [this, changed = std::move(changed), wanted = std::move(wanted)](
                                      Bytes, Bytes message) {
        const Result<OpenedMessage> opened = open(message, link_key_);
        if (!opened || !is_current(opened->envelope)) return;
        if (opened->envelope.type == MessageType::feed_hint) {
            if (const Result<FeedHint> hint = decode_feed_hint(opened->payload)) changed(*hint);
        } else if (opened->envelope.type == MessageType::claim_hint) {
            if (const Result<ClaimHint> hint = decode_claim_hint(opened->payload)) wanted(*hint);
        }
    });
}

}  // namespace nodex::replication
