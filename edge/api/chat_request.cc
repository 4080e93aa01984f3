// Reading a chat request: one walk over the top-level fields, each checked by its row in a table.
#include "edge/api/chat_request.h"

#include <array>
#include <cstdio>

#include "edge/api/json_document.h"
#include "edge/base/limits.h"

namespace nodex::api {
namespace {

constexpr std::uint64_t number_bytes = 24;  // the longest text a 64-bit number is printed as

// Strings, keys and numbers of a value: what a tokenizer may see of it. Depth is bounded by the parser.
std::uint64_t text_bytes(dom::element element) noexcept {
    switch (element.type()) {
        case dom::element_type::STRING: return string_of(element).size();
        case dom::element_type::ARRAY: {
            std::uint64_t sum = 0;
            for (const dom::element child : array_of(element)) sum += text_bytes(child);
            return sum;
        }
        case dom::element_type::OBJECT: {
            std::uint64_t sum = 0;
            for (const dom::key_value_pair field : object_of(element))
                sum += field.key.size() + text_bytes(field.value);
            return sum;
        }
        case dom::element_type::INT64:
        case dom::element_type::UINT64:
        case dom::element_type::DOUBLE:
        case dom::element_type::BOOL:
        case dom::element_type::NULL_VALUE: return number_bytes;
    }
    return number_bytes;
}

std::string decimal(double value) {
    char text[40];
    const int size = std::snprintf(text, sizeof text, "%.10g", value);
    return std::string(text, static_cast<std::size_t>(size));
}

// Reads one request. The first failure is kept and ends the reading.
class RequestReader {
  public:
    RequestReader(JsonReader::State& document, ChatRequest& request) noexcept
        : document_(document), request_(request) {}

    bool read();
    ApiError take_error() { return std::move(error_); }

  private:
    using Check = bool (RequestReader::*)(Bytes key, dom::element value);
    struct Rule {
        Bytes key;
        Check check;
        bool integer = false;
        double low = 0, high = 0;
    };
    static const std::array<Rule, 18> rules;
    static const Rule* rule_of(Bytes key) noexcept;

    bool model(Bytes key, dom::element value);
    bool messages(Bytes key, dom::element value);
    bool message(dom::element value, std::size_t index);
    bool content(dom::element value, const std::string& path);
    void part(dom::object fields);
    bool stream(Bytes key, dom::element value);
    bool stream_options(Bytes key, dom::element value);
    bool stop(Bytes key, dom::element value);
    bool user(Bytes key, dom::element value);
    bool ranged(Bytes key, dom::element value);
    bool tokens_max(Bytes key, dom::element value);
    bool boolean(Bytes key, dom::element value);
    bool anything(Bytes, dom::element) noexcept { return true; }
    bool requirements();

    bool refuse(std::string param, std::string message) {
        error_ = ApiError{Code::invalid_request_error, std::move(message), std::move(param), -1};
        return false;
    }
    bool wrong_type(Bytes param, const char* expected, dom::element got);
    bool out_of_range(Bytes param, const Rule& rule, const std::string& got);

