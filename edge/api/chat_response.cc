// Reading what chat providers send. A provider is hostile until proven otherwise: what is not as it should be
// counts as absent, and nothing here fails on it.
#include "edge/api/chat_response.h"

#include <algorithm>

#include "edge/api/json_document.h"
#include "edge/base/limits.h"

namespace nodex::api {
namespace {

std::optional<std::uint64_t> tokens_of(dom::element value) noexcept {
    std::uint64_t tokens = 0;
    if (value.get_uint64().get(tokens) != simdjson::SUCCESS)
        return std::nullopt;  // negative, decimal, not a number
    if (tokens > limits::request_tokens_max) return std::nullopt;
    return tokens;
}

// A token count inside a details object; 0 when anything about it is odd.
std::uint64_t detail_of(dom::element details, Bytes key) noexcept {
    dom::element value;
    if (details[key].get(value) != simdjson::SUCCESS) return 0;
    return tokens_of(value).value_or(0);
}

std::optional<Usage> usage_of(dom::element value) noexcept {
    if (!value.is_object()) return std::nullopt;
    std::optional<std::uint64_t> prompt, completion;
    std::uint64_t cached = 0, cache_write = 0, reasoning = 0;
    for (const dom::key_value_pair field : object_of(value)) {
        if (field.key == "prompt_tokens") prompt = tokens_of(field.value);
        if (field.key == "completion_tokens") completion = tokens_of(field.value);
        if (field.key == "prompt_tokens_details") {
            cached = detail_of(field.value, "cached_tokens");
            cache_write = detail_of(field.value, "cache_write_tokens");
        }
        if (field.key == "completion_tokens_details") reasoning = detail_of(field.value, "reasoning_tokens");
    }
    if (!prompt || !completion) return std::nullopt;
    // Details are parts of their totals; a provider that says otherwise is not paid more than its totals.
    cached = std::min(cached, *prompt);
    cache_write = std::min(cache_write, *prompt - cached);
    reasoning = std::min(reasoning, *completion);
    Usage usage;
    usage.prompt_tokens = *prompt;
    usage.completion_tokens = *completion;
    const auto unit = [&usage](Unit kind) -> std::uint64_t& {
        return usage.units[static_cast<std::size_t>(kind)];
    };
    unit(Unit::input) = *prompt - cached - cache_write;
    unit(Unit::cached_input) = cached;
    unit(Unit::cache_write_5m) = cache_write;
    unit(Unit::output) = *completion - reasoning;
    unit(Unit::reasoning) = reasoning;
    return usage;
}

// Text that the model produced inside a value, without what only names and orders it.
std::uint64_t produced_bytes(dom::element value) noexcept {
    if (value.is_string()) return string_of(value).size();
    std::uint64_t sum = 0;
    if (value.is_array()) {
        for (const dom::element child : array_of(value)) sum += produced_bytes(child);
    } else if (value.is_object()) {
        for (const dom::key_value_pair field : object_of(value))
            if (field.key != "id" && field.key != "type") sum += produced_bytes(field.value);
    }
    return sum;
}

std::uint64_t message_bytes(dom::object message) noexcept {
    std::uint64_t sum = 0;
    for (const dom::key_value_pair field : message) {
        const bool produced = field.key == "content" || field.key == "refusal" || field.key == "tool_calls" ||
                              field.key == "function_call" || field.key == "reasoning_content" ||
                              field.key == "reasoning";
        if (produced) sum += produced_bytes(field.value);
    }
    return sum;
}

struct Choices {
    bool any = false;
    std::bitset<choices_max> finished;
    std::uint64_t text_bytes = 0;
};

Choices read_choices(dom::element value, Bytes message_key) noexcept {
    Choices choices;
    if (!value.is_array()) return choices;
    for (const dom::element choice : array_of(value)) {
        choices.any = true;
        if (!choice.is_object()) continue;
        std::uint64_t index = 0;
        bool finished = false;
        for (const dom::key_value_pair field : object_of(choice)) {
            if (field.key == message_key && field.value.is_object())
                choices.text_bytes += message_bytes(object_of(field.value));
            else if (field.key == "finish_reason")
                finished = field.value.is_string();
            else if (field.key == "index" && field.value.get_uint64().get(index) != simdjson::SUCCESS)
                index = choices_max;  // of no choice
        }
        if (finished && index < choices_max) choices.finished.set(index);
    }
    return choices;
}

// As JavaScript sees it, because SDKs decide by `if (data.error)`.
bool is_truthy(dom::element value) noexcept {
    switch (value.type()) {
        case dom::element_type::NULL_VALUE: return false;
        case dom::element_type::BOOL: return bool_of(value);
        case dom::element_type::STRING: return string_of(value).size() > 0;
        case dom::element_type::INT64: return int64_of(value) != 0;
        case dom::element_type::UINT64: return uint64_of(value) != 0;
        case dom::element_type::DOUBLE: return double_of(value) != 0;
        case dom::element_type::OBJECT:
        case dom::element_type::ARRAY: return true;
    }
    return true;
}

Bytes trim(Bytes data) noexcept {
    constexpr Bytes spaces = " \t\r\n";
    const std::size_t first = data.find_first_not_of(spaces);
    if (first == Bytes::npos) return {};
    return data.substr(first, data.find_last_not_of(spaces) - first + 1);
}

// The field's text together with the one comma that has to go with it.
Span span_with_comma(const FieldCursor& cursor, bool last) noexcept {
    const std::size_t value_end = cursor.value().offset + cursor.value().size;
    if (cursor.comma_before() != Bytes::npos)
        return {cursor.comma_before(), value_end - cursor.comma_before()};
    if (last) return {cursor.key().offset, value_end - cursor.key().offset};
    return {cursor.key().offset, cursor.end_offset() + 1 - cursor.key().offset};
}

Span null_usage_span(JsonReader::State& document) noexcept {
    FieldCursor cursor(document, 0);
    Span span;
    const std::size_t count = document.root().size();
    std::size_t index = 0;
    for (const dom::key_value_pair field : document.root()) {
        cursor.advance();
        ++index;
        if (field.key == "usage" && field.value.is_null()) span = span_with_comma(cursor, index == count);
    }
    return span;
}

}  // namespace

ChatAnswer read_chat_answer(JsonReader& reader, Bytes body) {
    ChatAnswer answer;
    JsonReader::State& document = reader.state();
    if (document.open(body) != JsonFault::none) return answer;
    answer.valid_json = true;
    for (const dom::key_value_pair field : document.root()) {
        if (field.key == "usage") answer.usage = usage_of(field.value);
        if (field.key == "choices")
            answer.output_text_bytes = read_choices(field.value, "message").text_bytes;
    }
    return answer;
}

ChatChunk read_chat_chunk(JsonReader& reader, Bytes data, bool hide_usage) {
    ChatChunk chunk;
    if (trim(data) == "[DONE]") {
        chunk.kind = ChatChunk::Kind::done;
        return chunk;
    }
    JsonReader::State& document = reader.state();
    if (document.open(data) != JsonFault::none) {
        chunk.kind = ChatChunk::Kind::malformed;
        return chunk;
    }
    bool error = false, null_usage = false, has_usage = false;
    Choices choices;
    // Of equal keys the last counts, as in JSON.parse.
    for (const dom::key_value_pair field : document.root()) {
        if (field.key == "choices") {
            choices = read_choices(field.value, "delta");
        } else if (field.key == "usage") {
            chunk.usage = usage_of(field.value);
            null_usage = field.value.is_null();
            has_usage = !null_usage;
        } else if (field.key == "error") {
            error = is_truthy(field.value);
        }
    }
    chunk.output_text_bytes = choices.text_bytes;
    chunk.finished = choices.finished;
    if (error) {
        chunk.kind = ChatChunk::Kind::error;
    } else if (!choices.any && has_usage) {
        chunk.kind = ChatChunk::Kind::usage_only;
    } else if (null_usage && hide_usage) {
        const Span span = null_usage_span(document);
        chunk.hide_offset = span.offset;
        chunk.hide_size = span.size;
    }
    return chunk;
}

}  // namespace nodex::api
