// Building the world, its time, and its end.
#include "tests/unit/gateway/gateway_world.h"

#include "edge/base/codec.h"
#include "edge/crypto/api_key.h"

namespace nodex::gateway {
namespace {

constexpr Bytes key_hash_text = "0123456789abcdef0123456789abcdef";
constexpr Bytes idempotency_text = "fedcba9876543210fedcba9876543210";
constexpr Bytes buddy_link_text = "00112233445566778899aabbccddeeff";

SocketAddress edge_address(std::uint16_t port) {
    return upstream::address_of("127.0.0.1", port);
}

}  // namespace

Answer read_answer(const std::string& received) {
    Answer answer;
    const std::size_t head_end = received.find("\r\n\r\n");
    if (head_end == std::string::npos) return answer;
    answer.status = std::stoi(received.substr(9, 3));
    for (std::size_t at = received.find("\r\n") + 2; at < head_end + 2;) {
        const std::size_t end = received.find("\r\n", at);
        const std::string line = received.substr(at, end - at);
        const std::size_t colon = line.find(": ");
        std::string name = line.substr(0, colon);
        for (char& c : name) c = static_cast<char>(std::tolower(c));
        answer.fields[name] = line.substr(colon + 2);
        at = end + 2;
    }
    const std::string rest = received.substr(head_end + 4);
    if (answer.field("transfer-encoding") != "chunked") {
        answer.body = rest;
        answer.whole = rest.size() >= std::strtoul(answer.field("content-length").c_str(), nullptr, 10);
        return answer;
    }
    for (std::size_t at = 0; at < rest.size();) {
        const std::size_t line_end = rest.find("\r\n", at);
        if (line_end == std::string::npos) return answer;
        const std::size_t size = std::stoul(rest.substr(at, line_end - at), nullptr, 16);
        if (size == 0) {
            answer.whole = true;
            return answer;
        }
        answer.body += rest.substr(line_end + 2, size);
        at = line_end + 2 + size + 2;
    }
    return answer;
}

// --- what a provider says

std::string json_answer(const std::string& content, unsigned output_tokens) {
    return upstream::json_reply(
               R"({"id":"c1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":")" +
               content + R"("},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":)" +
               std::to_string(output_tokens) + R"(,"total_tokens":9}})")
        .bytes;
}
std::string stream_head() {
    return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: "
           "chunked\r\n\r\n";
}
std::string chunk(const std::string& bytes) {
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
    return size + bytes + "\r\n";
}
std::string last_chunk() {
    return "0\r\n\r\n";
}
std::string event(const std::string& data) {
    return chunk("data: " + data + "\n\n");
}
std::string delta(const std::string& text) {
    return event(R"({"choices":[{"index":0,"delta":{"content":")" + text + R"("},"finish_reason":null}]})");
}
std::string finish_event() {
    return event(R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})");
}
std::string usage_event(unsigned input, unsigned output) {
    return event(R"({"choices":[],"usage":{"prompt_tokens":)" + std::to_string(input) +
                 R"(,"completion_tokens":)" + std::to_string(output) + "}}");
}
std::string done_event() {
    return event("[DONE]");
}
std::string whole_stream(const std::string& text) {
    return stream_head() + delta(text) + finish_event() + usage_event(3, 2) + done_event() +
           last_chunk();
}

// --- the world

GatewayWorld::GatewayWorld(WorldOptions options)
    : options_(std::move(options)),
      loop_(options_.seed),
      random_(options_.seed),
      network_(loop_.clock(), options_.seed),
      ledger_(ledger_store_) {}

GatewayWorld::~GatewayWorld() = default;

void GatewayWorld::SetUp() {
    open_centre();
    open_pop();
    if (options_.buddy) open_buddy();
    ASSERT_TRUE(until([&] { return agent_->directory() != nullptr; }));
    if (options_.buddy) {
        ASSERT_TRUE(until([&] { return agent_->stats().peers.load() == 1; }));
        wait(second);  // the other one knows us too
    }
    ASSERT_TRUE(until([&] {
        return agent_->directory()->find_key(
                   crypto::hash_api_key(shared_->key_hash_secret, api_key_)) != nullptr;
    }));
    gateway_->replace_directory(agent_->directory());
    Result<int> listener = loop_.io().listen(edge_address(edge_port));
    ASSERT_TRUE(listener.has_value());
    acceptor_ = std::make_unique<Acceptor>(loop_, *gateway_, *listener, nullptr, AcceptorOptions{});
    acceptor_->start();
}

