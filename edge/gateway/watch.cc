// The two ends of a watch.
#include "edge/gateway/watch.h"

#include "edge/gateway/exchange.h"
#include "edge/gateway/gateway.h"
#include "edge/gateway/run.h"

namespace nodex::gateway {

Watch::Watch(Gateway& home, Exchange& exchange) noexcept
    : home_(home),
      exchange_(exchange),
      request_([](Mail& mail) noexcept { static_cast<Request&>(mail).watch.request_arrived(); },
               *this),
      progress_([](Mail& mail) noexcept { static_cast<Progress&>(mail).watch.progress_arrived(); },
                *this) {}

void Watch::begin(const storage::Owner& owner) noexcept {
    NX_ASSERT(phase_ == Phase::idle);
    phase_ = Phase::watching;
    owner_ = owner;
    ending_ = answered_ = end_wanted_ = false;
    chunks_ = 0;
    key_record_.clear();
    word_.store(0, std::memory_order_relaxed);
    home_.peer_mailbox(owner.core).post(request_);
}

void Watch::end() noexcept {
    if (phase_ != Phase::watching) return;
    phase_ = Phase::releasing;
    if (answered_)
        ask_release();
    else
        end_wanted_ =
            true;  // the first request is still with the run's thread; its answer lets us go on
}

void Watch::ask_release() noexcept {
    ending_ = true;
    home_.peer_mailbox(owner_.core).post(request_);
}

// The run's thread: a registration or a release.
void Watch::request_arrived() noexcept {
    Run* run = home_.peer(owner_.core).find_run(owner_.slot, owner_.generation);
    if (ending_) {
        if (run != nullptr) run->remove_watch(*this);
        return leave(Leave::released);  // also when the run has left already: the watcher waits for
                                        // this word
    }
    if (run == nullptr) return leave(Leave::gone);
    run->add_watch(*this);
}

void Watch::publish(std::uint32_t chunks) noexcept {
    tell(chunks);
}

void Watch::leave(Leave how) noexcept {
    const std::uint64_t chunks = word_.load(std::memory_order_relaxed) & count_mask;
    switch (how) {
        case Leave::finished: return tell(chunks | finished);
        case Leave::gone: return tell(chunks | gone);
        case Leave::released: return tell(chunks | released);
    }
}

void Watch::tell(std::uint64_t bits) noexcept {
    // One exchange decides who posts: only the change from read to unread sends mail, so it is
    // never posted twice.
    const std::uint64_t before = word_.exchange(bits | unread, std::memory_order_acq_rel);
    if ((before & unread) == 0) home_.loop().mailbox().post(progress_);
}

void Watch::progress_arrived() noexcept {
    const std::uint64_t word =
        word_.fetch_and(~static_cast<std::uint64_t>(unread), std::memory_order_acq_rel);
    chunks_ = static_cast<std::uint32_t>(word & count_mask);
    answered_ = true;
    const bool has_left = (word & (finished | gone)) != 0;
    if (phase_ == Phase::releasing) {
        // Once a release is asked for, only its answer ends the watch: the run's thread may still
        // hold our mail.
        if (end_wanted_ && !has_left) {
            end_wanted_ = false;
            return ask_release();
        }
        if (!end_wanted_ && (word & released) == 0) return;
        phase_ = Phase::idle;
        return exchange_.watch_released();
    }
    NX_ASSERT(phase_ == Phase::watching);
    if (has_left) phase_ = Phase::idle;
    if ((word & gone) != 0) return exchange_.watch_gone();
    exchange_.watch_progress();
}

}  // namespace nodex::gateway
