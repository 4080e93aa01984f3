// AppendTap: reads a batch that was written; see the header.
#include "storage/append_tap.h"

#include <algorithm>

#include "edge/base/limits.h"
#include "storage/keyspace.h"

namespace nodex::storage {

void AppendTap::listen(Mailbox& mailbox, OperationDone notify) noexcept {
    notice_.on(mailbox, notify);
    listening_.store(true, std::memory_order_release);
}

void AppendTap::stop_listening() noexcept {
    listening_.store(false, std::memory_order_release);
    notice_.off();
    const std::lock_guard lock(mutex_);
    news_ = {};
}

bool AppendTap::has_room() noexcept {
    const std::size_t count =
        news_.opened.size() + news_.appended.size() + news_.finished.size() + news_.ended.size();
    if (count >= limits::append_news_max) news_.overflowed = true;
    return !news_.overflowed;
}

void AppendTap::record(const Batch& batch) {
    if (!listening_.load(std::memory_order_acquire)) return;
    {
        const std::lock_guard lock(mutex_);
        for (std::size_t i = 0; i < batch.count() && has_room(); ++i) {
            const Batch::Change change = batch.change(i);
            const bool put = change.kind == Batch::Kind::put;
            if (change.family == Family::open && put) news_.opened.emplace_back(change.value);
            if (change.family == Family::open && change.kind == Batch::Kind::erase)
                news_.ended.push_back(RequestId::from(change.key));
            if (change.family == Family::idem && put) news_.finished.emplace_back(change.value);
            if (change.family != Family::body || !put) continue;
            const std::optional<BodyKeyParts> key = parse_body_key(change.key);
            NX_ASSERT(key.has_value());
            AppendNews::Appended& appended = news_.appended[key->body];
            appended.chunks_count = std::max(appended.chunks_count, key->number + 1);
            appended.bytes += change.value.size();
        }
        if (news_.empty()) return;
    }
    notice_.post();
}

AppendNews AppendTap::take() {
    const std::lock_guard lock(mutex_);
    AppendNews taken;
    std::swap(taken, news_);
    return taken;
}

}  // namespace nodex::storage
