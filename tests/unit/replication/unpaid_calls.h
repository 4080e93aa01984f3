// Requests that cost nothing, to fill an outbox with.
#pragma once
#include "tests/unit/replication/pop_world.h"
#include "tests/unit/replication/request_ids.h"

namespace nodex::replication {

// `count` requests of POP 1, claimed and finished in one write: as many settlements in its outbox.
// `requests`: how many it had before, and has then.
inline void settle_unpaid(PopWorld& world, AccountId account, unsigned count,
                          std::uint64_t& requests) {
    PopWorld::Pop& pop = *world.pops[0];
    storage::Batch batch;
    for (unsigned i = 0; i < count; ++i) {
        storage::OpenRequest open;
        ++requests;
        open.request_id = request_of(PopId{1}, requests);
        open.account = account;
        NX_ASSERT(pop.journal->claim(open, {}, world.clock.wall_ms(), batch).has_value());
        storage::Finish done;
        done.request_id = done.answer.request_id = open.request_id;
        done.settlement.emplace();
        done.settlement->request_id = open.request_id;
        done.settlement->account = account;
        NX_ASSERT(pop.journal->finish(done, batch).has_value());
    }
    NX_ASSERT(pop.store.write(batch, storage::Durability::power).has_value());
    pop.core->outbox_grew();
}

}  // namespace nodex::replication
