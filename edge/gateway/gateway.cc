// Pools, handles, and the connection's callbacks handed to the right exchange.
#include "edge/gateway/gateway.h"

#include "edge/base/codec.h"

namespace nodex::gateway {
namespace {

Exchange* exchange_of(ServerConnection& connection) noexcept {
    return static_cast<Exchange*>(connection.exchange);
}

api::Code code_of(http::Refusal refusal) noexcept {
    switch (refusal) {
        case http::Refusal::none: break;
        case http::Refusal::malformed: return api::Code::invalid_request_error;
        case http::Refusal::target_too_long: return api::Code::uri_too_long;
        case http::Refusal::head_too_large: return api::Code::header_too_large;
        case http::Refusal::body_too_large: return api::Code::body_too_large;
        case http::Refusal::version_unsupported: return api::Code::version_unsupported;
        case http::Refusal::method_not_allowed: return api::Code::method_not_allowed;
        case http::Refusal::expectation_failed: return api::Code::expectation_failed;
        case http::Refusal::coding_unsupported: return api::Code::transfer_coding_unsupported;
        case http::Refusal::timed_out: return api::Code::request_timeout;
    }
    return api::Code::internal_error;
}

}  // namespace

Gateway::Gateway(Loop& loop, std::uint16_t core, Shared& shared, upstream::Upstream& upstream,
                 Random& random, std::shared_ptr<const Settings> settings,
                 std::shared_ptr<const replication::Directory> directory)
    : loop_(loop),
      core_(core),
      shared_(shared),
      upstream_(upstream),
      random_(random),
      settings_(std::move(settings)),
      directory_(std::move(directory)),
      peers_{},
      metrics_(std::make_unique<Metrics>()),
      commits_(loop, shared.commits),
      append_log_(loop, commits_, metrics_->append_ns) {}

Gateway::~Gateway() = default;

Gateway& Gateway::peer(std::uint16_t core) noexcept {
    if (core == core_) return *this;
    NX_ASSERT(core < peers_.size());
    return *peers_[core];
}

// pop u16, incarnation u32, core u8, counter u48, random u24: unique without asking anyone (ids.h).
RequestId Gateway::next_request_id() noexcept {
    std::string octets;
    append_ordered(octets, raw(shared_.pop));
    append_ordered(octets, shared_.incarnation);
    octets.push_back(static_cast<char>(core_));
    ++requests_counter_;
    for (int shift = 40; shift >= 0; shift -= 8)
        octets.push_back(static_cast<char>(requests_counter_ >> shift & 0xff));
    char tail[3];
    random_.fill(tail, sizeof tail);
    octets.append(tail, sizeof tail);
    return RequestId::from(octets);
}

void Gateway::stop_runs() noexcept {
    stopping_ = true;
    for (const auto& run : runs_)
        if (run->phase() != Run::Phase::idle) run->stop();
}

// --- pools ---

Exchange* Gateway::take_exchange() noexcept {
    if (exchanges_free_.empty()) {
        if (exchanges_.size() >= limits::exchanges_per_core_max) return nullptr;
        const auto slot = static_cast<std::uint32_t>(exchanges_.size());
        exchanges_.push_back(std::make_unique<Exchange>(*this, slot));
        exchanges_free_.push_back(slot);
    }
    const std::uint32_t slot = exchanges_free_.back();
    exchanges_free_.pop_back();
    ++exchanges_busy_;
    metrics_->exchanges.add();
    return exchanges_[slot].get();
}

void Gateway::give_back(Exchange& exchange) noexcept {
    exchanges_free_.push_back(exchange.slot());
    --exchanges_busy_;
    metrics_->exchanges.take();
}

Run* Gateway::take_run() noexcept {
    if (runs_free_.empty()) {
        if (runs_.size() >= limits::runs_per_core_max) return nullptr;
        const auto slot = static_cast<std::uint32_t>(runs_.size());
        runs_.push_back(std::make_unique<Run>(*this, slot));
        generations_.push_back(0);
        runs_free_.push_back(slot);
    }
    const std::uint32_t slot = runs_free_.back();
    runs_free_.pop_back();
    ++runs_busy_;
    metrics_->running.add();
    return runs_[slot].get();
}

void Gateway::give_back(Run& run) noexcept {
    NX_ASSERT(run.phase() == Run::Phase::idle);
    runs_free_.push_back(run.slot());
    --runs_busy_;
    metrics_->running.take();
}

Run* Gateway::find_run(std::uint32_t slot, std::uint32_t generation) noexcept {
    if (slot >= runs_.size() || generations_[slot] != generation) return nullptr;
    Run* run = runs_[slot].get();
    return run->phase() == Run::Phase::idle || run->over() ? nullptr : run;
}

// --- RequestHandler ---

std::uint64_t Gateway::request_head(ServerConnection& connection,
                                    const http::RequestHead& head) noexcept {
    Exchange* exchange = take_exchange();
    if (exchange == nullptr) {
        refuse(connection, 503, {api::Code::overloaded, {}, {}, limits::retry_after_ms});
        return 0;
    }
    return exchange->begin(connection, head);
}

void Gateway::request_body(ServerConnection& connection, Bytes bytes) noexcept {
    if (Exchange* exchange = exchange_of(connection)) exchange->body(bytes);
}

void Gateway::request_complete(ServerConnection& connection) noexcept {
    if (Exchange* exchange = exchange_of(connection)) exchange->body_complete();
}

// The parser refused before there was a request, or in the middle of its body, whose exchange has been
// abandoned.
void Gateway::request_refused(ServerConnection& connection, http::Refusal refusal) noexcept {
    NX_ASSERT(exchange_of(connection) == nullptr);
    const bool malformed = refusal == http::Refusal::malformed;
    refuse(connection, http::status_of(refusal),
           {code_of(refusal), malformed ? "The request is not valid HTTP/1.1." : "", {}, -1});
}

void Gateway::response_writable(ServerConnection& connection) noexcept {
    if (Exchange* exchange = exchange_of(connection)) exchange->writable();
}

void Gateway::request_abandoned(ServerConnection& connection, Error) noexcept {
    if (Exchange* exchange = exchange_of(connection)) exchange->abandoned();
}

}  // namespace nodex::gateway
