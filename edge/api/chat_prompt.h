// What a model would read of a chat request: for counting its words and for answering it (the provider
// simulator). The gateway needs none of it.
#pragma once
#include <cstdint>
#include <string>

#include "edge/api/json_body.h"

namespace nodex::api {

struct ChatPrompt {
    std::uint64_t words_count = 0;  // of all text in messages, separated by white space
    std::string last_user_text;     // text parts of the last user message, joined by LF
    std::string metadata_nodex;     // metadata.nodex, "" when absent
    std::string tool_name;          // of the first function tool, "" without tools
};

// `reader` has a body open that parse_chat_request has just accepted.
ChatPrompt read_chat_prompt(JsonReader& reader);

}  // namespace nodex::api
