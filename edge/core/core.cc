// One core's parts, its thread, and its orderly end.
#include "edge/core/core.h"

#include "edge/base/log.h"
#include "edge/base/thread_role.h"
#include "edge/crypto/crypto.h"

namespace nodex::core {
namespace {

constexpr Nanoseconds drain_poll = 20 * millisecond;
constexpr Nanoseconds stopping_grace =
    2 * second;                                    // for in-protocol ends to be written and settled
constexpr Nanoseconds cutting_grace = 3 * second;  // for sockets to close

}  // namespace

Core::Core(std::uint16_t index, std::unique_ptr<UringLoop> loop, gateway::Shared& shared,
           upstream::Resolver& resolver, CoreUpdate initial,
           std::shared_ptr<const replication::Directory> directory)
    : index_(index),
      loop_(std::move(loop)),
      upstream_(std::make_unique<upstream::Upstream>(*loop_, initial.endpoints, resolver,
                                                     crypto::secure_random())),
      gateway_(std::make_unique<gateway::Gateway>(*loop_, index, shared, *upstream_,
                                                  crypto::secure_random(), initial.settings,
                                                  std::move(directory))),
      acceptor_options_(initial.acceptor_options),
      context_(initial.context),
      update_parcel_(loop_->mailbox(), *this),
      directory_parcel_(loop_->mailbox(), *this),
      drain_parcel_(loop_->mailbox(), *this) {}

Core::~Core() {
    NX_ASSERT(!thread_.joinable());
}

void Core::add_listener(int listener, bool secure) {
    auto& list = secure ? secure_acceptors_ : acceptors_;
    list.push_back(std::make_unique<Acceptor>(*loop_, *gateway_, listener,
                                              secure ? context_ : nullptr, acceptor_options_));
}

void Core::add_admin(int listener, replication::Agent& agent, std::function<std::string()> status,
                     bool reads_bodies) {
    admin_ = std::make_unique<admin::AdminHandler>(*loop_, agent, std::move(status), reads_bodies);
    local_acceptors_.push_back(
        std::make_unique<Acceptor>(*loop_, *admin_, listener, nullptr, AcceptorOptions{}));
}

void Core::add_metrics(int listener, MetricsSources sources, std::function<bool()> ready) {
    metrics_ = std::make_unique<metrics::MetricsHandler>(
        [sources = std::move(sources)] { return metrics_text(sources); }, std::move(ready));
    local_acceptors_.push_back(
        std::make_unique<Acceptor>(*loop_, *metrics_, listener, nullptr, AcceptorOptions{}));
}

void Core::start() {
    thread_ = std::thread([this] { run(); });
}

void Core::run() noexcept {
    begin_loop_thread(("nodex-loop-" + std::to_string(index_)).c_str());
    for (auto* list : {&acceptors_, &secure_acceptors_, &local_acceptors_})
        for (const auto& acceptor : *list) acceptor->start();
    // The first publish runs as a timer, from the loop: then the ring is enabled and bound to this
    // thread.
    start_timer<&Core::publish_status>(loop_->timers(), status_timer_, 0, this);
    loop_->run();
    log::flush_access();
}

void Core::wait_running() {
    running_.wait(false);
}

void Core::join() {
    thread_.join();
}

void Core::publish_status() noexcept {
    {
        const std::lock_guard guard(status_lock_);
        status_ = upstream_->status();
    }
    log::flush_access();
    std::uint32_t connections = 0;
    for (auto* list : {&acceptors_, &secure_acceptors_})
        for (const auto& acceptor : *list) connections += acceptor->connections_count();
    connections_.store(connections, std::memory_order_relaxed);
    if (!running_.exchange(true)) running_.notify_all();
    start_timer<&Core::publish_status>(loop_->timers(), status_timer_, loop_->now_ns() + second,
                                       this);
}

std::vector<upstream::EndpointStatus> Core::endpoint_status() {
    const std::lock_guard guard(status_lock_);
    return status_;
}

void Core::receive_update(CoreUpdate update) {
    gateway_->replace_settings(std::move(update.settings));
    upstream_->replace_endpoints(std::move(update.endpoints));
    context_ = update.context;
    for (const auto& acceptor : secure_acceptors_) acceptor->replace_context(context_);
    for (auto* list : {&acceptors_, &secure_acceptors_})
        for (const auto& acceptor : *list) acceptor->replace_options(update.acceptor_options);
}

void Core::receive_directory(std::shared_ptr<const replication::Directory> directory) {
    gateway_->replace_directory(std::move(directory));
}

void Core::receive_drain(Nanoseconds deadline_ns) {
    if (drain_ != Drain::none) return;
    drain_ = Drain::finishing;
    drain_deadline_ns_ = deadline_ns;
    gateway_->drain();
    for (auto* list : {&acceptors_, &secure_acceptors_})
        for (const auto& acceptor : *list) acceptor->drain();
    drain_step();
}

// New work was refused before this; now old work ends, by itself or, past each deadline, by us.
void Core::drain_step() noexcept {
    const Nanoseconds now = loop_->now_ns();
    bool drained = gateway_->idle();
    for (auto* list : {&acceptors_, &secure_acceptors_})
        for (const auto& acceptor : *list) drained = drained && acceptor->drained();
    if (drain_ != Drain::closing_local && drained) {
        drain_ = Drain::closing_local;
        upstream_->close_idle();
        for (const auto& acceptor : local_acceptors_) acceptor->drain();
        drain_deadline_ns_ = now + cutting_grace;
    } else if (now >= drain_deadline_ns_) {
        switch (drain_) {
            case Drain::none: NX_ASSERT(false);
            case Drain::finishing:
                log::warning("drain_deadline", {{"core", unsigned{index_}},
                                                {"action", "ending streams in-protocol"}});
                drain_ = Drain::stopping;
                gateway_->stop_runs();
                drain_deadline_ns_ = now + stopping_grace;
                break;
            case Drain::stopping:
            case Drain::cutting:
                drain_ = Drain::cutting;
                for (auto* list : {&acceptors_, &secure_acceptors_})
                    for (const auto& acceptor : *list) acceptor->abort_all();
                drain_deadline_ns_ = now + cutting_grace;
                break;
            case Drain::closing_local:
                for (const auto& acceptor : local_acceptors_) acceptor->abort_all();
                upstream_->close_idle();
                drain_deadline_ns_ = now + cutting_grace;
                break;
        }
    }
    if (drain_ == Drain::closing_local) {
        bool closed = upstream_->idle();
        for (const auto& acceptor : local_acceptors_) closed = closed && acceptor->drained();
        if (closed) {
            loop_->timers().cancel(status_timer_);
            return loop_->stop();
        }
    }
    start_timer<&Core::drain_step>(loop_->timers(), drain_timer_, now + drain_poll, this);
}

}  // namespace nodex::core
