// GET /v1/models and /v1/models/{id} as JSON, in OpenAI's and Anthropic's shape.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "edge/api/errors.h"

namespace nodex::api {

// One model on sale, as the catalogue knows it. Views are borrowed for the call.
struct ModelCard {
    Bytes id;
    Bytes display_name;                      // "": the id
    Bytes provider;                          // OpenAI's `owned_by`, and an extra field of that name
    std::int64_t created_unix_s = 0;
    std::uint64_t context_tokens_max = 0;    // 0: unknown, written as null
    std::uint64_t output_tokens_max = 0;     // 0: unknown, written as null
};

// OpenAI: {"object":"list","data":[...]}; not paged.
std::string openai_models(std::span<const ModelCard> models);
std::string openai_model(const ModelCard& model);

// Anthropic pages: at most `limit` models after `after_id`, or the last `limit` before `before_id`.
struct ModelsPage {
    std::uint64_t limit = 20;  // 1..1000
    std::optional<Bytes> after_id{}, before_id{};
};
// An ApiError when the limit is out of range, a cursor is not in `models`, or both cursors are given.
std::variant<std::string, ApiError> anthropic_models(std::span<const ModelCard> models,
                                                     const ModelsPage& page);
std::string anthropic_model(const ModelCard& model);

// "2026-11-21T03:00:00Z" of Unix seconds (RFC 3339). Years 1970 to 9999; beyond them the nearest bound.
std::string rfc3339(std::int64_t unix_s);

}  // namespace nodex::api
