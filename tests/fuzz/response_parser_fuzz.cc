// Responses of hostile providers: whole and byte by byte must end the same way, with the same body.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "edge/http/response_parser.h"

namespace {

using namespace nodex;

class Recorder final : public http::ResponseEvents {
  public:
    std::string body;
    int status = 0;
    unsigned completes_count = 0;
    void response_head(const http::ResponseHead& head) noexcept override { status = head.status; }
    void response_body(Bytes bytes) noexcept override { body.append(bytes); }
    void response_complete() noexcept override { ++completes_count; }
};

struct Outcome {
    Recorder recorder;
    bool fed = true;
    bool reusable = false;
    bool finished = false;
};

Outcome read(Bytes bytes, std::size_t piece_bytes, http::Method method) {
    Outcome outcome;
    http::ResponseParser parser;
    parser.begin(method);
    for (std::size_t at = 0; at < bytes.size() && outcome.fed; at += piece_bytes) {
        const std::string piece(bytes.substr(at, piece_bytes));
        outcome.fed = parser.feed(piece, outcome.recorder).has_value();
    }
    outcome.reusable = parser.reusable();
    outcome.finished = parser.finish(outcome.recorder).has_value();
    return outcome;
}

void expect(bool condition) {
    if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const http::Method method = data[0] % 4 == 0 ? http::Method::head : http::Method::post;
    const Bytes bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const Outcome whole = read(bytes, bytes.size() + 1, method);
    const Outcome pieces = read(bytes, 1 + data[0] / 16, method);
    expect(whole.fed == pieces.fed);
    expect(whole.reusable == pieces.reusable);
    expect(whole.finished == pieces.finished);
    expect(whole.recorder.status == pieces.recorder.status);
    expect(whole.recorder.completes_count == pieces.recorder.completes_count);
    expect(whole.recorder.completes_count <= 1);
    if (whole.fed) expect(whole.recorder.body == pieces.recorder.body);
    return 0;
}
