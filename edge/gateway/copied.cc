// Copied: with durability.stream "buddy" a stream's events are shown once this POP's buddy has
// acknowledged their copies, so that the loss of this POP takes back nothing that anybody has seen.
// Logging and settling wait for nobody; only what clients are handed does, and never for longer
// than limits::copy_wait_max (replication/copy_waits.h).
#include <algorithm>

#include "edge/gateway/exchange.h"
#include "edge/gateway/gateway.h"
#include "edge/gateway/run.h"

namespace nodex::gateway {

// One ask at a time: those chunks that become durable meanwhile are in the next.
void Run::await_copies() noexcept {
    if (copy_ask_.in_flight() || uncopied_.empty()) return;
    copy_ask_.ask = {order_.open.request_id,
                     chunks_durable_ + static_cast<std::uint32_t>(uncopied_.size()), false, false};
    gateway_.shared().agent.copy(copy_ask_, gateway_.loop().mailbox(),
                                 storage::when_done<&Run::chunks_copied>(this));
}

void Run::chunks_copied() noexcept {
    if (over_) return leave_centre();
    const std::size_t asked = copy_ask_.ask.chunks - chunks_durable_;
    const auto end =
        uncopied_.begin() + static_cast<std::ptrdiff_t>(std::min(asked, uncopied_.size()));
    const std::vector<std::size_t> shown(uncopied_.begin(), end);
    uncopied_.erase(uncopied_.begin(), end);
    for (const std::size_t plaintext_bytes : shown) show_chunk(plaintext_bytes);
    if (phase_ == Phase::settling)
        return hand_over_when_copied();  // the end's word covers the rest
    await_copies();
}

// Before B4, while the copy is known to be under way.
void Run::await_end() noexcept {
    end_ask_.ask = {order_.open.request_id, 0, true, false};
    gateway_.shared().agent.copy(end_ask_, gateway_.loop().mailbox(),
                                 storage::when_done<&Run::end_copied>(this));
}

void Run::end_copied() noexcept {
    if (over_) return leave_centre();
    hand_over_when_copied();
}

void Run::hand_over_when_copied() noexcept {
    if (settled_ && !awaits_copies()) hand_over();
}

// An answer that has just ended here may be on its way to the buddy still, and a replay shows it.
void Exchange::await_copy() noexcept {
    if (!settings_->copies_first || !chat_.stream) return follow_finished(claim_.outcome);
    const storage::Answer& answer = *claim_.outcome.answer;
    copy_ask_.ask = {answer.request_id, answer.chunks_count, true, true};
    gateway_.shared().agent.copy(copy_ask_, gateway_.loop().mailbox(),
                                 storage::when_done<&Exchange::copy_told>(this));
}

void Exchange::copy_told() noexcept {
    if (phase_ == Phase::leaving) return leave_join();
    follow_finished(claim_.outcome);
}

}  // namespace nodex::gateway
