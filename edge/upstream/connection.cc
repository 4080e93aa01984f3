// A provider connection's life.
#include "edge/upstream/connection.h"

#include <algorithm>
#include <array>
#include <utility>

#include "edge/base/limits.h"

namespace nodex::upstream {
namespace {

using Phase = ConnectionPhase;
constexpr std::size_t phases_count = 8;

constexpr bool may_follow(Phase from, Phase to) noexcept {
    constexpr std::array<std::array<bool, phases_count>, phases_count> table{{
        //                vacant resolv connec awaiti receiv comple pooled closing
        /* vacant */        {{false, true,  false, false, false, false, false, false}},
        /* resolving */     {{false, false, true,  false, false, false, false, true}},
        /* connecting */    {{false, false, false, true,  false, false, false, true}},
        /* awaiting_head */ {{false, false, false, false, true,  false, false, true}},
        /* receiving */     {{false, false, false, false, false, true,  false, true}},
        /* complete */      {{false, false, false, false, false, false, true,  true}},
        /* pooled */        {{false, false, false, true,  false, false, false, true}},
        /* closing */       {{true,  false, false, false, false, false, false, false}},
    }};
    return table[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
}
static_assert(may_follow(Phase::complete, Phase::pooled));
static_assert(!may_follow(Phase::receiving, Phase::pooled));

// The channel does not know that its peer is a provider; errors that the peer can cause are the provider's.
Error blame_provider(Error error) noexcept {
    switch (error.code) {
        case ErrorCode::connection_refused:
        case ErrorCode::connection_reset:
        case ErrorCode::peer_closed:
        case ErrorCode::timed_out:
            return {error.code, ErrorSource::provider, true, error.os_errno};
        case ErrorCode::none:  // the channel ended without saying why: the peer did it
            return {ErrorCode::peer_closed, ErrorSource::provider, true};
        default: return error;
    }
}

constexpr Error timed_out{ErrorCode::timed_out, ErrorSource::provider, true};
constexpr Error cut{ErrorCode::peer_closed, ErrorSource::provider, true};
constexpr Error too_long{ErrorCode::limit_exceeded, ErrorSource::provider};
constexpr Error abandoned{ErrorCode::cancelled, ErrorSource::self};

}  // namespace

const char* name(ConnectionPhase phase) noexcept {
    switch (phase) {
        case Phase::vacant: return "vacant";
        case Phase::resolving: return "resolving";
        case Phase::connecting: return "connecting";
        case Phase::awaiting_head: return "awaiting_head";
        case Phase::receiving: return "receiving";
        case Phase::complete: return "complete";
        case Phase::pooled: return "pooled";
        case Phase::closing: return "closing";
    }
    return "unknown";
}

Connection::Connection(Loop& loop, Resolver& resolver, ConnectionOwner& owner) noexcept
    : loop_(loop), resolver_(resolver), owner_(owner), channel_(loop, *this) {}

Connection::~Connection() { NX_ASSERT(phase_ == Phase::vacant); }

void Connection::enter(Phase next) noexcept {
    NX_ASSERT(may_follow(phase_, next));
    phase_ = next;
    arm_deadline();
}

bool Connection::carries_exchange() const noexcept {
    switch (phase_) {
        case Phase::resolving:
        case Phase::connecting:
        case Phase::awaiting_head:
        case Phase::receiving:
        case Phase::complete: return true;
        case Phase::vacant:
        case Phase::pooled:
        case Phase::closing: return false;
    }
    return false;
}

// --- verbs ---

void Connection::open(const EndpointConfig& endpoint, std::shared_ptr<tls::ClientContext> context,
                      Exchange& exchange, const Deadlines& deadlines) noexcept {
    NX_ASSERT(phase_ == Phase::vacant);
    exchange_ = &exchange;
    deadlines_ = deadlines;
    reused_ = false;
    paused_ = false;
    host_ = endpoint.host;
    context_ = std::move(context);
    parser_ = http::ResponseParser();  // the last one may have failed
    connect_by_ns_ = std::min(loop_.now_ns() + deadlines.connect_ns, deadlines.end_ns);
    enter(Phase::resolving);
    resolve(endpoint.host, endpoint.port);
}

void Connection::reuse(Exchange& exchange, const Deadlines& deadlines) noexcept {
    NX_ASSERT(phase_ == Phase::pooled);
    NX_ASSERT(exchange_ == nullptr);
    exchange_ = &exchange;
    deadlines_ = deadlines;
    reused_ = true;
    send_request();
}

void Connection::pause() noexcept {
    NX_ASSERT(carries_exchange());
    if (paused_) return;
    paused_ = true;
    if (channel_.phase() == ChannelPhase::open) channel_.pause();  // else channel_opened() does it
}

void Connection::resume() noexcept {
    NX_ASSERT(carries_exchange());
    if (!paused_) return;
    paused_ = false;
    progress_ns_ = loop_.now_ns();  // the silence was ours
    if (channel_.phase() == ChannelPhase::open) channel_.resume();
}

void Connection::abandon() noexcept {
    NX_ASSERT(carries_exchange());
    exchange_ = nullptr;
    close(Manner::abrupt, abandoned);
    close_join();
}

void Connection::close_pooled() noexcept {
    NX_ASSERT(phase_ == Phase::pooled);
    close(Manner::orderly, abandoned);
    owner_.connection_unpooled(*this);
}

// --- opening ---

void Connection::resolve(const std::string& host, std::uint16_t port) noexcept {
    resolver_.resolve(
        resolution_, host, port, loop_.mailbox(),
        [](void* self) noexcept { static_cast<Connection*>(self)->resolve_done(); }, this);
}
void Connection::resolve_done() noexcept {
    if (phase_ == Phase::closing) return close_join();
    NX_ASSERT(phase_ == Phase::resolving);
    if (!resolution_.addresses) return fail(resolution_.addresses.error());
    address_index_ = 0;
    enter(Phase::connecting);
    connect_next();
}

// The addresses share what is left of the connect deadline, so that a silent one leaves time for the next.
void Connection::connect_next() noexcept {
    NX_ASSERT(phase_ == Phase::connecting);
    const std::vector<SocketAddress>& addresses = *resolution_.addresses;
    const auto addresses_left = static_cast<Nanoseconds>(addresses.size() - address_index_);
    const Nanoseconds time_left = std::max(connect_by_ns_ - loop_.now_ns(), millisecond);
    const SocketAddress& address = addresses[address_index_++];
    channel_.connect(address, context_, host_, std::max(time_left / addresses_left, millisecond));
}

void Connection::channel_opened() noexcept {
    if (phase_ == Phase::closing) return;
    NX_ASSERT(phase_ == Phase::connecting);
    if (paused_) channel_.pause();
    send_request();
}

// --- the exchange ---

void Connection::send_request() noexcept {
    sent_before_ = channel_.sent_bytes();
    progress_ns_ = loop_.now_ns();
    body_bytes_ = 0;
    parser_.begin(http::Method::post);
    enter(Phase::awaiting_head);
    channel_.write(exchange_->request());
}

void Connection::channel_received(Bytes bytes) noexcept {
    if (phase_ == Phase::closing) return;
    if (phase_ == Phase::pooled) return close_pooled();  // unasked: it must not answer the next request
    NX_ASSERT(phase_ == Phase::awaiting_head || phase_ == Phase::receiving);
    const Status fed = parser_.feed(bytes, *this);
    if (phase_ == Phase::closing) return;  // abandoned by the exchange, or too long
    if (phase_ == Phase::receiving) progress_ns_ = loop_.now_ns();
    if (phase_ != Phase::complete) {
        if (!fed) fail(fed.error());
        return;
    }
    // Bytes after the answer, or an answer that came before the whole request was taken: nobody can say
    // what the next bytes on this connection would belong to.
    if (!fed || channel_.outbound_bytes() > 0) return finish(Next::abort);
    finish(parser_.reusable() ? Next::pool : Next::close);
}

void Connection::response_head(const http::ResponseHead& head) noexcept {
    if (phase_ == Phase::closing) return;
    progress_ns_ = loop_.now_ns();
    enter(Phase::receiving);
    // A stream may last for minutes, in which nothing is sent any more.
    if (!head.content_length) channel_.release_buffers();
    exchange_->answer_head(head);
}

void Connection::response_body(Bytes bytes) noexcept {
    if (phase_ == Phase::closing) return;
    NX_ASSERT(phase_ == Phase::receiving);
    body_bytes_ += bytes.size();
    if (body_bytes_ > limits::answer_bytes_max) return fail(too_long);
    exchange_->answer_body(bytes);
}

void Connection::response_complete() noexcept {
    if (phase_ == Phase::closing) return;
    enter(Phase::complete);  // told to the exchange when the parser has returned, see channel_received
}

void Connection::channel_ended() noexcept {
    if (phase_ == Phase::pooled) return close_pooled();
    // Without an answer it matters whether the kernel took the request: channel_closed() will know, because
    // by then no send is in flight any more.
    if (phase_ == Phase::awaiting_head) return channel_.abort(cut);
    if (phase_ != Phase::receiving) return;
    const Status finished = parser_.finish(*this);
    if (phase_ == Phase::closing) return;
    if (phase_ == Phase::complete) return finish(Next::close);
    fail(finished ? cut : finished.error());
}

void Connection::finish(Next next) noexcept {
    NX_ASSERT(phase_ == Phase::complete);
    Exchange* exchange = std::exchange(exchange_, nullptr);
    if (std::exchange(paused_, false) && next == Next::pool) channel_.resume();  // to notice its end
    switch (next) {
        case Next::pool:
            enter(Phase::pooled);
            owner_.connection_pooled(*this);
            break;
        case Next::close: close(Manner::orderly, abandoned); break;
        case Next::abort: close(Manner::abrupt, abandoned); break;
    }
    exchange->answer_complete();  // last: it may start its next request on this very connection
}

// From the loop only: the exchange is told from in here.
void Connection::fail(Error error) noexcept {
    NX_ASSERT(carries_exchange());
    Exchange* exchange = std::exchange(exchange_, nullptr);
    const Delivery reached = delivery();
    close(Manner::abrupt, error);
    exchange->answer_failed(blame_provider(error), reached);
    close_join();
}

// A request counts as undelivered only if the kernel took nothing since it was handed over and no send is in
// flight any more. On a fresh TLS connection the end of the handshake may leave in the same send and is then
// counted as delivery: a doubt is reported as possible.
Delivery Connection::delivery() const noexcept {
    switch (phase_) {
        case Phase::resolving:
        case Phase::connecting: return Delivery::impossible;
        case Phase::awaiting_head: {
            const bool settled = channel_.phase() == ChannelPhase::idle;
            const bool untouched = settled && channel_.sent_bytes() == sent_before_;
            return untouched ? Delivery::impossible : Delivery::possible;
        }
        default: return Delivery::possible;
    }
}

// --- deadlines ---

// One timer. In receiving it is not moved with every event: it looks at progress_ns_ when it fires.
void Connection::arm_deadline() noexcept {
    Nanoseconds deadline_ns = 0;
    switch (phase_) {
        case Phase::resolving: deadline_ns = connect_by_ns_; break;
        case Phase::awaiting_head:
            deadline_ns = std::min(progress_ns_ + deadlines_.first_byte_ns, deadlines_.end_ns);
            break;
        case Phase::receiving:
            deadline_ns = (paused_ ? loop_.now_ns() : progress_ns_) + deadlines_.idle_ns;
            deadline_ns = std::min(deadline_ns, deadlines_.end_ns);
            break;
        case Phase::pooled: deadline_ns = loop_.now_ns() + limits::provider_idle_deadline; break;
        case Phase::connecting:  // the channel's own deadline
        case Phase::vacant:
        case Phase::complete:
        case Phase::closing: return loop_.timers().cancel(timer_);
    }
    start_timer<&Connection::deadline_passed>(loop_.timers(), timer_, deadline_ns, this);
}

void Connection::deadline_passed() noexcept {
    const Nanoseconds now_ns = loop_.now_ns();
    if (phase_ == Phase::pooled) return close_pooled();
    if (phase_ == Phase::receiving && now_ns < deadlines_.end_ns) {
        const bool silent = !paused_ && now_ns - progress_ns_ >= deadlines_.idle_ns;
        if (!silent) return arm_deadline();
    }
    fail(timed_out);
}

// --- closing ---

void Connection::close(Manner manner, Error reason) noexcept {
    enter(Phase::closing);
    if (channel_.phase() == ChannelPhase::idle) return;  // not connected yet, or it ended by itself
    if (manner == Manner::orderly)
        channel_.close();
    else
        channel_.abort(reason);
}

void Connection::channel_closed(Error error) noexcept {
    switch (phase_) {
        case Phase::connecting:
            if (address_index_ < (*resolution_.addresses).size() && loop_.now_ns() < connect_by_ns_)
                return connect_next();
            break;
        case Phase::pooled:
            enter(Phase::closing);
            owner_.connection_unpooled(*this);
            return close_join();
        case Phase::closing: return close_join();
        default: break;
    }
    fail(error);
}

// The channel and the resolver may still hold us; the last of them to let go makes the connection vacant.
void Connection::close_join() noexcept {
    NX_ASSERT(phase_ == Phase::closing);
    if (resolution_.in_flight() || channel_.phase() != ChannelPhase::idle) return;
    context_.reset();
    enter(Phase::vacant);
    owner_.connection_vacant(*this);
}

}  // namespace nodex::upstream
