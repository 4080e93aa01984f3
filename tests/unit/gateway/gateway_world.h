// The whole request path of a POP in one thread: clients and a scripted provider over SimIo, Gateway,
// Upstream and Acceptor on a SimLoop, the journal on a SimStore, the agent and the centre with its
// ledger over SimNetwork; one simulated clock for all of them. At its end every world proves that
// nothing is left: no reservation, no open claim, no timer, and a ledger that adds up.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "edge/connection/acceptor.h"
#include "edge/gateway/gateway.h"
#include "edge/io/sim_io.h"
#include "replication/central/central.h"
#include "replication/central/ledger.h"
#include "replication/central/memory_ledger_store.h"
#include "replication/transport_sim.h"
#include "storage/sim_store.h"
#include "tests/unit/connection/served_loop.h"
#include "tests/unit/storage/temporary_directory.h"
#include "tests/unit/upstream/provider_world.h"

namespace nodex::gateway {

using Fields = std::vector<std::pair<std::string, std::string>>;

// What a client has received, read as one answer.
struct Answer {
    int status = 0;  // 0: no whole head yet
    std::map<std::string, std::string> fields;
    std::string body;    // chunks put together
    bool whole = false;  // its framing has ended
    [[nodiscard]] std::string field(const std::string& name) const {
        const auto found = fields.find(name);
        return found == fields.end() ? std::string() : found->second;
    }
};
Answer read_answer(const std::string& received);

// --- what a provider says
std::string json_answer(const std::string& content, unsigned output_tokens = 2);
std::string stream_head();
std::string chunk(const std::string& bytes);  // of a chunked body
std::string last_chunk();
std::string event(const std::string& data);   // "data: ..." and a blank line, in a chunk of its own
std::string delta(const std::string& text);   // an event that carries text
std::string finish_event();                   // finish_reason
std::string usage_event(unsigned input, unsigned output);
std::string done_event();
std::string whole_stream(const std::string& text);  // head, a delta, the end, usage, [DONE]

struct WorldOptions {
    bool only_pop = true;
    Nano balance = 10 * nano_per_unit;
    replication::KeySettings key;
    unsigned endpoints = 1;
    std::uint64_t seed = 7;
    storage::Durability durability = storage::Durability::power;
    bool buddy = false;  // a second POP, which keeps copies; streams wait for it
};

class GatewayWorld : public ::testing::Test {
  protected:
    static constexpr std::uint16_t edge_port = 8443;
    static constexpr std::uint16_t provider_port = 9900;
    static constexpr const char* chat_path = "/v1/chat/completions";

    explicit GatewayWorld(WorldOptions options = {});
    ~GatewayWorld() override;
    void SetUp() override;
    void TearDown() override;

    // --- time
    void step();
    // Steps until `done`, for at most `limit` of simulated time; false: it did not come.
    bool until(const std::function<bool()>& done, Nanoseconds limit = 30 * second);
    void wait(Nanoseconds duration);
    void settle() { wait(10 * millisecond); }  // all that needs no time of its own

    // --- clients
    RawClient& connect();
    static std::string request(const std::string& method, const std::string& path,
                               const Fields& fields, const std::string& body = {});
    // With the key of the world and, unless `key` is "", an idempotency key.
    std::string chat(const std::string& body, const std::string& key = "key-1",
                     const Fields& fields = {}) const;
    static std::string chat_body(bool stream, const std::string& text = "hello");
    RawClient& send(const std::string& octets);
    Answer ask(const std::string& octets);  // on a connection of its own, to the end of the answer
    static Answer answer_of(const RawClient& client) { return read_answer(client.received); }
    void hang_up(RawClient& client);

    // --- the provider
    upstream::Provider& provider(unsigned number = 0) { return *providers_[number]; }
    // What it has been asked, by all.
    [[nodiscard]] std::size_t calls() const;
    // Waits for call `number` (from 1) of a provider and answers on its connection.
    void provider_says(const std::string& bytes, unsigned provider_number = 0);
    void provider_ends(unsigned provider_number = 0);  // closes its newest connection

    // --- money
    [[nodiscard]] const replication::KeyEntry& key() const;
    [[nodiscard]] Nano reserved() const { return key().account_lease->reserved(); }
    Nano spent() { return options_.balance - (*ledger_.account(account_))->posted; }
    void lend(Nano amount);  // the lease holds that much, for a time without the centre
    void ship();  // until the ledger has everything
    [[nodiscard]] std::size_t open_claims() const {
        return store_.keys_count(storage::Family::open);
    }
    // The key is taken by another POP, whose request is not known here.
    void take_elsewhere(const std::string& key_text, const std::string& body);
    void change_settings(const std::function<void(Settings&)>& change);
    // The buddy hears nothing and is not heard.
    void cut_buddy_off(bool cut) { network_.cut(1, cut); }
    void quiet_end() { checks_at_end_ = false; }  // the store has failed: nothing can be released

    const WorldOptions options_;
    SimLoop loop_;
    SeededRandom random_;
    storage::TemporaryDirectory folder_;
    storage::SimStore store_;
    std::unique_ptr<storage::Journal> journal_;
    std::unique_ptr<storage::Vault> vault_;
    std::unique_ptr<storage::CommitThread> commits_;
    replication::SimNetwork network_;
    replication::MemoryLedgerStore ledger_store_;
    replication::Ledger ledger_;
    std::unique_ptr<replication::Central> central_;
    std::unique_ptr<replication::Transport> transport_;
    std::unique_ptr<replication::Agent> agent_;
    struct Buddy {
        storage::SimStore store;
        std::unique_ptr<storage::Journal> journal;
        std::unique_ptr<storage::Vault> vault;
        std::unique_ptr<storage::CommitThread> commits;
        std::unique_ptr<replication::Transport> transport;
        std::unique_ptr<replication::Agent> agent;
    };
    std::unique_ptr<Buddy> buddy_;
    SdkRetries sdk_retries_;
    std::unique_ptr<Shared> shared_;
    upstream::Resolver resolver_;
    std::vector<std::unique_ptr<upstream::Provider>> providers_;
    std::unique_ptr<upstream::Upstream> upstream_;
    std::shared_ptr<Settings> settings_ = std::make_shared<Settings>();
    std::unique_ptr<Gateway> gateway_;
    std::unique_ptr<Acceptor> acceptor_;
    std::vector<std::unique_ptr<RawClient>> clients_;
    std::string api_key_;
    AccountId account_{};

  private:
    void open_centre();
    void open_pop();
    void open_buddy();
    void tick() noexcept {}

    Timer tick_;
    Nanoseconds tick_ns_ = millisecond;
    bool commits_stopped_ = false;
    bool checks_at_end_ = true;
};

}  // namespace nodex::gateway
