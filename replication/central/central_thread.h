// CentralThread: a Central on a thread of its own, in nodex-central behind NATS, in nodex-edge
// --standalone behind the process's InprocLink.
#pragma once
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include "edge/base/thread_role.h"
#include "replication/central/central.h"
#include "replication/thread_mailbox.h"

namespace nodex::replication {

class CentralThread {
  public:
    CentralThread(LedgerStore& store, TransportServer& server, Clock& clock, Random& random,
                  CentralOptions options)
        : central_(store, server, clock, random, std::move(options)),
          server_(server),
          clock_(clock) {}
    ~CentralThread() { stop(); }
    CentralThread(const CentralThread&) = delete;
    CentralThread& operator=(const CentralThread&) = delete;

    // Verifies and serves on the new thread; errors are Central::start's and nothing runs then.
    Status start(bool verify_rows) {
        if (const Status started = central_.start(verify_rows); !started) return started;
        server_.attach(&mailbox_.mailbox());
        running_ = true;
        thread_ = std::thread([this] { run(); });
        return {};
    }
    // Answers what has arrived, then joins. Requests after that are `unavailable`.
    void stop() {
        if (!thread_.joinable()) return;
        server_.attach(nullptr);
        running_ = false;
        thread_.join();
    }

    // Any thread: from its next turn on.
    void replace_pops(LinkKeys keys, Commanders commanders) {
        const std::lock_guard lock(mutex_);
        next_pops_ = {std::move(keys), std::move(commanders)};
    }
    [[nodiscard]] const CentralStats& stats() const noexcept { return central_.stats(); }
    // The store failed; any thread.
    [[nodiscard]] bool failed() const noexcept { return failed_; }

  private:
    static constexpr Nanoseconds tick_ns = 100 * millisecond;
    void run() {
        begin_helper_thread("nodex-centre");
        while (running_) {
            mailbox_.run(tick_ns);
            server_.keep();
            take_pops();
            tick_when_due();
            failed_ = central_.failed();
        }
        mailbox_.run(0);
    }
    // Not once a message: what a tick looks through is work of its own.
    void tick_when_due() {
        const Nanoseconds now = clock_.now_ns();
        if (now < tick_at_ns_) return;
        tick_at_ns_ = now + tick_ns;
        central_.tick();
    }

    struct Pops {
        LinkKeys keys;
        Commanders commanders;
    };
    void take_pops() {
        const std::lock_guard lock(mutex_);
        if (next_pops_)
            central_.replace_pops(std::move(next_pops_->keys), std::move(next_pops_->commanders));
        next_pops_.reset();
    }

    Central central_;
    TransportServer& server_;
    Clock& clock_;
    Nanoseconds tick_at_ns_ = 0;  // when the next one is due; the centre's thread
    ThreadMailbox mailbox_;
    std::thread thread_;
    std::atomic<bool> running_{false};
    std::atomic<bool> failed_{false};
    std::mutex mutex_;
    std::optional<Pops> next_pops_;  // guarded by mutex_
};

}  // namespace nodex::replication
