// Everything at once, from a seed: clients that send, repeat, resume and leave; providers that answer in
// pieces, wrongly or not at all; a network that splits and resets; a centre that is cut off; a store that
// is busy. Whatever comes of it, the world's end proves that nothing is left reserved, open, armed or
// unbalanced, and that no answer looked complete that was not.
#include "tests/unit/gateway/gateway_world.h"

namespace nodex::gateway {
namespace {

WorldOptions options_of(std::uint64_t seed) {
    WorldOptions options;
    options.seed = seed;
    options.only_pop = seed % 2 == 0;
    if (seed / 2 % 2 == 0) options.durability = storage::Durability::process;
    options.endpoints = 1 + static_cast<unsigned>(seed % 3);
    options.balance = seed % 5 == 0 ? 1'000 : 10 * nano_per_unit;
    if (seed % 4 == 0) options.key.limits = {.tokens_per_minute = 2'000, .concurrency = 3};
    return options;
}

class Chaos : public GatewayWorld, public testing::WithParamInterface<std::uint64_t> {
  protected:
    Chaos() : GatewayWorld(options_of(GetParam())), dice_(GetParam() * 7'919 + 1) {}

    unsigned roll(unsigned sides) { return static_cast<unsigned>(dice_.below(sides)); }

    void client_acts() {
        const unsigned number = roll(12);  // even: streams
        const bool keyed = roll(4) > 0;
        const bool resumes = keyed && number % 2 == 0 && roll(4) == 0;
        Fields fields;
        if (!keyed || roll(4) == 0)
            fields = {{"X-Stainless-Lang", "js"},
                      {"X-Stainless-Retry-Count", std::to_string(roll(2))}};
        if (resumes) fields.emplace_back("Last-Event-ID", http::event_id(roll(5)));
        if (roll(5) == 0)
            fields.emplace_back("X-Nodex-On-Disconnect", roll(2) == 0 ? "drain" : "cancel");
        const std::string key = keyed ? "key-" + std::to_string(number) : "";
        const std::string text = roll(30) == 0 ? "other" : "hello";
        const std::string octets = chat(chat_body(number % 2 == 0, text), key, fields);
        RawClient& client = *clients_.emplace_back(std::make_unique<RawClient>(loop_));
        if (keyed && !resumes) asked_[key].push_back(&client);
        client.channel.connect(upstream::address_of("127.0.0.1", edge_port), nullptr, "", 60 * second);
        client.channel.write(octets);  // dropped while it connects
        if (until([&] { return client.opened || client.closed; }, second))
            client.channel.write(octets);
    }
    void client_leaves() {
        if (clients_.empty()) return;
        RawClient& client = *clients_[roll(static_cast<unsigned>(clients_.size()))];
        if (roll(2) == 0)
            client.channel.close();
        else
            client.channel.abort({.code = ErrorCode::cancelled});
    }
    void provider_acts() {
        upstream::Provider& from = provider(roll(options_.endpoints));
        if (from.peers.empty()) return;
        const auto back = std::min<std::size_t>(from.peers.size(), 1 + roll(3));
        Channel& channel = from.peers[from.peers.size() - back]->channel;
        switch (roll(14)) {
            case 0: return channel.write(json_answer("whole"));
            case 1:
            case 2: return channel.write(whole_stream("all at once"));
            case 3:
            case 4: return channel.write(stream_head() + delta("begun"));
            case 5:
            case 6: return channel.write(delta("more"));
            case 7:
                return channel.write(finish_event() + usage_event(3, 2) + done_event() +
                                     last_chunk());
            case 8:
                return channel.write(event(R"({"error":{"message":"no"}})") +
                                     chunk("data: {\"cho"));
            case 9:
                return channel.write(stream_head() + chunk("data: {\"err") +
                                     chunk("or\":1}\n\ndata"));
            case 10: return channel.write("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
            case 11: return channel.write("garbage\r\n\r\n");
            case 12: return channel.close();
            default: return channel.abort({.code = ErrorCode::connection_reset});
        }
    }
    // What a client has got of a stream is never complete without its provider's end.
    void look_at(const RawClient& client) const {
        const Answer answer = answer_of(client);
        if (answer.status != 200 || !answer.whole) return;
        if (!answer.field("content-type").starts_with("text/event-stream")) return;
        const bool complete = answer.body.ends_with("data: [DONE]\n\n");
        const bool failed = answer.body.find("data: {\"error\":{\"message\":") != std::string::npos;
        const bool nothing_new = answer.body.find("id: ") == std::string::npos;  // resumed at its end
        EXPECT_TRUE(complete != failed || nothing_new) << answer.body;
    }
    // Whoever asked under one key got the same events, as far as he got.
    static std::string numbered_events(const std::string& body) {
        std::string events;
        for (std::size_t at = 0, end = 0; (end = body.find("\n\n", at)) != std::string::npos; at = end + 2)
            if (body.compare(at, 4, "id: ") == 0) events += body.substr(at, end + 2 - at);
        return events;
    }
    void compare(const std::string& key) {
        std::string longest;
        for (const RawClient* client : asked_[key]) {
            const Answer answer = answer_of(*client);
            if (answer.status != 200 || answer.field("transfer-encoding") != "chunked") continue;
            const std::string events = numbered_events(answer.body);
            const std::size_t common = std::min(events.size(), longest.size());
            EXPECT_EQ(events.substr(0, common), longest.substr(0, common)) << key;
            if (events.size() > longest.size()) longest = events;
        }
    }

    SeededRandom dice_;
    std::map<std::string, std::vector<const RawClient*>> asked_;  // by key, from the beginning
};

TEST_P(Chaos, LeavesNothingBehind) {
    change_settings([](Settings& settings) { settings.drain_deadline = 20 * second; });
    loop_.io().set_faults({.split_percent = 30,
                           .short_send_percent = 20,
                           .no_buffers_percent = 5,
                           .reset_percent = GetParam() % 3 == 0 ? 1u : 0u,
                           .delay_percent = 10});
    for (unsigned act = 0; act < 250; ++act) {
        if (act == 200 && GetParam() % 6 == 5) {  // the disk fails: nothing can be stored any more
            quiet_end();
            store_.fail_write_after(roll(4), ErrorCode::io_failure, roll(2) == 0);
        }
        switch (roll(10)) {
            case 0:
            case 1:
            case 2: client_acts(); break;
            case 3: client_leaves(); break;
            case 4: network_.cut(0, roll(3) == 0); break;
            case 5: store_.set_busy(roll(2) == 0); break;
            default: provider_acts(); break;
        }
        for (unsigned turns = roll(6); turns > 0; --turns) step();
        if (roll(12) == 0) wait(roll(4) * second);
    }
    network_.cut(0, false);
    for (const auto& client : clients_) look_at(*client);
    for (const auto& [key, clients] : asked_) compare(key);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Chaos, testing::Range<std::uint64_t>(1, 17));

}  // namespace
}  // namespace nodex::gateway
