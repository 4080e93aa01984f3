// POST /v1/chat/completions: what the gateway must know of a request; everything else passes on untouched.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "edge/api/json_body.h"

namespace nodex::api {

// Facts of an accepted request. Offsets point into the body it was parsed from.
struct ChatRequest {
    std::string model;
    bool stream = false;
    bool include_usage = false;                      // the client asked for the usage chunk
    std::uint32_t choices = 1;                       // n, 1..128
    std::optional<std::uint64_t> output_tokens_max;  // max_completion_tokens, else max_tokens; per choice
    // Of everything a tokenizer sees: a token is at least one byte, so an upper bound of tokens. Keys inside
    // messages count too: they outweigh what a chat template puts around a message. Images do not.
    std::uint64_t input_text_bytes = 0;
    std::uint32_t messages_count = 0;
    std::uint32_t images_count = 0;
    std::string user;                                // `user` or `safety_identifier`, "" when absent
    // For provider_body(): where the values stand in the body.
    std::size_t model_offset = 0, model_size = 0;             // the JSON string, quotes included
    std::size_t object_offset = 0;                            // just behind the opening '{'
    std::size_t stream_options_offset = 0, stream_options_size = 0;  // the value, size 0: absent
    std::size_t include_usage_offset = 0, include_usage_size = 0;    // the value inside it, size 0: absent
};

// Checks ranges (temperature 0..2, top_p 0..1, penalties -2..2, n 1..128, max tokens >= 1, stop 1..4 strings,
// top_logprobs 0..20), required fields and JSON limits. An ApiError names the parameter and the allowed
// range.
std::variant<ChatRequest, ApiError> parse_chat_request(JsonReader& reader, Bytes body);

// The body for a provider: `provider_model` in place of the model and stream_options.include_usage true when
// streaming; every other byte as the client sent it.
std::string provider_body(const ChatRequest& request, Bytes body, Bytes provider_model);

}  // namespace nodex::api
