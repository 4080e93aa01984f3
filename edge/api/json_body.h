// A request body as JSON: checked once (UTF-8, depth, keys per object, no duplicate keys), fingerprinted over
// its canonical form, and opened for reading. simdjson is visible in edge/api .cc files only.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "edge/api/errors.h"
#include "edge/base/ids.h"
#include "edge/base/result.h"

namespace nodex::api {

// Parser memory, one per core, reused. Not thread-safe.
class JsonReader {
  public:
    JsonReader();
    ~JsonReader();
    struct State;
    [[nodiscard]] State& state() noexcept { return *state_; }

  private:
    std::unique_ptr<State> state_;
};

// Checks any JSON object (routes that need no facts of it); nothing when it is fine.
std::optional<ApiError> check_json(JsonReader& reader, Bytes body);

// SHA-256 over method, path and canonical JSON (keys sorted bytewise, white space gone, numbers as parsed).
// `body` has been accepted by parse_chat_request or check_json with the same reader just before (reuses its
// parse: nothing else may have been read with it since).
Fingerprint fingerprint(JsonReader& reader, Bytes method, Bytes path);

}  // namespace nodex::api