// One account with money and a key, one model.
void GatewayWorld::open_centre() {
    const std::int64_t now_ms = loop_.clock().wall_ms();
    account_ = ledger_.create_account("customer", *replication::ledger::parse_currency("USD"), now_ms)
                   ->id;
    if (options_.balance > 0) {
        ASSERT_TRUE(ledger_.top_up(account_, options_.balance, "first", now_ms));
    }
    api_key_ = crypto::make_api_key(random_);
    const crypto::SecretKey secret{key_hash_text};
    ASSERT_TRUE(ledger_.create_key(account_, crypto::hash_api_key(secret, api_key_), options_.key,
                                   now_ms));
    replication::ModelEntry model;
    model.id = "m";
    model.display_name = "Model";
    model.context_tokens = 100'000;
    model.output_tokens_max = 1'000;
    model.prices[static_cast<std::size_t>(storage::Unit::input)] = 1'000'000;
    model.prices[static_cast<std::size_t>(storage::Unit::output)] = 2'000'000;
    ASSERT_TRUE(ledger_.set_model(model, now_ms));

    replication::CentralOptions centre;
    centre.key_hash_secret = secret;
    centre.link_keys.emplace_back(PopId{1}, crypto::SecretKey(idempotency_text));
    if (options_.buddy) centre.link_keys.emplace_back(PopId{2}, crypto::SecretKey(buddy_link_text));
    centre.root_key = crypto::SecretKey::generate(random_);
    central_ = std::make_unique<replication::Central>(ledger_store_, network_.centre(),
                                                      loop_.clock(), random_, centre);
    ASSERT_TRUE(central_->start(false));
}

void GatewayWorld::open_pop() {
    auto journal = storage::Journal::open(store_, random_);
    ASSERT_TRUE(journal);
    journal_ = std::move(*journal);
    auto vault = storage::Vault::open(folder_.path() + "/node.key", true, random_);
    ASSERT_TRUE(vault);
    vault_ = std::move(*vault);
    commits_ = std::make_unique<storage::CommitThread>(store_, *journal_, loop_.clock(),
                                                       options_.durability);
    transport_ = network_.connect(0);
    replication::AgentOptions agent;
    agent.link_key = crypto::SecretKey(idempotency_text);
    agent.ship_delay_ns = 0;
    agent.copies_awaited = options_.buddy;
    agent_ = std::make_unique<replication::Agent>(*transport_, *commits_, *journal_, *vault_,
                                                  loop_.clock(), random_, agent);
    shared_ = std::make_unique<Shared>(Shared{*commits_, *vault_, *agent_, sdk_retries_,
                                              crypto::SecretKey(key_hash_text),
                                              crypto::SecretKey(idempotency_text), PopId{1}, 1});
    std::vector<std::shared_ptr<const upstream::EndpointConfig>> endpoints;
    for (unsigned number = 0; number < options_.endpoints; ++number) {
        const auto port = static_cast<std::uint16_t>(provider_port + number);
        providers_.push_back(std::make_unique<upstream::Provider>(loop_, port));
        providers_.back()->script({upstream::Reply{}});  // silent: the test answers
        auto config = std::make_shared<upstream::EndpointConfig>();
        config->name = "provider" + std::to_string(number);
        config->tls = false;
        config->host = "127.0.0.1";
        config->port = port;
        config->base_path = "/v1";
        config->authorization = "Bearer provider-secret";
        config->models = {{"m", "m"}};
        config->weight = number == 0 ? 1 : 0;  // the first is tried first
        endpoints.push_back(config);
    }
    upstream_ = std::make_unique<upstream::Upstream>(loop_, endpoints, resolver_, random_);
    settings_->only_pop = options_.only_pop;
    settings_->version = "test";
    gateway_ = std::make_unique<Gateway>(loop_, std::uint16_t{0}, *shared_, *upstream_, random_,
                                         settings_, nullptr);
    gateway_->set_peers({gateway_.get()});
}

// --- time

