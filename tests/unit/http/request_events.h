// A RequestEvents that writes down what it is told, for tests of the request parser.
#pragma once
#include <string>
#include <vector>

#include "edge/base/limits.h"
#include "edge/http/request_parser.h"

namespace nodex::http {

struct RecordedRequest {
    Method method = Method::other;
    std::string target;
    std::vector<std::pair<std::string, std::string>> fields;
    bool keep_alive = false;
    std::string body;
    bool complete = false;

    bool operator==(const RecordedRequest&) const = default;
};

class RecordedEvents final : public RequestEvents {
  public:
    std::vector<RecordedRequest> requests;
    std::uint64_t body_bytes_max = limits::body_bytes_max;
    bool go_on = true;

    std::uint64_t request_head(const RequestHead& head) noexcept override {
        head_ = &head;
        RecordedRequest request{.method = head.method,
                                .target = std::string(head.target),
                                .fields = {},
                                .keep_alive = head.keep_alive,
                                .body = {},
                                .complete = false};
        for (const FieldLine& line : head.fields) request.fields.emplace_back(line.name, line.value);
        requests.push_back(std::move(request));
        return body_bytes_max;
    }
    void request_body(Bytes bytes) noexcept override { requests.back().body.append(bytes); }
    // The head must still be readable here: its text is compared with what was copied at request_head.
    bool request_complete() noexcept override {
        RecordedRequest& request = requests.back();
        request.complete = head_->target == request.target && head_->fields.size() == request.fields.size();
        for (std::size_t i = 0; i < head_->fields.size(); ++i)
            request.complete = request.complete && head_->fields[i].value == request.fields[i].second;
        return go_on;
    }

  private:
    const RequestHead* head_ = nullptr;
};

// Feeds in pieces of at most `piece_bytes`, each in memory of its own so that a view kept too long is seen by
// the sanitizer.
inline Refusal feed_in_pieces(RequestParser& parser, Bytes bytes, std::size_t piece_bytes,
                              RecordedEvents& events) {
    for (std::size_t at = 0; at < bytes.size(); at += piece_bytes) {
        const std::string piece(bytes.substr(at, piece_bytes));
        const RequestParser::Progress progress = parser.feed(piece, events);
        if (progress.refusal != Refusal::none) return progress.refusal;
    }
    return Refusal::none;
}

}  // namespace nodex::http
