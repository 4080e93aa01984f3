// The Store contract over both worlds: RocksDB in a temporary directory, and the simulated disk.
#include "tests/contract/store_contract.h"

#include <atomic>
#include <thread>

#include "storage/rocks_store.h"
#include "storage/sim_store.h"
#include "tests/unit/storage/temporary_directory.h"

namespace nodex::storage {
namespace {

class SimWorld final : public StoreWorld {
  public:
    Store& store() override { return store_; }
    void reopen() override { store_.crash_process(); }
    void hold_writer() override { store_.set_busy(true); }
    void release_writer() override { store_.set_busy(false); }

  private:
    SimStore store_;
};

class RocksWorld final : public StoreWorld {
  public:
    RocksWorld() { reopen(); }
    Store& store() override { return *store_; }
    void reopen() override {
        store_.reset();
        RocksOptions options;
        options.path = directory_.path() + "/data";
        options.clock = &clock_;
        options.free_bytes = [this](const std::string&) { return measure(); };
        auto opened = RocksStore::open(options);
        NX_ASSERT(opened.has_value());
        store_ = std::move(*opened);
    }
    // A writer that finds its last look at the free space too old looks again, and is kept there.
    void hold_writer() override {
        clock_.advance(2 * second);
        holding_.store(true);
        writer_ = std::thread([this] {
            Batch batch;
            batch.put(Family::lease, "of the writer", "inside");
            NX_ASSERT(store_->write(batch, Durability::process).has_value());
        });
        inside_.wait(false);
    }
    void release_writer() override {
        holding_.store(false);
        holding_.notify_all();
        writer_.join();
    }

  private:
    std::uint64_t measure() {
        if (holding_.load()) {
            inside_.store(true);
            inside_.notify_all();
            holding_.wait(true);
        }
        return std::uint64_t{1} << 40;
    }

    TemporaryDirectory directory_;
    ManualClock clock_;
    std::atomic<bool> holding_{false};
    std::atomic<bool> inside_{false};
    std::thread writer_;
    std::unique_ptr<RocksStore> store_;
};

template <class World>
std::unique_ptr<StoreWorld> make() {
    return std::make_unique<World>();
}

INSTANTIATE_TEST_SUITE_P(Worlds, StoreContract,
                         ::testing::Values(StoreWorldFactory{"Sim", make<SimWorld>},
                                           StoreWorldFactory{"Rocks", make<RocksWorld>}),
                         [](const auto& world) { return std::string(world.param.name); });

}  // namespace
}  // namespace nodex::storage
