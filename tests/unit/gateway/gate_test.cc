// Keys that may be in use at another POP: what waits for the centre's word, and what it does.
#include "tests/unit/gateway/gateway_world.h"

namespace nodex::gateway {
namespace {

class Gates : public GatewayWorld {
  protected:
    static WorldOptions options() {
        WorldOptions options;
        options.only_pop = false;
        return options;
    }
    Gates() : GatewayWorld(options()) {}
    // Money is here, the centre is not.
    void cut_off() {
        lend(10'000);
        network_.cut(0, true);
    }
    static Fields sdk_retry() {
        return {{"X-Stainless-Lang", "js"}, {"X-Stainless-Retry-Count", "1"}};
    }
};

TEST_F(Gates, AStopWhileAStrictClaimWaitsCallsNobody) {
    cut_off();
    RawClient& client = send(chat(chat_body(true), "key-1", sdk_retry()));
    gateway_->stop_runs();
    settle();
    EXPECT_EQ(calls(), 0u);
    EXPECT_EQ(answer_of(client).status, 503) << client.received;
    EXPECT_EQ(reserved(), 0);
}

}  // namespace
}  // namespace nodex::gateway
