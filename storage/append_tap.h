// AppendTap: what the commit thread has written about running answers, for whoever passes it on
// (copies at another POP, reads that wait). It carries references only: the sealed chunks stay in
// the store and are read from there, so a reader that falls behind costs no memory but a number a
// body.
#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "edge/base/ids.h"
#include "storage/id_hashes.h"
#include "storage/notice.h"
#include "storage/store.h"

namespace nodex::storage {

// What became of running answers since the last take().
struct AppendNews {
    struct Appended {
        std::uint32_t chunks_count = 0;  // stored now, counted from the first
        std::uint64_t bytes = 0;         // of the sealed chunks that are new
    };
    std::vector<std::string> opened;  // encoded OpenRequest
    std::unordered_map<BodyId, Appended, BodyIdHash> appended;
    std::vector<std::string> finished;  // encoded Answer
    std::vector<RequestId> ended;       // finished or released
    bool overflowed = false;            // more happened than was kept: look at the store

    [[nodiscard]] bool empty() const noexcept {
        return opened.empty() && appended.empty() && finished.empty() && ended.empty() &&
               !overflowed;
    }
};

class AppendTap {
  public:
    // The listener's thread; `notify` runs there after a batch that added something, at most one
    // mail outstanding. While nobody listens record() costs one load.
    void listen(Mailbox& mailbox, OperationDone notify) noexcept;
    void stop_listening() noexcept;  // as Notice::off
    // Without a mailbox (tests, the simulator): whoever calls record() also calls take().
    void listen() noexcept { listening_.store(true, std::memory_order_release); }

    // The writer, when `batch` is in the store. At limits::append_news_max objects the rest is
    // dropped and news say so.
    void record(const Batch& batch);
    [[nodiscard]] AppendNews take();

  private:
    [[nodiscard]] bool has_room() noexcept;

    std::atomic<bool> listening_{false};
    std::mutex mutex_;  // guards news_
    AppendNews news_;
    Notice notice_;
};

}  // namespace nodex::storage
