// The Store contract over both worlds: RocksDB in a temporary directory, and the simulated disk.
#include "tests/contract/store_contract.h"

#include "storage/rocks_store.h"
#include "storage/sim_store.h"
#include "tests/unit/storage/temporary_directory.h"

namespace nodex::storage {
namespace {

class SimWorld final : public StoreWorld {
  public:
    Store& store() override { return store_; }
    void reopen() override { store_.crash_process(); }

  private:
    SimStore store_;
};

class RocksWorld final : public StoreWorld {
  public:
    RocksWorld() { reopen(); }
    Store& store() override { return *store_; }
    void reopen() override {
        store_.reset();
        auto opened = RocksStore::open({.path = directory_.path() + "/data"});
        NX_ASSERT(opened.has_value());
        store_ = std::move(*opened);
    }

  private:
    TemporaryDirectory directory_;
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
