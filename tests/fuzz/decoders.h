// What the fuzzers of our own layouts and the test of their corpora share: tables of decoders, and
// how an input chooses one.
#pragma once
#include <span>

#include "edge/base/bytes.h"

namespace nodex::fuzz {

struct Decoder {
    // Of the layout; its seeds are corpus/<fuzzer>/<name>, or <name>_ and what is special in one.
    Bytes name;
    // Whether the decoder took the bytes. Asserts what must hold of bytes that it took.
    bool (*accepts)(Bytes bytes);
};

std::span<const Decoder> record_decoders() noexcept;   // storage: what a POP keeps
std::span<const Decoder> ledger_decoders() noexcept;   // replication/central: what the ledger keeps
std::span<const Decoder> message_decoders() noexcept;  // replication: what goes over the wire

// The first octet of an input chooses the decoder. A new one goes to the end of its table, so that
// the seeds of the others keep theirs.
inline bool accepts(std::span<const Decoder> decoders, Bytes input) {
    if (input.empty()) return false;
    const std::size_t choice = static_cast<unsigned char>(input.front()) % decoders.size();
    return decoders[choice].accepts(input.substr(1));
}

}  // namespace nodex::fuzz
