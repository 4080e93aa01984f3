// PurgeThread: see the header.
#include "storage/purge_thread.h"

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "edge/base/limits.h"
#include "edge/base/log.h"
#include "edge/base/thread_role.h"
#include "storage/keyspace.h"

namespace nodex::storage {
namespace {

constexpr unsigned marks_max = 65'536;  // taken away by one pass; the rest by the next

}  // namespace

Status erase_body_key(const BodyId& body, Store& store, Batch& batch) {
    if (body.is_zero()) return {};
    const auto row = store.get(Family::dek, dek_key(body).view());
    if (!row) return row.error();
    if (!row->has_value()) return {};
    batch.erase(Family::dek, dek_key(body).view());
    mark_for_purge(body.view(), batch);
    return {};
}

void mark_for_purge(Bytes what, Batch& batch) {
    batch.put(Family::meta, std::string(purge_marks) + std::string(what), {});
}

// Marks that come while the files are rewritten stay: their keys may be in the new files.
Result<unsigned> purge_marked(RocksStore& store) {
    std::vector<std::string> marks;
    const Status scanned =
        store.scan(Family::meta, purge_marks, purge_marks_end, [&](Bytes key, Bytes) {
            marks.emplace_back(key);
            return marks.size() < marks_max;
        });
    if (!scanned) return scanned.error();
    if (marks.empty()) return 0u;
    for (const Family family : {Family::dek, Family::meta, Family::c_kek})
        if (const Status purged = store.purge(family); !purged) return purged.error();
    Batch batch;
    for (const std::string& mark : marks) batch.erase(Family::meta, mark);
    // A loss of power repeats the pass.
    if (const Status written = store.write(batch, Durability::process); !written)
        return written.error();
    return static_cast<unsigned>(marks.size());
}

PurgeThread::Pass purge_pass(RocksStore& store) {
    return [&store]() -> Result<unsigned> {
        Result<unsigned> purged = purge_marked(store);
        if (!purged && store.failed()) return 0u;
        return purged;
    };
}

struct PurgeThread::State {
    explicit State(Pass given) : pass(std::move(given)) {}
    void run();

    const Pass pass;
    std::mutex mutex;
    std::condition_variable ended;
    bool stopping = false;  // guarded by mutex
    std::thread thread;
};

void PurgeThread::State::run() {
    begin_helper_thread("nodex-purge");
    std::unique_lock lock(mutex);
    while (!stopping) {
        lock.unlock();
        const Result<unsigned> purged = pass();
        if (!purged)
            log::error("purge_failed", {{"error", purged.error()},
                                        {"advice",
                                         "destroyed keys are still in files; it is tried "
                                         "again in a minute"}});
        if (purged && *purged > 0) log::info("destroyed_keys_purged", {{"count", *purged}});
        lock.lock();
        ended.wait_for(lock, std::chrono::nanoseconds(limits::purge_interval),
                       [this] { return stopping; });
    }
}

PurgeThread::PurgeThread(Pass pass) : state_(std::make_unique<State>(std::move(pass))) {
    state_->thread = std::thread([state = state_.get()] { state->run(); });
}

PurgeThread::~PurgeThread() {
    {
        const std::lock_guard lock(state_->mutex);
        state_->stopping = true;
    }
    state_->ended.notify_all();
    state_->thread.join();
}

}  // namespace nodex::storage
