// Walking the messages of an accepted request for their text.
#include "edge/api/chat_prompt.h"

#include "edge/api/json_document.h"

namespace nodex::api {
namespace {

std::uint64_t words_in(Bytes text) noexcept {
    std::uint64_t words = 0;
    bool in_word = false;
    for (const char c : text) {
        const bool space = c == ' ' || c == '\n' || c == '\r' || c == '\t';
        if (!space && !in_word) ++words;
        in_word = !space;
    }
    return words;
}

Bytes string_field(dom::object object, Bytes key) noexcept {
    std::string_view text;
    return object[key].get(text) == simdjson::SUCCESS ? text : std::string_view();
}

// Calls `take` with every text of a message's content: a string, or the text of its parts.
template <class Take>
void each_text(dom::object message, Take take) {
    dom::element content;
    if (message["content"].get(content) != simdjson::SUCCESS) return;
    if (content.is_string()) return take(string_of(content));
    if (!content.is_array()) return;
    for (const dom::element part : array_of(content))
        if (const Bytes text = string_field(object_of(part), "text"); !text.empty()) take(text);
}

}  // namespace

ChatPrompt read_chat_prompt(JsonReader& reader) {
    ChatPrompt prompt;
    const dom::object root = reader.state().root();
    dom::array messages;
    if (root["messages"].get(messages) == simdjson::SUCCESS) {
        for (const dom::element element : messages) {
            const dom::object message = object_of(element);
            const bool is_user = string_field(message, "role") == "user";
            if (is_user) prompt.last_user_text.clear();
            each_text(message, [&](Bytes text) {
                prompt.words_count += words_in(text);
                if (!is_user) return;
                if (!prompt.last_user_text.empty()) prompt.last_user_text += '\n';
                prompt.last_user_text += text;
            });
        }
    }
    dom::object metadata;
    if (root["metadata"].get(metadata) == simdjson::SUCCESS)
        prompt.metadata_nodex = string_field(metadata, "nodex");
    dom::array tools;
    if (root["tools"].get(tools) != simdjson::SUCCESS) return prompt;
    for (const dom::element tool : tools) {
        dom::object function;
        if (tool["function"].get(function) != simdjson::SUCCESS) continue;
        prompt.tool_name = string_field(function, "name");
        if (!prompt.tool_name.empty()) break;
    }
    return prompt;
}

}  // namespace nodex::api
