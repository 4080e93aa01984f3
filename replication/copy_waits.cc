// CopyWaits: see the header.
#include "replication/copy_waits.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "edge/base/limits.h"
#include "edge/base/log.h"

namespace nodex::replication {

void CopyWaits::ask(const Ask& ask, Done done) {
    const std::optional<std::uint32_t> acknowledged = sender_.acknowledged(ask.request);
    if (!acknowledged) {
        if (!sender_.has_buddy()) fall_behind("there is no other POP");
        return answer(ask, done, ask.ended ? Word::copied : Word::alone);
    }
    if (!ask.whole && *acknowledged >= ask.chunks) return answer(ask, done, Word::copied);
    if (!behind_) return add(ask, std::move(done));
    answer(ask, done, Word::alone);
    if (waits_.empty()) add(ask, {});
}

void CopyWaits::add(const Ask& ask, Done done) {
    const std::uint64_t number = ++last_number_;
    waits_.emplace(number, Wait{ask, std::move(done), clock_.now_ns() + limits::copy_wait_max});
    by_request_.emplace(ask.request, number);
}

// What was shown without its copy need not be kept from other POPs either.
void CopyWaits::answer(const Ask& ask, const Done& done, Word word) {
    if (word == Word::alone) sender_.show_alone(ask.request);
    ++(word == Word::copied ? copied_count_ : alone_count_);
    done(word);
}

void CopyWaits::end(Waits::iterator wait, Word word) {
    const Wait ended = std::move(wait->second);
    const auto [first, last] = by_request_.equal_range(ended.ask.request);
    by_request_.erase(
        std::find_if(first, last, [&](const auto& each) { return each.second == wait->first; }));
    waits_.erase(wait);
    if (ended.done) return answer(ended.ask, ended.done, word);
    if (word == Word::copied) catch_up();
}

void CopyWaits::progressed(const RequestId& request, std::uint32_t chunks,
                           CopySender::Ending ending) {
    std::vector<std::uint64_t> numbers;
    const auto [first, last] = by_request_.equal_range(request);
    for (auto each = first; each != last; ++each) numbers.push_back(each->second);
    std::sort(numbers.begin(), numbers.end());  // as they were asked
    for (const std::uint64_t number : numbers) {
        const auto wait = waits_.find(number);
        const Ask& asked = wait->second.ask;
        if (ending == CopySender::Ending::given_up)
            end(wait, Word::alone);
        else if (ending == CopySender::Ending::whole || (!asked.whole && chunks >= asked.chunks))
            end(wait, Word::copied);
    }
}

// One that is late makes all go on: they wait for the same buddy.
void CopyWaits::tick() {
    if (waits_.empty() || waits_.begin()->second.until_ns > clock_.now_ns()) return;
    fall_behind("the buddy does not answer in time");
    stop();
}

void CopyWaits::stop() {
    while (!waits_.empty()) end(waits_.begin(), Word::alone);
}

void CopyWaits::fall_behind(const char* reason) {
    if (std::exchange(behind_, true)) return;
    log::warning(
        "stream_copies_behind",
        {{"reason", reason},
         {"advice",
          "events go to clients before they are at another POP: what they have seen may be "
          "lost with this one"}});
}

void CopyWaits::catch_up() {
    behind_ = false;
    log::info("stream_copies_level");
}

}  // namespace nodex::replication
