// SimPop: see the header.
#include "tests/sim/sim_pop.h"

#include <unistd.h>

#include <filesystem>

namespace nodex::replication {
namespace {

struct Folder {
    std::string path =
        (std::filesystem::temp_directory_path() / ("nodex_sim_" + std::to_string(::getpid())))
            .string();
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() { std::filesystem::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
};

}  // namespace

const std::string& sim_folder() {
    static const Folder folder;
    return folder.path;
}

void SimCommits::run() {
    for (std::size_t left = calls_.size(); left > 0; --left) {
        const Call call = std::move(calls_.front());
        calls_.pop_front();
        storage::Batch batch;
        Status status = call.work(journal_, store_, batch);
        if (status && !batch.empty()) {
            const bool synced = call.durable == Durable::synced;
            status = store_.write(
                batch, synced ? storage::Durability::power : storage::Durability::process);
        }
        call.done(status);
    }
}

std::unique_ptr<storage::SimStore> copy_of(storage::SimStore& disk) {
    storage::Batch batch;
    for (std::size_t i = 0; i < static_cast<std::size_t>(storage::Family::count); ++i) {
        const auto family = static_cast<storage::Family>(i);
        const Status read = disk.scan(family, {}, {}, [&](Bytes key, Bytes value) {
            batch.put(family, key, value);
            return true;
        });
        NX_ASSERT(read.has_value());
    }
    auto copy = std::make_unique<storage::SimStore>();
    NX_ASSERT(copy->write(batch, storage::Durability::power).has_value());
    return copy;
}

}  // namespace nodex::replication
