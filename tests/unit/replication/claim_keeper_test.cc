// ClaimKeeper: what it does not ask.
#include "replication/claim_keeper.h"

#include <gtest/gtest.h>

#include "edge/base/limits.h"
#include "tests/unit/replication/pop_world.h"

namespace nodex::replication {
namespace {

// The centre takes a grant for the word that its request began when the key was free.
TEST(ClaimKeeper, WhatWaitedThroughAPauseOfTheProcessIsNotAskedAnyMore) {
    PopWorld world(1);
    const AccountId account = world.make_account();
    ASSERT_TRUE(world.served(world.start(0)));
    ClaimKeeper& claims = world.pops[0]->core->claims();
    for (const Nanoseconds pause : {millisecond, limits::claim_deadline_max + second}) {
        const std::uint64_t sent = claims.requests_sent();
        bool told = false;
        std::optional<ClaimReply::Entry> word;
        ClaimRequest::Entry asked_for{ClaimOp::acquire, account, {}, {}, {}, 0};
        asked_for.idempotency.octets.fill(4);
        asked_for.request.octets.fill(6);
        claims.ask(asked_for, [&](const std::optional<ClaimReply::Entry>& answer) {
            told = true;
            word = answer;
        });
        world.step(pause);
        const bool asked = pause < limits::claim_deadline_max;
        EXPECT_EQ(claims.requests_sent(), sent + (asked ? 1 : 0));
        ASSERT_TRUE(world.until([&] { return told; }));
        EXPECT_EQ(word.has_value(), asked);
        EXPECT_EQ(claims.waiting(), 0u);
    }
}

}  // namespace
}  // namespace nodex::replication
