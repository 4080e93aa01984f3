// Drives the centre of a standalone node.
#include "edge/core/standalone.h"

namespace nodex::core {
namespace {

constexpr Nanoseconds tick_interval = 100 * millisecond;

replication::CentralOptions options_for(PopId pop, crypto::SecretKey key_hash_secret, crypto::SecretKey link_key) {
    replication::CentralOptions options;
    options.key_hash_secret = key_hash_secret;
    options.link_keys.emplace_back(pop, link_key);
    return options;
}

}  // namespace

Standalone::Standalone(storage::Store& store, storage::Durability durability, Clock& clock, PopId pop,
                       crypto::SecretKey key_hash_secret, crypto::SecretKey link_key)
    : ledger_store_(store, durability),
      link_(clock),
      central_(ledger_store_, link_.centre(), clock, crypto::secure_random(),
               options_for(pop, std::move(key_hash_secret), std::move(link_key))) {}

Standalone::~Standalone() { stop(); }

Status Standalone::start() {
    link_.centre().attach(&mailbox_.mailbox());
    if (Status status = central_.start(true); !status) return status;
    thread_ = std::thread([this] { run(); });
    return {};
}

void Standalone::run() noexcept {
    while (!stopping_.load(std::memory_order_relaxed)) {
        mailbox_.run(tick_interval);
        central_.tick();
    }
    link_.centre().attach(nullptr);
}

void Standalone::stop() {
    if (!thread_.joinable()) return;
    stopping_.store(true, std::memory_order_relaxed);  // seen at the next tick at the latest
    thread_.join();
}

}  // namespace nodex::core
