// ReplicationWorld: sealed answers, orders that change or destroy their keys, and the checkers of
// who can read what.
#include "tests/sim/replication_world.h"

namespace nodex::replication {
namespace {

constexpr AccountId account{1};
constexpr std::size_t bodies_max = 64;
constexpr Bytes text = "what was answered";

}  // namespace

void ReplicationWorld::seal_body(SimPop& pop) {
    if (bodies_.size() == bodies_max) return;
    Result<storage::BodyWriter> writer =
        pop.vault->create_body(account, pop.clock.wall_ms(), random_);
    if (!writer) return;  // shredded, and the next key is not here yet
    SimBody body;
    body.pop = pop.number;
    body.history = pop.history;
    body.id = writer->id();
    body.key_record = writer->key_record();
    body.version = *storage::Vault::version_of(body.key_record);
    writer->seal(text, true, body.sealed);
    bodies_.push_back(std::move(body));
    ++seen_["body_sealed"];
}

bool ReplicationWorld::rotate_body_key(SimPop&) {
    if (body_keys_.rotate(account, centre_clock_.wall_ms())) ++seen_["body_key_rotated"];
    return true;
}

// Destroys every key that anybody has now.
bool ReplicationWorld::shred_account(SimPop&) {
    const auto keys = ledger_.body_keys(account);
    const std::uint64_t first = std::max<std::uint64_t>(keys->last + 1, epoch());
    shredded_below_ = static_cast<std::uint32_t>(first);
    NX_ASSERT(ledger_.shred_account(account, centre_clock_.wall_ms()).has_value());
    ++shreds_ordered_;
    ++seen_["shredded"];
    return true;
}

// What the runbook says of a restored ledger that has forgotten an order.
void ReplicationWorld::shred_again() {
    for (std::uint32_t known = (*ledger_.account(account))->shreds; known < shreds_ordered_;
         ++known)
        NX_ASSERT(ledger_.shred_account(account, centre_clock_.wall_ms()).has_value());
}

// B1: what was shredded is unreadable everywhere, and told as gone. B2: what was not is readable
// where it was sealed, also when the ledger that gave its key out was lost, and wherever its key is.
// B3: one number names one key.
void ReplicationWorld::check_bodies() {
    std::set<std::uint32_t> known;  // every POP has these
    const auto keys = ledger_.body_keys(account);
    for (const ledger::BodyKeys::Version& each : keys->versions) known.insert(each.number);
    for (const SimBody& body : bodies_) {
        const bool shredded = body.version < shredded_below_;
        ++seen_[shredded ? "body_shredded" : "body_kept"];
        for (const auto& pop : pops_) {
            const Result<storage::BodyReader> reader =
                pop->vault->open_body(account, body.id, body.key_record);
            std::string read;
            if (reader) (void)reader->open(0, true, body.sealed, read);
            if (!reader && reader.error().code == ErrorCode::corrupt)
                violated("B3: two keys have one number");
            if (shredded && reader) violated("B1: a shredded body can be read");
            if (shredded && !reader && reader.error().code == ErrorCode::unavailable)
                violated("B1: a destroyed key is told as one that has yet to come");
            const bool here = body.pop == pop->number && body.history == pop->history;
            if (!shredded && (here || known.contains(body.version)) && read != text)
                violated("B2: a body cannot be read any more");
        }
    }
}

}  // namespace nodex::replication
