// A ledger with one customer, one key and one registered POP, and a POP's honest outbox, for ledger
// tests.
#pragma once
#include <gtest/gtest.h>

#include "replication/central/ledger.h"
#include "replication/central/memory_ledger_store.h"
#include "tests/unit/replication/request_ids.h"

namespace nodex::replication {

inline constexpr Nano unit = nano_per_unit;
inline constexpr std::int64_t start_ms = 1'790'000'000'000;

template <class Id>
Id numbered(std::uint64_t number) {
    Id id;
    for (std::size_t i = 0; i < 8; ++i) id.octets[i] = static_cast<std::uint8_t>(number >> (8 * i));
    return id;
}

// What a POP ships: records, their chain, and from where.
struct Outbox {
    std::vector<std::string> records;
    std::vector<ChainHash> chains{ChainHash{}};  // chains[n]: after n records
    void add(const storage::Settlement& settlement) {
        records.push_back(storage::encode(settlement));
        chains.push_back(next_chain(chains.back(), records.back()));
    }
    [[nodiscard]] ShipRequest batch(std::size_t first, std::size_t count) const {
        ShipRequest request{first, chains[first - 1], {}};
        for (std::size_t i = first; i < first + count && i <= records.size(); ++i)
            request.records.push_back(records[i - 1]);
        return request;
    }
};

struct LedgerWorld {
    MemoryLedgerStore store;
    Ledger ledger;
    AccountId account{};
    KeyId key{};
    PopId pop{1};
    std::uint32_t incarnation = 0;
    std::int64_t now_ms = start_ms;
    Outbox outbox;
    std::uint64_t next_request = 0;

    explicit LedgerWorld(Nano balance, std::optional<Nano> budget = {},
                         PlantedBug bug = PlantedBug::none, ShipPieces pieces = {})
        : ledger(store, bug, limits::lease_ttl, pieces) {
        account = ledger.create_account("customer", *ledger::parse_currency("USD"), now_ms)->id;
        if (balance > 0) {
            EXPECT_TRUE(ledger.top_up(account, balance, "first", now_ms));
        }
        KeySettings settings;
        settings.name = "key";
        settings.budget = budget;
        key = ledger.create_key(account, numbered<KeyHash>(77), settings, now_ms)->id;
        incarnation =
            ledger.register_pop(pop, {numbered<InstallId>(5), 0, 0, {}, {}, 0, 1}, now_ms)
                ->incarnation;
    }
    [[nodiscard]] LeaseKey account_scope() const { return {LeaseKey::Kind::account, raw(account)}; }
    [[nodiscard]] LeaseKey key_scope() const { return {LeaseKey::Kind::key, raw(key)}; }
    LeaseReply::Entry lease(const LeaseKey& scope, Nano want_total, bool ask = true,
                            std::uint32_t generation = 1, Nano returned = 0) {
        Result<LeaseReply> reply = ledger.lease(
            pop, incarnation, {0, ask, {{scope, generation, want_total, 0, 0, returned}}}, now_ms);
        EXPECT_TRUE(reply);
        EXPECT_EQ(reply->entries.size(), 1u);
        return reply->entries.at(0);
    }
    storage::Settlement settlement(Nano reserved, Nano amount, std::uint64_t idempotency,
                                   std::uint32_t generation = 1, std::uint32_t key_generation = 0) {
        storage::Settlement settlement;
        settlement.request_id = request_of(pop, ++next_request);
        settlement.account = account;
        settlement.key = key;
        if (idempotency != 0) settlement.idempotency = numbered<IdempotencyId>(idempotency);
        settlement.reservation = {reserved, generation, key_generation, 1};
        settlement.amount = amount;
        return settlement;
    }
    ShipReply ship(std::size_t first, std::size_t count) {
        Result<ShipReply> reply = ledger.ship(pop, incarnation, outbox.batch(first, count), now_ms);
        EXPECT_TRUE(reply);
        return *reply;
    }
    // Adds and ships at once.
    ShipReply settle(const storage::Settlement& settled) {
        outbox.add(settled);
        return ship(outbox.records.size(), 1);
    }
    Nano balance() { return (*ledger.account(account))->posted; }
    Nano held() { return (*ledger.account(account))->held; }
    Nano house(ledger::House house) {
        const auto found =
            ledger.account(ledger::house_account(house, *ledger::parse_currency("USD")));
        return *found ? (*found)->posted : 0;
    }
    void check() {
        const Result<LedgerAudit> audit = ledger.check_invariants();
        ASSERT_TRUE(audit);
        ASSERT_TRUE(audit->sound()) << audit->first_problem;
    }
};

}  // namespace nodex::replication