    JsonReader::State& document_;
    ChatRequest& request_;
    ApiError error_;
    FieldCursor* cursor_ = nullptr;  // at the field being read
    bool has_model_ = false, has_messages_ = false, has_options_ = false;
    bool has_new_tokens_max_ = false;
    Bytes safety_identifier_;
};

const std::array<RequestReader::Rule, 18> RequestReader::rules = {{
    {.key = "model", .check = &RequestReader::model},
    {.key = "messages", .check = &RequestReader::messages},
    {.key = "stream", .check = &RequestReader::stream},
    {.key = "stream_options", .check = &RequestReader::stream_options},
    {.key = "max_tokens", .check = &RequestReader::tokens_max, .integer = true, .low = 1,
     .high = limits::request_tokens_max},
    {.key = "max_completion_tokens", .check = &RequestReader::tokens_max, .integer = true, .low = 1,
     .high = limits::request_tokens_max},
    {.key = "temperature", .check = &RequestReader::ranged, .low = 0, .high = 2},
    {.key = "top_p", .check = &RequestReader::ranged, .low = 0, .high = 1},
    {.key = "n", .check = &RequestReader::ranged, .integer = true, .low = 1, .high = 128},
    {.key = "stop", .check = &RequestReader::stop},
    {.key = "user", .check = &RequestReader::user},
    {.key = "safety_identifier", .check = &RequestReader::user},
    {.key = "frequency_penalty", .check = &RequestReader::ranged, .low = -2, .high = 2},
    {.key = "presence_penalty", .check = &RequestReader::ranged, .low = -2, .high = 2},
    {.key = "top_logprobs", .check = &RequestReader::ranged, .integer = true, .low = 0, .high = 20},
    {.key = "logprobs", .check = &RequestReader::boolean},
    {.key = "metadata", .check = &RequestReader::anything},
    {.key = "logit_bias", .check = &RequestReader::anything},
}};

const RequestReader::Rule* RequestReader::rule_of(Bytes key) noexcept {
    for (const Rule& rule : rules)
        if (rule.key == key) return &rule;
    return nullptr;
}

bool RequestReader::read() {
    FieldCursor cursor(document_, 0);
    cursor_ = &cursor;
    request_.object_offset = document_.structural(0) + 1;
    for (const dom::key_value_pair field : document_.root()) {
        cursor.advance();
        if (const Rule* rule = rule_of(field.key)) {
            if (!(this->*rule->check)(rule->key, field.value)) return false;
        } else if (field.value.is_string() || field.value.is_array() || field.value.is_object()) {
            // tools, response_format, prediction and what comes next year: a provider may put all of it into
            // the prompt. Its text here is at least as long as there.
            request_.input_text_bytes += cursor.key().size + cursor.value().size;
        }
    }
    return requirements();
}

bool RequestReader::requirements() {
    if (!has_model_) return refuse("model", "Missing required parameter: 'model'.");
    if (!has_messages_) return refuse("messages", "Missing required parameter: 'messages'.");
    if (has_options_ && !request_.stream)
        return refuse("stream_options",
                      "The 'stream_options' parameter is only allowed when 'stream' is true.");
    if (request_.user.empty()) request_.user = safety_identifier_;
    return true;
}

bool RequestReader::model(Bytes key, dom::element value) {
    if (!value.is_string()) return wrong_type(key, "a string", value);
    request_.model = string_of(value);
    if (request_.model.empty())
        return refuse(
            "model",
            "Invalid 'model': empty string. Expected the name of a model; GET /v1/models lists them.");
    if (request_.model.size() > limits::model_name_bytes_max)
        return refuse("model", "Invalid 'model': string too long. Expected at most " +
                                   std::to_string(limits::model_name_bytes_max) + " bytes.");
    request_.model_offset = cursor_->value().offset;
    request_.model_size = cursor_->value().size;
    has_model_ = true;
    return true;
}

bool RequestReader::messages(Bytes key, dom::element value) {
    if (!value.is_array()) return wrong_type(key, "an array of objects", value);
    std::size_t index = 0;
    for (const dom::element entry : array_of(value))
        if (!message(entry, index++)) return false;
    if (index == 0)
        return refuse("messages",
                      "Invalid 'messages': empty array. Expected an array with at least 1 message.");
    request_.messages_count = static_cast<std::uint32_t>(index);
    has_messages_ = true;
    return true;
}

bool RequestReader::message(dom::element value, std::size_t index) {
    const auto path = [index] { return "messages[" + std::to_string(index) + "]"; };
    if (!value.is_object()) return wrong_type(path(), "an object", value);
    bool has_role = false;
    for (const dom::key_value_pair field : object_of(value)) {
        request_.input_text_bytes += field.key.size();
        if (field.key == "role") {
            if (!field.value.is_string()) return wrong_type(path() + ".role", "a string", field.value);
            has_role = true;
        }
        if (field.key == "content" && !field.value.is_string()) {
            if (!content(field.value, path() + ".content")) return false;
        } else {
            request_.input_text_bytes += text_bytes(field.value);
        }
    }
    if (has_role) return true;
    return refuse(path() + ".role", "Missing required parameter: '" + path() + ".role'.");
}

bool RequestReader::content(dom::element value, const std::string& path) {
    if (value.is_null()) return true;  // an assistant message that holds tool calls only
    if (!value.is_array()) return wrong_type(path, "a string or an array of content parts", value);
    std::size_t index = 0;
    for (const dom::element entry : array_of(value)) {
        if (!entry.is_object())
            return wrong_type(path + "[" + std::to_string(index) + "]", "an object", entry);
        part(object_of(entry));
        ++index;
    }
    return true;
}

// An image is priced by count: its URL, often megabytes of base64, never reaches a text tokenizer.
void RequestReader::part(dom::object fields) {
    bool is_image = false;
    for (const dom::key_value_pair field : fields)
        if (field.key == "type" && field.value.is_string())
            is_image = string_of(field.value) == "image_url";
    if (is_image) ++request_.images_count;
    for (const dom::key_value_pair field : fields) {
        request_.input_text_bytes += field.key.size();
        if (!is_image || field.key != "image_url") request_.input_text_bytes += text_bytes(field.value);
    }
}

bool RequestReader::stream(Bytes key, dom::element value) {
    if (value.is_null()) return true;
    if (!value.is_bool()) return wrong_type(key, "a boolean", value);
    request_.stream = bool_of(value);
    return true;
}

bool RequestReader::stream_options(Bytes key, dom::element value) {
    request_.stream_options_offset = cursor_->value().offset;
    request_.stream_options_size = cursor_->value().size;
    if (value.is_null()) return true;
    if (!value.is_object()) return wrong_type(key, "an object", value);
    has_options_ = true;
    FieldCursor inner(document_, cursor_->value_index());
    for (const dom::key_value_pair field : object_of(value)) {
        inner.advance();
        if (field.key != "include_usage") continue;
        if (!field.value.is_bool() && !field.value.is_null())
            return wrong_type("stream_options.include_usage", "a boolean", field.value);
        request_.include_usage = field.value.is_bool() && bool_of(field.value);
        request_.include_usage_offset = inner.value().offset;
        request_.include_usage_size = inner.value().size;
    }
    return true;
}

bool RequestReader::stop(Bytes key, dom::element value) {
    constexpr std::size_t stops_max = 4;
    if (value.is_null() || value.is_string()) return true;
    if (!value.is_array()) return wrong_type(key, "a string, an array of strings, or null", value);
    const std::size_t count = array_of(value).size();
    if (count < 1 || count > stops_max)
        return refuse(
            "stop",
            "Invalid 'stop': expected a string or an array of 1 to 4 strings, but got an array with " +
                std::to_string(count) + " elements instead.");
    std::size_t index = 0;
    for (const dom::element entry : array_of(value)) {
        if (!entry.is_string()) return wrong_type("stop[" + std::to_string(index) + "]", "a string", entry);
        ++index;
    }
    return true;
}

bool RequestReader::user(Bytes key, dom::element value) {
    if (value.is_null()) return true;
    if (!value.is_string()) return wrong_type(key, "a string", value);
    const Bytes text = string_of(value);
    if (key == "user")
        request_.user = text;
    else
        safety_identifier_ = text;
    return true;
}

bool RequestReader::boolean(Bytes key, dom::element value) {
    return value.is_null() || value.is_bool() || wrong_type(key, "a boolean", value);
}

bool RequestReader::ranged(Bytes key, dom::element value) {
    if (value.is_null()) return true;
    const Rule& rule = *rule_of(key);
    double number = 0;
    if (value.is_int64())
        number = static_cast<double>(int64_of(value));
    else if (value.is_uint64())
        number = static_cast<double>(uint64_of(value));
    else if (value.is_double() && !rule.integer)
        number = double_of(value);
    else
        return wrong_type(key, rule.integer ? "an integer" : "a number", value);
    if (number < rule.low || number > rule.high) return out_of_range(key, rule, decimal(number));
    if (key == "n") request_.choices = static_cast<std::uint32_t>(number);
    return true;
}

bool RequestReader::tokens_max(Bytes key, dom::element value) {
    if (!ranged(key, value)) return false;
    if (value.is_null()) return true;
    const bool is_new = key == "max_completion_tokens";
    if (is_new || !has_new_tokens_max_) request_.output_tokens_max = uint64_of(value);
    has_new_tokens_max_ = has_new_tokens_max_ || is_new;
    return true;
}

bool RequestReader::wrong_type(Bytes param, const char* expected, dom::element got) {
    std::string message = "Invalid type for '";
    message.append(param).append("': expected ").append(expected).append(", but got ");
    message.append(kind_name(got)).append(" instead.");
    return refuse(std::string(param), std::move(message));
}

bool RequestReader::out_of_range(Bytes param, const Rule& rule, const std::string& got) {
    std::string message = "Invalid '";
    message.append(param)
        .append(rule.integer ? "': integer" : "': number")
        .append(" out of range. Expected a value ");
    message.append("between ").append(decimal(rule.low)).append(" and ").append(decimal(rule.high));
    message.append(", but got ").append(got).append(" instead.");
    return refuse(std::string(param), std::move(message));
}

}  // namespace

std::variant<ChatRequest, ApiError> parse_chat_request(JsonReader& reader, Bytes body) {
    if (std::optional<ApiError> error = check_json(reader, body)) return std::move(*error);
    ChatRequest request;
    RequestReader fields(reader.state(), request);
    if (!fields.read()) return fields.take_error();
    return request;
}

}  // namespace nodex::api