void GatewayWorld::open_buddy() {
    buddy_ = std::make_unique<Buddy>();
    auto journal = storage::Journal::open(buddy_->store, random_);
    ASSERT_TRUE(journal);
    buddy_->journal = std::move(*journal);
    auto vault = storage::Vault::open(folder_.path() + "/buddy.key", true, random_);
    ASSERT_TRUE(vault);
    buddy_->vault = std::move(*vault);
    buddy_->commits = std::make_unique<storage::CommitThread>(
        buddy_->store, *buddy_->journal, loop_.clock(), storage::Durability::power);
    buddy_->transport = network_.connect(1);
    replication::AgentOptions agent;
    agent.pop = PopId{2};
    agent.link_key = crypto::SecretKey(buddy_link_text);
    buddy_->agent =
        std::make_unique<replication::Agent>(*buddy_->transport, *buddy_->commits, *buddy_->journal,
                                             *buddy_->vault, loop_.clock(), random_, agent);
}

// The tick keeps the loop from jumping over what the agent and the network still have to do.
void GatewayWorld::step() {
    if (!tick_.armed())
        start_timer<&GatewayWorld::tick>(loop_.timers(), tick_, loop_.clock().now_ns() + tick_ns_,
                                         this);
    loop_.turn();
    commits_->run_once();
    network_.step();
    agent_->run_once();
    commits_->run_once();
    if (buddy_ != nullptr) {
        buddy_->agent->run_once();
        buddy_->commits->run_once();
    }
    central_->tick();
}

bool GatewayWorld::until(const std::function<bool()>& done, Nanoseconds limit) {
    const Nanoseconds end_ns = loop_.clock().now_ns() + limit;
    while (!done() && loop_.clock().now_ns() < end_ns) step();
    return done();
}

