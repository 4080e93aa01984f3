// Requests: no input may crash the parser, and the whole at once and in pieces must mean the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "tests/unit/http/request_events.h"

namespace {

void expect(bool condition) {
    if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace nodex;
    static const bool strict = http::llhttp_is_strict();
    expect(strict);
    if (size == 0) return 0;
    const std::size_t piece_bytes = 1 + data[0] % 16;
    const Bytes bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    http::RequestParser whole_parser;
    http::RequestParser piece_parser;
    http::RecordedEvents whole;
    http::RecordedEvents pieces;
    const http::Refusal whole_refusal = http::feed_in_pieces(whole_parser, bytes, bytes.size() + 1, whole);
    const http::Refusal piece_refusal = http::feed_in_pieces(piece_parser, bytes, piece_bytes, pieces);
    expect(whole_refusal == piece_refusal);
    expect(whole.requests.size() == pieces.requests.size());
    for (std::size_t i = 0; i < whole.requests.size(); ++i) {
        // Of a refused body the pieces may have brought more before the refusal.
        if (whole_refusal != http::Refusal::none && i + 1 == whole.requests.size())
            pieces.requests[i].body = whole.requests[i].body;
        expect(whole.requests[i] == pieces.requests[i]);
    }
    return 0;
}
