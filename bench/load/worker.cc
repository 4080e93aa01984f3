// Opening, pumping, draining.
#include "bench/load/worker.h"

#include <csignal>

namespace nodex::bench {
namespace {

constexpr unsigned opening_at_once_max = 64;  // handshakes in flight: fewer than any listener's backlog
constexpr Nanoseconds reopen_delay = 10 * millisecond;
constexpr Nanoseconds release_interval = 2 * millisecond;

void block_signals() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

Result<std::unique_ptr<Worker>> Worker::create(const Options& options, const SocketAddress& address,
                                               Share share) {
    auto loop = UringLoop::create({});
    if (!loop) return loop.error();
    std::shared_ptr<tls::ClientContext> tls;
    if (options.target.tls) {
        auto created = tls::ClientContext::create({.ca_file = options.ca_file});
        if (!created) return created.error();
        tls = std::move(*created);
    }
    return std::unique_ptr<Worker>(new Worker(options, address, share, std::move(*loop), std::move(tls)));
}

Worker::Worker(const Options& options, const SocketAddress& address, Share share,
               std::unique_ptr<UringLoop> loop, std::shared_ptr<tls::ClientContext> tls)
    : options_(options),
      share_(share),
      loop_(std::move(loop)),
      context_{*loop_, recorder_, options, request_template(options), address, std::move(tls), share.run, 0},
      to_open_(share.connections_count),
      pacer_(loop_->mailbox(), due_) {
    context_.next_number = std::uint64_t{share.index} << 48;
    ClientOwner& as_owner = *this;
    for (unsigned i = 0; i < share.connections_count; ++i)
        clients_.push_back(std::make_unique<Client>(context_, as_owner));
}

Worker::~Worker() { NX_ASSERT(!thread_.joinable()); }

void Worker::enter(WorkerPhase next) noexcept {
    NX_ASSERT(next > phase_);  // a worker only goes forward, but may skip phases
    phase_ = next;
    loop_->timers().cancel(timer_);
}

void Worker::start() {
    thread_ = std::thread([this] {
        block_signals();
        for (unsigned i = 0; i < opening_at_once_max; ++i) open_more();
        loop_->run();
    });
}
void Worker::begin(const Window& window) {
    window_ = window;
    loop_->mailbox().post(begin_);
}
void Worker::finish() { loop_->mailbox().post(finish_); }
void Worker::abandon() { loop_->mailbox().post(abandon_); }
void Worker::join() {
    thread_.join();
    pacer_.stop();
    loop_->mailbox().deliver();  // a last wake-up of the pacer's; nobody runs the loop any more
}

// --- opening ---

void Worker::open_more() noexcept {
    if (to_open_ == 0 || phase_ != WorkerPhase::opening) return;
    clients_[--to_open_]->open();
}

void Worker::client_opened(Client&) noexcept {
    opened_.store(opened_count() + 1, std::memory_order_relaxed);
    open_more();
}

void Worker::client_closed(Client& client, Error error) noexcept {
    if (client.opened()) opened_.store(opened_count() - 1, std::memory_order_relaxed);
    if (phase_ == WorkerPhase::closing) {
        NX_ASSERT(closing_count_ > 0);
        if (--closing_count_ == 0) {
            enter(WorkerPhase::done);
            loop_->stop();
        }
        return;
    }
    if (phase_ == WorkerPhase::opening && !client.opened()) {
        open_error_.store(error, std::memory_order_relaxed);
        open_failures_.store(open_failures_count() + 1, std::memory_order_relaxed);
    }
    std::erase(free_, &client);
    if (client.failed())
        client.open_at(loop_->clock().now_ns() + reopen_delay);
    else
        client.open();
}

// --- running ---

void Worker::run_begin() noexcept {
    if (phase_ != WorkerPhase::opening) return;
    recorder_.set_window(window_);
    enter(WorkerPhase::running);
    switch (options_.mode) {
        case Mode::idle: return;
        case Mode::open_loop:
            released_count_ = clients_.size();
            schedule_ = Schedule::open_loop(window_, options_.rate_per_s, share_.index, share_.workers_count);
            return pacer_.start(schedule_);
        case Mode::closed_loop: schedule_ = Schedule::closed_loop(window_); return release_more();
    }
}

// Closed loop: the first requests are spread over options.spread, so that streams do not run in step.
void Worker::release_more() noexcept {
    const Nanoseconds now_ns = loop_->clock().now_ns();
    const Nanoseconds since_start_ns = now_ns - window_.start_ns;
    if (since_start_ns >= options_.spread) {
        released_count_ = clients_.size();
    } else if (since_start_ns > 0) {
        const double part = static_cast<double>(since_start_ns) / static_cast<double>(options_.spread);
        released_count_ = static_cast<std::size_t>(static_cast<double>(clients_.size()) * part);
    }
    pump(false);
    if (since_start_ns < 0 || released_count_ < clients_.size())
        start_timer<&Worker::release_more>(loop_->timers(), timer_, now_ns + release_interval, this);
}

// Sends what is due on what is free.
void Worker::pump(bool waited) noexcept {
    if (phase_ != WorkerPhase::running && phase_ != WorkerPhase::draining) return;
    while (!free_.empty() && busy_count_ < released_count_) {
        // The server has ended it (its deadline for connections that never spoke): it opens again, and comes
        // back.
        if (free_.back()->phase() != ClientPhase::ready) {
            free_.pop_back();
            continue;
        }
        const auto intended_ns = schedule_.take(loop_->clock().now_ns());
        if (!intended_ns) return;
        Client* client = free_.back();
        free_.pop_back();
        ++busy_count_;
        client->send(*intended_ns, waited);
    }
}

void Worker::client_ready(Client& client) noexcept {
    const bool starved = free_.empty();
    free_.push_back(&client);
    pump(starved);  // what is due now has waited for a free connection, if there was none
}

void Worker::request_ended(Client&) noexcept {
    NX_ASSERT(busy_count_ > 0);
    --busy_count_;
    if (phase_ == WorkerPhase::draining && nothing_left()) close_all();
}

// --- ending ---

bool Worker::nothing_left() const noexcept {
    if (busy_count_ > 0) return false;
    return !schedule_.is_open_loop() || !schedule_.intended_ns(schedule_.taken_count());
}

void Worker::run_finish() noexcept {
    if (phase_ != WorkerPhase::running) return;
    enter(WorkerPhase::draining);
    if (nothing_left()) return close_all();
    start_timer<&Worker::drain_over>(loop_->timers(), timer_, loop_->clock().now_ns() + options_.drain, this);
}

void Worker::drain_over() noexcept {
    const Nanoseconds now_ns = loop_->clock().now_ns();
    const bool streams_go_on = options_.stream && options_.mode == Mode::closed_loop;
    for (const auto& client : clients_) {
        if (client->phase() != ClientPhase::busy) continue;
        if (streams_go_on)
            ++unfinished_count_;
        else
            recorder_.unanswered(client->intended_ns(), now_ns);
    }
    if (schedule_.is_open_loop()) {
        auto index = schedule_.taken_count();
        while (const auto intended_ns = schedule_.intended_ns(index++))
            recorder_.unanswered(*intended_ns, now_ns);
    }
    close_all();
}

void Worker::run_abandon() noexcept {
    if (phase_ < WorkerPhase::closing) close_all();
}

void Worker::close_all() noexcept {
    enter(WorkerPhase::closing);
    free_.clear();
    for (const auto& client : clients_) {
        if (client->phase() != ClientPhase::closed) ++closing_count_;
        client->close();
    }
    if (closing_count_ > 0) return;
    enter(WorkerPhase::done);
    loop_->stop();
}

}  // namespace nodex::bench
