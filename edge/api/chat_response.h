// What a chat provider answers: usage, stream chunks, and error bodies, read without changing a byte.
#pragma once
#include <bitset>
#include <cstdint>
#include <optional>

#include "edge/api/json_body.h"
#include "edge/base/units.h"

namespace nodex::api {

// Billed units: cached input is taken out of input, reasoning out of output, so that prices add up.
struct Usage {
    Units units{};
    std::uint64_t prompt_tokens = 0;      // as the provider counts them
    std::uint64_t completion_tokens = 0;
};

// A non-stream answer. Nothing when it carries no usable usage (missing, negative, not integers).
struct ChatAnswer {
    bool valid_json = false;
    std::optional<Usage> usage;
    std::uint64_t output_text_bytes = 0;  // of all choices, for counting when usage is missing
};
ChatAnswer read_chat_answer(JsonReader& reader, Bytes body);

inline constexpr std::size_t choices_max = 128;  // `n` of a request

// One `data:` payload of a stream.
struct ChatChunk {
    enum class Kind : std::uint8_t {
        done,         // [DONE]
        content,      // pass on
        usage_only,   // choices empty and usage present: the injected chunk
        error,        // top-level truthy "error"
        malformed,    // not JSON: the provider is broken
    };
    Kind kind = Kind::content;
    std::optional<Usage> usage;
    std::uint64_t output_text_bytes = 0;
    std::bitset<choices_max> finished;    // choices that ended, by their index
    // A content chunk that carries "usage":null only because we asked for usage: span of `,"usage":null` to
    // hide, size 0: none.
    std::size_t hide_offset = 0, hide_size = 0;
};
ChatChunk read_chat_chunk(JsonReader& reader, Bytes data, bool hide_usage);

}  // namespace nodex::api
