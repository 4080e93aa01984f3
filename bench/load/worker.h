// One core of the load generator: its loop, its connections, and the rule that says which sends when.
#pragma once
#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "bench/load/client.h"
#include "bench/load/pacer.h"
#include "edge/io/uring_loop.h"

namespace nodex::bench {

// opening --> running --> draining --> closing --> done
enum class WorkerPhase : std::uint8_t { opening, running, draining, closing, done };

class Worker final : ClientOwner {
  public:
    struct Share {
        unsigned index = 0;
        unsigned workers_count = 1;
        unsigned connections_count = 0;
        std::uint64_t run = 0;
    };
    static Result<std::unique_ptr<Worker>> create(const Options& options, const SocketAddress& address,
                                                  Share share);
    ~Worker();

    void start();                       // starts the thread, opens the connections
    void begin(const Window& window);   // once, after all are open
    void finish();                      // lets answers come until the drain is over, then closes
    void abandon();                     // closes at once
    void join();

    // Any thread:
    [[nodiscard]] unsigned opened_count() const noexcept { return opened_.load(std::memory_order_relaxed); }
    // While connections are being opened: how often that failed, and why the last time.
    [[nodiscard]] unsigned open_failures_count() const noexcept {
        return open_failures_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] Error open_error() const noexcept { return open_error_.load(std::memory_order_relaxed); }
    [[nodiscard]] Totals totals() const noexcept { return recorder_.totals(); }
    // After join():
    [[nodiscard]] const Recorder& recorder() const noexcept { return recorder_; }
    [[nodiscard]] std::uint64_t unfinished_count() const noexcept { return unfinished_count_; }

  private:
    template <void (Worker::*Method)() noexcept>
    struct Command final : Mail {
        explicit Command(Worker& owner) noexcept
            : Mail([](Mail& mail) noexcept { (static_cast<Command&>(mail).worker.*Method)(); }),
              worker(owner) {}
        Worker& worker;
    };

    Worker(const Options& options, const SocketAddress& address, Share share, std::unique_ptr<UringLoop> loop,
           std::shared_ptr<tls::ClientContext> tls);
    void enter(WorkerPhase next) noexcept;
    void run_begin() noexcept;
    void run_finish() noexcept;
    void run_abandon() noexcept;
    void release_more() noexcept;
    void pump(bool waited) noexcept;
    void pump_due() noexcept { pump(false); }
    void open_more() noexcept;
    [[nodiscard]] bool nothing_left() const noexcept;
    void drain_over() noexcept;
    void close_all() noexcept;
    void client_opened(Client& client) noexcept override;
    void client_ready(Client& client) noexcept override;
    void request_ended(Client& client) noexcept override;
    void client_closed(Client& client, Error error) noexcept override;

    const Options& options_;
    const Share share_;
    std::unique_ptr<UringLoop> loop_;
    Recorder recorder_;
    ClientContext context_;
    WorkerPhase phase_ = WorkerPhase::opening;
    Window window_;                        // from begin()
    Schedule schedule_;
    std::vector<std::unique_ptr<Client>> clients_;
    std::vector<Client*> free_;            // ready, without a request
    unsigned to_open_ = 0;                 // clients_ that have never been opened
    std::size_t released_count_ = 0;       // closed loop: how many requests may be in flight by now
    std::size_t busy_count_ = 0;           // requests in flight
    std::size_t closing_count_ = 0;        // closing: connections that are not closed yet
    std::uint64_t unfinished_count_ = 0;   // streams that the end of the run cut
    std::atomic<unsigned> opened_{0};      // connections that are open now
    std::atomic<unsigned> open_failures_{0};
    std::atomic<Error> open_error_{Error{}};
    Command<&Worker::run_begin> begin_{*this};
    Command<&Worker::run_finish> finish_{*this};
    Command<&Worker::run_abandon> abandon_{*this};
    Command<&Worker::pump_due> due_{*this};
    Pacer pacer_;
    Timer timer_;  // releasing clients one after the other; then the drain
    std::thread thread_;
};

}  // namespace nodex::bench
