// What the ledger keeps. The state of two centres is compared by their bytes: what a decoder
// accepts is encoded to the same.
#include "replication/central/ledger_records.h"
#include "tests/fuzz/decoders.h"

namespace nodex::fuzz {
namespace {

using namespace replication;

template <class Record>
bool canonical(Bytes bytes) {
    Record record;
    if (!ledger::decode(bytes, record)) return false;
    NX_ASSERT(encode(record) == bytes);
    return true;
}

// An account of before claims ends earlier; it is written with the node's mode.
bool account(Bytes bytes) {
    ledger::Account record;
    if (!ledger::decode(bytes, record)) return false;
    const std::string encoded = encode(record);
    NX_ASSERT(encoded == bytes || encoded == std::string(bytes) + '\0');
    return true;
}

constexpr Decoder ledger_table[] = {
    {"account", account},
    {"key", canonical<ledger::Key>},
    {"lease", canonical<ledger::Lease>},
    {"charge", canonical<ledger::Charge>},
    {"row", canonical<ledger::Row>},
    {"model", canonical<ledger::Model>},
    {"price_list", canonical<ledger::PriceList>},
    {"mark", canonical<ledger::Mark>},
    {"reference", canonical<ledger::Reference>},
    {"restoration", canonical<ledger::Restoration>},
    {"claim", canonical<ledger::Claim>},
    {"head", canonical<ledger::Head>},
    {"body_keys", canonical<ledger::BodyKeys>},
    {"erasure", canonical<ledger::Erasure>},
    {"pop_state", canonical<ledger::PopState>},
};

}  // namespace

std::span<const Decoder> ledger_decoders() noexcept {
    return ledger_table;
}

}  // namespace nodex::fuzz
