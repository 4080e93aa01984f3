// What the loop adds to the kernel's work: messages between pairs of sockets on one ring, timers, a wake-up
// by another thread. Sketch: a message of 200 octets through a Unix socket costs the kernel 1 to 1.5 us for
// both ends; bookkeeping of two completions is 0.05, entering the ring 0.3 shared by all pairs of a turn: 3
// us with one pair (an enter a message), below 2 with 64. A timer is armed and cancelled in 0.03. Mail to a
// thread and back: two wake-ups, 8 to 15 us.
#include <benchmark/benchmark.h>
#include <sys/socket.h>

#include <string>
#include <thread>
#include <vector>

#include "edge/base/parker.h"
#include "edge/io/uring_loop.h"

namespace nodex {
namespace {

std::unique_ptr<UringLoop> make_loop() {
    UringOptions options;
    options.recv_buffers_count = 1'024;
    auto loop = UringLoop::create(options);
    NX_ASSERT(loop.has_value());
    return std::move(*loop);
}

// One end sends a message, the other one returns it.
class Pair {
  public:
    explicit Pair(UringLoop& loop) : loop_(loop) {
        NX_ASSERT(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends_) == 0);
        loop.io().recv(receiving_[0], ends_[0], then<&Pair::returned>(this));
        loop.io().recv(receiving_[1], ends_[1], then<&Pair::arrived>(this));
    }
    ~Pair() { NX_ASSERT(closed()); }
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;

    void send(std::size_t& outstanding) noexcept {
        outstanding_ = &outstanding;
        loop_.io().send(sending_[0], ends_[0], message_, then<&Pair::sent>(this));
    }
    void close() noexcept {
        for (int end = 0; end < 2; ++end) loop_.io().cancel(receiving_[end]);
    }
    [[nodiscard]] bool closed() const noexcept { return closed_ == 2; }

  private:
    void sent(std::int32_t result) noexcept { NX_ASSERT(result == 200); }
    void arrived(std::int32_t result) noexcept {
        if (result <= 0) return ended(1);
        loop_.io().send(sending_[1], ends_[1], message_, then<&Pair::sent>(this));
    }
    void returned(std::int32_t result) noexcept {
        if (result <= 0) return ended(0);
        if (--*outstanding_ == 0) loop_.stop();
    }
    void ended(int end) noexcept {
        NX_ASSERT(!receiving_[end].in_flight());
        loop_.io().close(closing_[end], ends_[end], then<&Pair::end_closed>(this));
    }
    void end_closed(std::int32_t) noexcept {
        ++closed_;
        loop_.stop();
    }

    UringLoop& loop_;
    const std::string message_ = std::string(200, 'm');
    int ends_[2] = {-1, -1};
    int closed_ = 0;
    std::size_t* outstanding_ = nullptr;
    Completion receiving_[2], sending_[2], closing_[2];
};

void echo_between_pairs(benchmark::State& state) {
    const auto count = static_cast<std::size_t>(state.range(0));
    const auto loop = make_loop();
    std::vector<std::unique_ptr<Pair>> pairs;
    for (std::size_t i = 0; i < count; ++i) pairs.push_back(std::make_unique<Pair>(*loop));
    const std::uint64_t enters_before = loop->stats().enters;
    for ([[maybe_unused]] auto _ : state) {
        std::size_t outstanding = count;
        for (const auto& pair : pairs) pair->send(outstanding);
        loop->run();
        NX_ASSERT(outstanding == 0);
    }
    const auto messages = static_cast<double>(state.iterations()) * static_cast<double>(count) * 2;
    state.SetItemsProcessed(static_cast<std::int64_t>(messages));
    state.counters["enters_a_message"] =
        static_cast<double>(loop->stats().enters - enters_before) / messages;
    for (const auto& pair : pairs) pair->close();
    for (const auto& pair : pairs)
        while (!pair->closed()) loop->run();
}
BENCHMARK(echo_between_pairs)->Arg(1)->Arg(64)->Arg(512);

// As a deadline that is armed with each request and nearly never fires.
void arm_and_cancel_timer(benchmark::State& state) {
    const auto loop = make_loop();
    std::vector<Timer> timers(1'000);
    struct Owner {
        void fired() noexcept {}
    } owner;
    std::size_t next = 0;
    for ([[maybe_unused]] auto _ : state) {
        Timer& timer = timers[next++ % timers.size()];
        loop->timers().cancel(timer);
        start_timer<&Owner::fired>(loop->timers(), timer, loop->now_ns() + 30 * second, &owner);
    }
    for (Timer& timer : timers) loop->timers().cancel(timer);
}
BENCHMARK(arm_and_cancel_timer);

// Posts itself to a thread that sends it back, as an operation goes to the commit thread.
class RoundTrip {
  public:
    explicit RoundTrip(UringLoop& loop) : loop_(loop), mail_(*this) {
        thread_ = std::thread([this] {
            while (!stopping_.load(std::memory_order_acquire)) {
                there_.deliver();
                if (there_.may_sleep()) parker_.park(100 * millisecond);
            }
        });
    }
    ~RoundTrip() {
        stopping_.store(true, std::memory_order_release);
        parker_.wake();
        thread_.join();
    }
    RoundTrip(const RoundTrip&) = delete;
    RoundTrip& operator=(const RoundTrip&) = delete;
    void run() {
        away_ = true;
        there_.post(mail_);
        loop_.run();
    }

  private:
    struct Link final : Mail {
        explicit Link(RoundTrip& the_owner) noexcept : Mail(&RoundTrip::arrived), owner(the_owner) {}
        RoundTrip& owner;
    };
    static void arrived(Mail& mail) noexcept {
        RoundTrip& self = static_cast<Link&>(mail).owner;
        if (!self.away_) return self.loop_.stop();
        self.away_ = false;
        self.loop_.mailbox().post(mail);
    }

    UringLoop& loop_;
    Link mail_;
    bool away_ = false;
    Parker parker_;
    Mailbox there_{parker_};
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

void mail_to_a_thread_and_back(benchmark::State& state) {
    const auto loop = make_loop();
    RoundTrip trip(*loop);
    for ([[maybe_unused]] auto _ : state) trip.run();
}
BENCHMARK(mail_to_a_thread_and_back)->UseRealTime();

}  // namespace
}  // namespace nodex

BENCHMARK_MAIN();