void GatewayWorld::wait(Nanoseconds duration) {
    tick_ns_ = std::max(millisecond, duration / 2'000);
    (void)until([] { return false; }, duration);
    tick_ns_ = millisecond;
}

// --- clients

RawClient& GatewayWorld::connect() {
    clients_.push_back(std::make_unique<RawClient>(loop_));
    RawClient& client = *clients_.back();
    client.channel.connect(edge_address(edge_port), nullptr, "", 60 * second);
    EXPECT_TRUE(until([&] { return client.opened || client.closed; }));
    return client;
}

std::string GatewayWorld::request(const std::string& method, const std::string& path,
                                  const Fields& fields, const std::string& body) {
    std::string octets = method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n";
    for (const auto& [name, value] : fields) octets += name + ": " + value + "\r\n";
    if (!body.empty()) octets += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    return octets + "\r\n" + body;
}

std::string GatewayWorld::chat(const std::string& body, const std::string& key,
                               const Fields& fields) const {
    Fields all{{"Authorization", "Bearer " + api_key_}, {"Content-Type", "application/json"}};
    if (!key.empty()) all.emplace_back("X-Idempotency-Key", key);
    all.insert(all.end(), fields.begin(), fields.end());
    return request("POST", chat_path, all, body);
}

std::string GatewayWorld::chat_body(bool stream, const std::string& text) {
    return R"({"model":"m","max_tokens":50,"stream":)" + std::string(stream ? "true" : "false") +
           R"(,"messages":[{"role":"user","content":")" + text + R"("}]})";
}

RawClient& GatewayWorld::send(const std::string& octets) {
    RawClient& client = connect();
    client.channel.write(octets);
    settle();
    return client;
}

Answer GatewayWorld::ask(const std::string& octets) {
    RawClient& client = send(octets);
    const bool bodyless = octets.starts_with("HEAD ");
    EXPECT_TRUE(until([&] {
        return answer_of(client).whole || client.closed || (bodyless && answer_of(client).status > 0);
    })) << client.received;
    return answer_of(client);
}

void GatewayWorld::hang_up(RawClient& client) {
    client.channel.abort({.code = ErrorCode::cancelled});
    settle();
}

// --- the provider

std::size_t GatewayWorld::calls() const {
    std::size_t count = 0;
    for (const auto& provider : providers_) count += provider->requests.size();
    return count;
}

void GatewayWorld::provider_says(const std::string& bytes, unsigned provider_number) {
    upstream::Provider& from = provider(provider_number);
    ASSERT_FALSE(from.peers.empty());
    from.peers.back()->channel.write(bytes);
    settle();
}

void GatewayWorld::provider_ends(unsigned provider_number) {
    upstream::Provider& from = provider(provider_number);
    ASSERT_FALSE(from.peers.empty());
    from.peers.back()->channel.close();
    settle();
}

// --- money

const replication::KeyEntry& GatewayWorld::key() const {
    return *gateway_->directory()->find_key(
        crypto::hash_api_key(shared_->key_hash_secret, api_key_));
}

void GatewayWorld::lend(Nano amount) {
    replication::LeaseAsk ask;
    ask.account = key().account_lease;
    ask.amount = amount;
    agent_->ask(ask, loop_.mailbox(), storage::when_done<&GatewayWorld::tick>(this));
    ASSERT_TRUE(until([&] { return !ask.in_flight(); }));
    ASSERT_EQ(ask.verdict, replication::LeaseAsk::Verdict::reserved);
    ask.account->release(amount);
}

void GatewayWorld::ship() {
    EXPECT_TRUE(until([&] { return agent_->stats().outbox_depth.load() == 0; }));
    wait(100 * millisecond);
}

void GatewayWorld::take_elsewhere(const std::string& key_text, const std::string& body) {
    const std::int64_t now_ms = loop_.clock().wall_ms();
    const PopId other{2};
    InstallId install;
    install.octets[0] = 9;
    const auto life = ledger_.register_pop(other, {install, 0, 0, {}, {}, 0, 1}, now_ms);
    ASSERT_TRUE(life);
    std::string scoped;
    append_ordered(scoped, raw(account_));
    scoped += key_text;
    const auto digest = crypto::hmac_sha256(idempotency_text, scoped);
    api::JsonReader reader;
    ASSERT_FALSE(api::check_json(reader, body));
    RequestId foreign;
    foreign.octets[1] = static_cast<std::uint8_t>(raw(other));
    const replication::ClaimRequest::Entry entry{
        replication::ClaimOp::acquire,
        account_,
        IdempotencyId::from(crypto::view(digest).substr(0, IdempotencyId::size)),
        api::fingerprint(reader, "POST", chat_path),
        foreign,
        0};
    const auto reply = ledger_.claim(other, life->incarnation, {1, 86'400'000, {entry}}, now_ms);
    ASSERT_TRUE(reply);
    ASSERT_EQ(reply->entries.at(0).result, replication::ClaimResult::granted);
}

void GatewayWorld::change_settings(const std::function<void(Settings&)>& change) {
    settings_ = std::make_shared<Settings>(*settings_);
    change(*settings_);
    gateway_->replace_settings(settings_);
}

// --- the end

void GatewayWorld::TearDown() {
    network_.cut(0, false);
    gateway_->stop_runs();
    for (const auto& client : clients_) client->channel.abort({.code = ErrorCode::cancelled});
    acceptor_->drain();
    acceptor_->abort_all();
    EXPECT_TRUE(until([&] { return acceptor_->drained() && gateway_->idle(); }));
    if (checks_at_end_) {
        ship();
        EXPECT_EQ(reserved(), 0) << "a reservation was neither settled nor released";
        EXPECT_EQ(key().meter->running.load(), 0u);
        EXPECT_EQ(open_claims(), 0u);
        const Result<replication::LedgerAudit> audit = ledger_.check_invariants();
        EXPECT_TRUE(audit && audit->sound()) << (audit ? audit->first_problem : "");
    }
    upstream_->close_idle();
    for (const auto& provider : providers_) provider->stop();
    EXPECT_TRUE(until([&] {
        bool quiet = upstream_->idle();
        for (const auto& provider : providers_) quiet = quiet && provider->quiet();
        for (const auto& client : clients_)
            quiet = quiet && client->channel.phase() == ChannelPhase::idle;
        return quiet;
    }));
    agent_->stop();
    if (buddy_ != nullptr) buddy_->agent->stop();
    loop_.timers().cancel(tick_);
    EXPECT_EQ(loop_.timers().armed_count(), 0u);
    acceptor_.reset();
    gateway_.reset();
    upstream_.reset();
    providers_.clear();
    agent_.reset();
    if (buddy_ != nullptr) buddy_->agent.reset();
}

}  // namespace nodex::gateway
