// Event streams: the same events for every split, and what we write parses back to what was given.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "edge/http/sse.h"

namespace {

using namespace nodex;

class Collector final : public http::SseEvents {
  public:
    std::vector<std::pair<std::string, std::string>> events;
    void server_event(const http::ServerEvent& event) noexcept override {
        events.emplace_back(event.type, event.data);
    }
};

struct Outcome {
    Collector collector;
    bool in_event = false;
};

void expect(bool condition) {
    if (!condition) std::abort();
}

Outcome parse(Bytes bytes, std::size_t piece_bytes) {
    Outcome outcome;
    http::SseParser parser;
    for (std::size_t at = 0; at < bytes.size(); at += piece_bytes) {
        const std::string piece(bytes.substr(at, piece_bytes));
        expect(parser.feed(piece, outcome.collector).has_value());  // inputs are far below the event limit
    }
    outcome.in_event = parser.in_event();
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const Outcome whole = parse(bytes, bytes.size() + 1);
    const Outcome pieces = parse(bytes, 1 + data[0] % 16);
    expect(whole.collector.events == pieces.collector.events);
    expect(whole.in_event == pieces.in_event);

    std::string written;
    http::append_event(written, 1 + data[0], "", bytes);
    expect(parse(written, written.size()).collector.events.size() == 1);
    (void)http::parse_event_id(bytes);
    return 0;
}
