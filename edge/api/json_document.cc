// Opening and checking JSON texts, and finding where their fields stand.
#include "edge/api/json_document.h"

#include <algorithm>
#include <array>

#include "edge/api/json_text.h"
#include "edge/base/limits.h"

namespace nodex::api {
namespace {

constexpr std::size_t retained_bytes_max = 256 * 1024;  // a reader idles with at most about ten times this
constexpr std::size_t small_object_keys_max = 8;        // up to here comparing all pairs beats sorting

JsonFault fault_of(simdjson::error_code error) noexcept {
    switch (error) {
        case simdjson::EMPTY: return JsonFault::empty;
        case simdjson::UTF8_ERROR: return JsonFault::invalid_utf8;
        case simdjson::NUMBER_ERROR: return JsonFault::invalid_number;
        case simdjson::DEPTH_ERROR: return JsonFault::too_deep;
        case simdjson::CAPACITY:
        case simdjson::MEMALLOC: return JsonFault::too_large;
        default:
            return JsonFault::malformed;  // simdjson's other codes say which token broke, as its versions
                                          // differ
    }
}

bool has_equal_pair(const Bytes* keys, std::size_t count) noexcept {
    for (std::size_t left = 0; left + 1 < count; ++left)
        for (std::size_t right = left + 1; right < count; ++right)
            if (keys[left] == keys[right]) return true;
    return false;
}

}  // namespace

JsonReader::State::State() { canonical.reserve(4 * 1024); }

// simdjson would grow by itself, but then forgets the depth limit.
bool JsonReader::State::reserve(std::size_t text_bytes) noexcept {
    const bool shrink = capacity_ > retained_bytes_max && text_bytes <= retained_bytes_max;
    if (capacity_ >= text_bytes && capacity_ > 0 && !shrink) return true;
    const std::size_t wanted =
        text_bytes <= retained_bytes_max
            ? std::max<std::size_t>(4 * 1024, std::min(retained_bytes_max, text_bytes * 2))
            : text_bytes;
    capacity_ = 0;
    parser_ = dom::parser();
    padded_.reset(new (std::nothrow) char[wanted + simdjson::SIMDJSON_PADDING]);
    if (!padded_) return false;
    // simdjson refuses at depth >= its limit, we accept up to ours.
    if (parser_.allocate(wanted, limits::json_depth_max + 1) != simdjson::SUCCESS) return false;
    if (parser_.doc.allocate(wanted) != simdjson::SUCCESS) return false;
    capacity_ = wanted;
    return true;
}

JsonFault JsonReader::State::open(Bytes text) noexcept {
    size_ = 0;
    root_ = dom::object();
    if (text.empty()) return JsonFault::empty;
    if (!reserve(text.size())) return JsonFault::too_large;
    std::memcpy(padded_.get(), text.data(), text.size());
    std::memset(padded_.get() + text.size(), ' ', simdjson::SIMDJSON_PADDING);
    dom::element element;
    const simdjson::error_code error = parser_.parse(padded_.get(), text.size(), false).get(element);
    if (error != simdjson::SUCCESS) return fault_of(error);
    if (element.get_object().get(root_) != simdjson::SUCCESS) return JsonFault::not_an_object;
    size_ = text.size();
    return JsonFault::none;
}

JsonFault JsonReader::State::check() noexcept {
    for (std::size_t index = 0; index + 1 < structurals_count(); ++index) {
        const std::size_t start = structural(index);
        if (structural(index + 1) - start <= limits::json_number_bytes_max) continue;
        const char first = padded_[start];
        if (first != '-' && (first < '0' || first > '9')) continue;
        std::size_t end = structural(index + 1);
        while (is_space(padded_[end - 1])) --end;
        if (end - start > limits::json_number_bytes_max) return JsonFault::invalid_number;
    }
    return check_object(root_, 1);
}

// The parser has refused deeper texts, except for empty containers at one level more, which it does not
// count.
JsonFault JsonReader::State::check_element(dom::element element, std::size_t depth) noexcept {
    if (element.is_object()) return check_object(object_of(element), depth);
    if (!element.is_array()) return JsonFault::none;
    if (depth > limits::json_depth_max) return JsonFault::too_deep;
    for (const dom::element child : array_of(element))
        if (const JsonFault fault = check_element(child, depth + 1); fault != JsonFault::none) return fault;
    return JsonFault::none;
}

JsonFault JsonReader::State::check_object(dom::object object, std::size_t depth) noexcept {
    if (depth > limits::json_depth_max) return JsonFault::too_deep;
    const std::size_t count = object.size();
    if (count > limits::json_object_keys_max) return JsonFault::too_many_keys;
    if (count <= small_object_keys_max) {
        std::array<Bytes, small_object_keys_max> keys;
        std::size_t filled = 0;
        for (const dom::key_value_pair field : object) keys[filled++] = field.key;
        if (has_equal_pair(keys.data(), filled)) return JsonFault::duplicate_key;
    } else {
        sorted_keys_.clear();
        for (const dom::key_value_pair field : object) sorted_keys_.push_back(field.key);
        std::sort(sorted_keys_.begin(), sorted_keys_.end());
        if (std::adjacent_find(sorted_keys_.begin(), sorted_keys_.end()) != sorted_keys_.end())
            return JsonFault::duplicate_key;
    }
    for (const dom::key_value_pair field : object)
        if (const JsonFault fault = check_element(field.value, depth + 1); fault != JsonFault::none)
            return fault;
    return JsonFault::none;
}

void FieldCursor::advance() noexcept {
    const Bytes text = document_.text();
    const auto character = [&](std::size_t index) { return text[document_.structural(index)]; };
    NX_ASSERT(next_ + 2 < document_.structurals_count());
    NX_ASSERT(character(next_) == '"' && character(next_ + 1) == ':');
    comma_before_ = end_offset_;
    key_ = trimmed(document_.structural(next_), document_.structural(next_ + 1));
    value_index_ = next_ + 2;
    std::size_t index = value_index_;
    std::size_t depth = 0;
    do {  // one scalar, or a whole container
        const char c = character(index++);
        if (c == '{' || c == '[') ++depth;
        if (c == '}' || c == ']') --depth;
    } while (depth > 0);
    NX_ASSERT(index < document_.structurals_count());
    end_offset_ = document_.structural(index);
    value_ = trimmed(document_.structural(value_index_), end_offset_);
    next_ = index + 1;
}

Span FieldCursor::trimmed(std::size_t begin, std::size_t end) const noexcept {
    const Bytes text = document_.text();
    while (is_space(text[end - 1])) --end;
    return {begin, end - begin};
}

const char* kind_name(dom::element element) noexcept {
    switch (element.type()) {
        case dom::element_type::ARRAY: return "an array";
        case dom::element_type::OBJECT: return "an object";
        case dom::element_type::INT64:
        case dom::element_type::UINT64: return "an integer";
        case dom::element_type::DOUBLE: return "a decimal";
        case dom::element_type::STRING: return "a string";
        case dom::element_type::BOOL: return "a boolean";
        case dom::element_type::NULL_VALUE: return "null";
    }
    return "an unknown value";
}

ApiError error_of(JsonFault fault) {
    const auto refused = [](const char* reason) {
        return ApiError{Code::invalid_request_error,
                        std::string("We could not parse the JSON body of your request: ") + reason, {}, -1};
    };
    switch (fault) {
        case JsonFault::none: break;
        case JsonFault::empty: return refused("it is empty. Send a JSON object.");
        case JsonFault::malformed: return refused("it is not valid JSON.");
        case JsonFault::invalid_utf8: return refused("it is not valid UTF-8.");
        case JsonFault::invalid_number:
            return refused("it holds a number that is not valid JSON, too long, or beyond 64 bits.");
        case JsonFault::too_deep: return refused("it is nested deeper than 64 levels.");
        case JsonFault::too_large: return ApiError{Code::body_too_large, {}, {}, -1};
        case JsonFault::too_many_keys: return refused("an object has more than 10000 keys.");
        case JsonFault::duplicate_key: return refused("an object has the same key twice.");
        case JsonFault::not_an_object: return refused("it must be a JSON object.");
    }
    NX_ASSERT(fault != JsonFault::none);
    return ApiError{};
}
static_assert(limits::json_depth_max == 64 && limits::json_object_keys_max == 10'000,
              "named in the texts above");

}  // namespace nodex::api
