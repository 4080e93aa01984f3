// Ledger: sessions and references to bodies: written with the charge, listed by session, swept when
// the bodies are gone.
#include "replication/central/ledger.h"
#include "replication/central/ledger_errors.h"
#include "replication/central/ledger_round.h"
#include "replication/central/ledger_transaction.h"

namespace nodex::replication {

using ledger::Reference;

namespace {

constexpr std::size_t cursor_bytes = SessionId::size + RequestId::size;

// The first key behind all that begin with `prefix`.
std::string behind(std::string prefix) {
    while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
    NX_ASSERT(!prefix.empty());  // it begins with a letter
    prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
    return prefix;
}

}  // namespace

void Ledger::note_reference(LedgerTransaction& transaction, PopId pop, std::uint32_t incarnation,
                            const storage::Settlement& settlement, Nano charged) {
    if (settlement.sealed_answer.id.is_zero() && settlement.sealed_request.id.is_zero()) return;
    Reference reference;
    reference.request = settlement.request_id;
    reference.account = settlement.account;
    reference.key = settlement.key;
    reference.session = settlement.session;
    reference.pop = pop;
    reference.incarnation = incarnation;
    reference.model = settlement.model;
    reference.status = settlement.status;
    reference.outcome = settlement.outcome;
    reference.charged = charged;
    reference.created_ms = settlement.created_ms;
    reference.settled_ms = settlement.settled_ms;
    reference.answer = settlement.sealed_answer;
    reference.sent = settlement.sealed_request;
    std::string place;
    ByteWriter writer(place);
    writer.integer(reference.account);
    writer.opaque(reference.session);
    transaction.put(LedgerTable::reference, ledger::reference_place_key(reference.request), place);
    transaction.put(LedgerTable::reference,
                    ledger::reference_key(reference.account, reference.session, reference.request),
                    ledger::encode(reference));
}

Result<std::optional<Reference>> Ledger::find_reference(LedgerTransaction& transaction,
                                                        const RequestId& request,
                                                        std::string& key) {
    const auto place =
        transaction.get(LedgerTable::reference, ledger::reference_place_key(request));
    if (!place) return place.error();
    if (!*place) return std::optional<Reference>{};
    ByteReader reader(**place);
    const auto account = reader.integer<AccountId>();
    const auto session = reader.opaque<SessionId>();
    if (!reader.finished()) return corrupt();
    key = ledger::reference_key(account, session, request);
    return transaction.find<Reference>(LedgerTable::reference, key);
}

Result<std::optional<Reference>> Ledger::reference(const RequestId& request) {
    return run_verb(store_, LedgerAccess::read, [&](LedgerTransaction& transaction) {
        std::string key;
        return find_reference(transaction, request, key);
    });
}

Result<Ledger::ReferencePage> Ledger::references(AccountId account,
                                                 const std::optional<SessionId>& session,
                                                 const std::string& cursor, unsigned count_max) {
    const std::string of_account = ledger::KeyBuilder().letter('s').number(raw(account)).bytes;
    const std::string prefix = session ? ledger::session_key(account, *session) : of_account;
    std::string from = prefix;
    if (!cursor.empty()) {
        const std::optional<std::string> place = from_hex(cursor);
        if (!place || place->size() != cursor_bytes)
            return Error{ErrorCode::malformed, ErrorSource::client};
        from = std::max(from, of_account + *place + '\0');
    }
    ReferencePage page;
    bool sound = true;
    std::string last;
    const auto look = [&](Bytes key, Bytes value) {
        if (page.references.size() == count_max) {
            page.cursor = to_hex(last);
            return false;
        }
        Reference reference;
        sound = key.size() == 1 + 8 + cursor_bytes && ledger::decode(value, reference);
        if (!sound) return false;
        last = std::string(key.substr(1 + 8));
        page.references.push_back(std::move(reference));
        return true;
    };
    const Status scanned =
        run_verb(store_, LedgerAccess::read, [&](LedgerTransaction& glance) -> Status {
            page = {};
            return glance.scan(LedgerTable::reference, from, behind(prefix), look);
        });
    if (!scanned) return scanned.error();
    if (!sound) return corrupt();
    return page;
}

Result<unsigned> Ledger::sweep_references(std::int64_t now_ms, unsigned rows_max) {
    const Result<std::vector<std::string>> expired =
        look_on(store_, {LedgerTable::reference, "s", "t"}, rows_max, references_from_,
                [now_ms](Bytes, Bytes value) {
                    Reference reference;
                    return ledger::decode(value, reference) && reference.expires_ms() <= now_ms;
                });
    if (!expired) return expired.error();
    if (expired->empty()) return 0u;
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<unsigned> {
        unsigned count = 0;
        std::vector<LedgerPlace> places;
        for (const std::string& key : *expired) places.push_back({LedgerTable::reference, key});
        if (const Status read = transaction.prefetch(std::move(places)); !read)
            return read.error();
        for (const std::string& key : *expired) {
            const Result<std::optional<Reference>> found =
                transaction.find<Reference>(LedgerTable::reference, key);
            if (!found) return found.error();
            if (!*found) continue;
            transaction.erase(LedgerTable::reference, key);
            transaction.erase(LedgerTable::reference,
                              ledger::reference_place_key((*found)->request));
            ++count;
        }
        return count;
    });
}

}  // namespace nodex::replication
