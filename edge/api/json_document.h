// The inside of a JsonReader: simdjson's document plus the place of every value in the original text.
// Private to edge/api .cc files: the only header that shows simdjson.
//
// simdjson's DOM has checked the whole text (grammar, UTF-8, depth) but forgets where values stood. Its first
// stage leaves the positions of all structural characters ({ } [ ] : , and the first character of each key
// and value), so a walk over these beside the DOM gives exact offsets without a second parser.
#pragma once
#include <simdjson.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "edge/api/json_body.h"

namespace nodex::api {

namespace dom = simdjson::dom;

struct Span {
    std::size_t offset = 0;
    std::size_t size = 0;
};

// Why a text was refused. `none` is acceptance.
enum class JsonFault : std::uint8_t {
    none,
    empty,
    malformed,
    invalid_utf8,
    invalid_number,   // outside int64, uint64 and double, or longer than limits::json_number_bytes_max
    too_deep,
    too_large,
    too_many_keys,
    duplicate_key,
    not_an_object,
};

struct JsonReader::State {
    State();

    // Parses `text` (copied: simdjson reads up to 64 octets beyond the end). Afterwards root() is an object.
    JsonFault open(Bytes text) noexcept;
    // What open() leaves to check before a client's text may be passed on: duplicate keys (readers differ on
    // which one counts), keys per object, length of numbers.
    JsonFault check() noexcept;

    [[nodiscard]] dom::object root() const noexcept { return root_; }
    [[nodiscard]] Bytes text() const noexcept { return {padded_.get(), size_}; }
    [[nodiscard]] std::size_t structural(std::size_t index) const noexcept {
        return parser_.implementation->structural_indexes[index];
    }
    [[nodiscard]] std::size_t structurals_count() const noexcept {
        return parser_.implementation->n_structural_indexes;
    }

    std::string canonical;                                     // scratch of fingerprint()
    std::vector<std::pair<Bytes, dom::element>> sorted_fields;  // scratch of fingerprint(), used as a stack

  private:
    bool reserve(std::size_t text_bytes) noexcept;
    JsonFault check_element(dom::element element, std::size_t depth) noexcept;
    JsonFault check_object(dom::object object, std::size_t depth) noexcept;

    dom::parser parser_;
    std::unique_ptr<char[]> padded_;
    std::size_t capacity_ = 0;    // text bytes that parser_ and padded_ hold
    std::size_t size_ = 0;
    dom::object root_;            // valid after open() said none
    std::vector<Bytes> sorted_keys_;
};

// Walks the fields of one object in text order, in step with a dom::object iterator over the same object.
class FieldCursor {
  public:
    // The fields of the object whose '{' is the structural number `brace_index`.
    FieldCursor(const JsonReader::State& document, std::size_t brace_index) noexcept
        : document_(document), next_(brace_index + 1) {}

    // Steps to the next field; the DOM says that there is one.
    void advance() noexcept;
    [[nodiscard]] Span key() const noexcept { return key_; }      // quotes included
    [[nodiscard]] Span value() const noexcept { return value_; }  // without white space around
    [[nodiscard]] std::size_t value_index() const noexcept { return value_index_; }  // its first structural
    // Offset of the comma before the field, or of nothing (npos) for the first field; and behind it.
    [[nodiscard]] std::size_t comma_before() const noexcept { return comma_before_; }
    [[nodiscard]] std::size_t end_offset() const noexcept { return end_offset_; }  // of the ',' or '}' behind

  private:
    [[nodiscard]] Span trimmed(std::size_t begin, std::size_t end) const noexcept;

    const JsonReader::State& document_;
    std::size_t next_;         // structural index of the next key
    std::size_t value_index_ = 0;
    Span key_{}, value_{};
    std::size_t comma_before_ = Bytes::npos;
    std::size_t end_offset_ = Bytes::npos;
};

// The value of an element whose type has been asked before. By value: what simdjson's value_unsafe() refers
// to dies at the end of the expression, also in the head of a range-for.
template <class T>
T value_of(dom::element element) noexcept {
    T value{};
    const simdjson::error_code error = element.get<T>().get(value);
    NX_ASSERT(error == simdjson::SUCCESS);
    return value;
}
inline dom::object object_of(dom::element element) noexcept { return value_of<dom::object>(element); }
inline dom::array array_of(dom::element element) noexcept { return value_of<dom::array>(element); }
inline Bytes string_of(dom::element element) noexcept { return value_of<std::string_view>(element); }
inline std::int64_t int64_of(dom::element element) noexcept { return value_of<std::int64_t>(element); }
inline std::uint64_t uint64_of(dom::element element) noexcept { return value_of<std::uint64_t>(element); }
inline double double_of(dom::element element) noexcept { return value_of<double>(element); }
inline bool bool_of(dom::element element) noexcept { return value_of<bool>(element); }

// "a string", "an integer", ...: for messages about types.
const char* kind_name(dom::element element) noexcept;
// The refusal as the client sees it.
ApiError error_of(JsonFault fault);

}  // namespace nodex::api
