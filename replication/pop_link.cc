// PopLink: see the header.
#include "replication/pop_link.h"

namespace nodex::replication {

void PopLink::request(Bytes topic, MessageType type, Bytes payload, Nanoseconds timeout_ns,
                      Done done) {
    const std::uint64_t correlation = ++last_correlation_;
    const Envelope envelope{type, pop_, incarnation_, epoch_max_, correlation};
    const auto expected = static_cast<MessageType>(raw(type) + 1);
    transport_.request(
        "nx.v1.rpc." + std::string(topic), seal(envelope, payload, link_key_), timeout_ns,
        [this, expected, correlation, done = std::move(done)](Result<std::string> reply) {
            done(reply ? check(*reply, expected, correlation) : std::move(reply));
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
    return std::string(opened->payload);
}

// A registration is how an epoch is entered; what an operator asked carries no state.
bool PopLink::is_current(const Envelope& envelope) {
    if (envelope.epoch < epoch_max_) return bug_ == PlantedBug::accept_old_epoch;
    if (envelope.type == MessageType::register_reply) {
        register_epoch_ = envelope.epoch;
        return true;
    }
    if (envelope.epoch == epoch_max_) return true;
    if (epoch_max_ != 0 && new_epoch_) new_epoch_();
    return envelope.type == MessageType::query_reply;
}

void PopLink::on_hint(std::function<void(const FeedHint&)> hinted) {
    const std::string subject = "nx.v1.feed." + std::to_string(raw(pop_));
    transport_.subscribe(subject, [this, hinted = std::move(hinted)](Bytes, Bytes message) {
        const Result<OpenedMessage> opened = open(message, link_key_);
        if (!opened || opened->envelope.type != MessageType::feed_hint) return;
        if (!is_current(opened->envelope)) return;
        if (const Result<FeedHint> hint = decode_feed_hint(opened->payload)) hinted(*hint);
    });
}

}  // namespace nodex::replication
