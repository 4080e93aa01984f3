// PayingPop: a POP with one customer whose requests are reserved, finished and settled, without a
// gateway.
#pragma once
#include "tests/unit/replication/pop_world.h"
#include "tests/unit/replication/request_ids.h"

namespace nodex::replication {

struct PayingPop : testing::Test {
    static constexpr AccountId account{1};
    static constexpr LeaseKey scope{LeaseKey::Kind::account, 1};
    static constexpr Nano unit = nano_per_unit;

    PopWorld world{1};
    std::uint64_t requests = 0;

    PopWorld::Pop& pop() { return *world.pops[0]; }
    Nano balance() { return (*world.ledger.account(account))->posted; }
    void SetUp() override {
        world.make_account();
        ASSERT_TRUE(world.ledger.top_up(account, 100 * unit, "first", world.clock.wall_ms()));
        ASSERT_TRUE(world.served(world.start(0)));
    }
    // A paid request from its reservation to the ledger's mark, as a client sees it done.
    void spend(Nano amount) {
        reserve(amount);
        finish(amount);
        ASSERT_TRUE(world.until([&] { return all_applied(); }));
    }
    void check_ledger() {
        const Result<LedgerAudit> audit = world.ledger.check_invariants();
        ASSERT_TRUE(audit);
        EXPECT_TRUE(audit->sound()) << audit->first_problem;
    }
    bool all_applied() { return pop().core->shipper().applied() == pop().journal->outbox().last; }
    void reserve(Nano amount) {
        std::optional<AskVerdict> verdict;
        pop().core->leases().ask(scope, {}, amount,
                                 [&](AskVerdict told, LeaseScope* from, LeaseScope*) {
                                     verdict = told;
                                     lease = from;
                                 });
        ASSERT_TRUE(world.until([&] { return verdict.has_value(); }));
        ASSERT_EQ(*verdict, AskVerdict::reserved);
        open = {};
        ++requests;
        open.request_id = request_of(PopId{1}, requests);
        open.account = account;
        open.key = KeyId{1};
        open.reservation = {amount, lease->generation(), 0, 1};
        storage::Batch batch;
        ASSERT_TRUE(pop().journal->claim(open, {}, world.clock.wall_ms(), batch).has_value());
        ASSERT_TRUE(pop().store.write(batch, storage::Durability::power));
    }
    void finish(Nano amount) {
        storage::Finish done;
        done.request_id = open.request_id;
        done.answer.request_id = open.request_id;
        storage::Settlement settlement;
        settlement.request_id = open.request_id;
        settlement.account = account;
        settlement.key = open.key;
        settlement.reservation = open.reservation;
        settlement.amount = amount;
        done.settlement = settlement;
        storage::Batch batch;
        ASSERT_TRUE(pop().journal->finish(done, batch).has_value());
        ASSERT_TRUE(pop().store.write(batch, storage::Durability::power));
        lease->settle(open.reservation.amount, amount);
        pop().core->outbox_grew();
    }

    storage::OpenRequest open;
    LeaseScope* lease = nullptr;
};

}  // namespace nodex::replication
