// Upstream: calls to providers on one core: pooled keep-alive connections, health with ejection and probing,
// choice by weight. A call is one attempt at one endpoint; trying another is the caller's (gateway/dispatch).
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "edge/http/message.h"
#include "edge/io/loop.h"
#include "edge/upstream/endpoint.h"
#include "edge/base/random.h"

namespace nodex::upstream {

class Upstream;
class Resolver;   // upstream/resolver.h: DNS off the loop, refreshed
class Connection; // internal

// Events of one call, from the loop, never from inside a verb of Call.
class CallEvents {
  public:
    virtual void call_head(const http::ResponseHead& head) noexcept = 0;  // valid during the call
    virtual void call_body(Bytes bytes) noexcept = 0;
    // The whole answer arrived. The call is idle again.
    virtual void call_complete() noexcept = 0;
    // It failed; the call is idle again. `sent`: the request may have reached the provider (a retry elsewhere
    // may run the model twice); false only if the kernel never took a byte of it. Sources: provider (refused,
    // reset, peer_closed, malformed, timed_out, name_not_found, limit_exceeded), kernel, tls, self
    // (limit_exceeded: connections_max), configuration (unavailable: removed by a reload).
    virtual void call_failed(Error error, bool sent) noexcept = 0;

  protected:
    ~CallEvents() = default;
};

// One attempt. A member of its owner; at most one attempt at a time.
class Call {
  public:
    Call(Upstream& upstream, CallEvents& events) noexcept;
    ~Call();  // asserts idle
    // Sends POST base_path + path with the given body to `endpoint`; credentials, Host and framing are added
    // here, nothing of the client's head is. `body` is copied. `request_id` is sent as X-Request-Id. It ends
    // after the endpoint's total_timeout or at `end_ns` (Clock::now_ns), whichever comes first.
    void start(std::size_t endpoint, Bytes path, Bytes body, bool stream, Bytes request_id,
               Nanoseconds end_ns = INT64_MAX) noexcept;
    void pause() noexcept;   // backpressure from a slow reader
    void resume() noexcept;
    // Ends the attempt by closing its connection (the only cancel signal providers know). No further events;
    // idle() at once.
    void cancel() noexcept;
    [[nodiscard]] bool idle() const noexcept;

  private:
    friend class Connection;
    struct State;
    std::unique_ptr<State> state_;
};

struct EndpointStatus {
    std::string name;
    bool ejected = false;
    std::uint64_t requests = 0, failures = 0;
    std::uint32_t connections_open = 0, connections_idle = 0;
};

class Upstream {
  public:
    Upstream(Loop& loop, std::vector<std::shared_ptr<const EndpointConfig>> endpoints, Resolver& resolver,
             Random& random);
    ~Upstream();

    // Endpoints that serve `model` (catalogue id), healthy ones first, each tier shuffled by weight; at most
    // 8. Ejected ones come last so that a request is never refused while something might work; only one whose
    // probe is due comes before all. An index names the same endpoint across replace_endpoints().
    std::vector<std::size_t> choose(Bytes model) const;
    [[nodiscard]] const EndpointConfig& endpoint(std::size_t index) const noexcept;

    // What the caller found out from the head, once per answer: counts towards ejection (5 failures in a row,
    // then 10 s doubling to 5 min, one probe request at a time) or resets it. A call_failed that the provider
    // caused is counted already.
    void report(std::size_t endpoint, bool success) noexcept;
    [[nodiscard]] std::vector<EndpointStatus> status() const;
    // SIGHUP: running calls finish on the old ones.
    void replace_endpoints(std::vector<std::shared_ptr<const EndpointConfig>> endpoints);
    void close_idle() noexcept;  // draining
    // No connection is open or closing: it may be destroyed (after close_idle(), when the calls have ended).
    [[nodiscard]] bool idle() const noexcept;

  private:
    friend class Call;
    friend class Connection;
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nodex::upstream
