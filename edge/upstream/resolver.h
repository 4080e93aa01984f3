// Resolver: names to addresses on a thread of its own (getaddrinfo blocks), refreshed in the background and
// served stale while a refresh fails. Address literals need no thread.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "edge/base/mailbox.h"
#include "edge/io/io.h"

namespace nodex::upstream {

// An answer on its way to a loop; a member of its owner, joined like a completion.
class Resolution {
  public:
    Resolution() noexcept;
    ~Resolution() { NX_ASSERT(!in_flight_); }
    [[nodiscard]] bool in_flight() const noexcept { return in_flight_; }
    // Out; not empty.
    Result<std::vector<SocketAddress>> addresses = Error{ErrorCode::name_not_found, ErrorSource::provider};

  private:
    friend class Resolver;
    struct Link final : Mail {
        Link(Run run, Resolution& owner) noexcept : Mail(run), resolution(owner) {}
        Resolution& resolution;
    };
    Link link_;
    std::string host_;
    std::uint16_t port_ = 0;
    Mailbox* reply_to_ = nullptr;
    void (*done_)(void*) noexcept = nullptr;
    void* owner_ = nullptr;
    bool in_flight_ = false;
};

class Resolver {
  public:
    // Blocks; the addresses of `host` without a port, in the order to try them. Empty: not found.
    using LookUp = std::vector<SocketAddress> (*)(const std::string& host) noexcept;

    Resolver();
    explicit Resolver(LookUp look_up);  // tests: instead of getaddrinfo
    ~Resolver();
    void start();
    // Waits for a running look-up; everybody still waiting is answered with `cancelled`. Before the loops are
    // destroyed, because the answers go to their mailboxes. Names are not looked up after it.
    void stop();
    // Any thread; `done` runs on the thread that owns `reply_to`, at once through its mailbox when cached.
    // Errors: name_not_found(provider), cancelled(self).
    void resolve(Resolution& resolution, const std::string& host, std::uint16_t port, Mailbox& reply_to,
                 void (*done)(void*) noexcept, void* owner) noexcept;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nodex::upstream
