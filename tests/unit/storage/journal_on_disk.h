// A journal on a simulated disk, for tests of what its next life finds there.
#pragma once
#include <gtest/gtest.h>

#include "storage/journal.h"
#include "storage/sim_store.h"

namespace nodex::storage {

class JournalOnDisk : public ::testing::Test {
  protected:
    JournalOnDisk() { reopen(); }
    void reopen() {
        journal.reset();
        auto opened = Journal::open(store, random);
        NX_ASSERT(opened.has_value());
        journal = std::move(*opened);
    }
    void write(Durability durability = Durability::power) {
        ASSERT_TRUE(store.write(batch, durability).has_value());
        batch.clear();
    }

    SeededRandom random{1};
    SimStore store;
    std::unique_ptr<Journal> journal;
    Batch batch;
};

}  // namespace nodex::storage
