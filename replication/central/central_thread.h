// CentralThread: the centre inside the edge's process (--standalone): a Central on a thread of its
// own, reached through the process's InprocLink.
#pragma once
#include <atomic>
#include <thread>

#include "replication/central/central.h"
#include "replication/thread_mailbox.h"

namespace nodex::replication {

class CentralThread {
  public:
    CentralThread(LedgerStore& store, TransportServer& server, Clock& clock, Random& random,
                  CentralOptions options)
        : central_(store, server, clock, random, std::move(options)), server_(server) {}
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

  private:
    static constexpr Nanoseconds tick_ns = 100 * millisecond;
    void run() {
        while (running_) {
            mailbox_.run(tick_ns);
            central_.tick();
        }
        mailbox_.run(0);
    }

    Central central_;
    TransportServer& server_;
    ThreadMailbox mailbox_;
    std::thread thread_;
    std::atomic<bool> running_{false};
};

}  // namespace nodex::replication
