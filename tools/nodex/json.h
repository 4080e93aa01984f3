// JSON as the command line needs it: one value type that is parsed, shown and written. Numbers keep
// their digits as text, so an amount of money never passes through a double.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nodex::cli {

struct JsonMember;

class Json {
  public:
    enum class Kind : std::uint8_t { null, boolean, number, string, array, object };

    Json() = default;
    static Json boolean(bool value);
    static Json number(std::string_view digits);  // JSON number grammar; the caller has checked it
    static Json string(std::string_view text);
    static Json array();
    static Json object();
    // A number when `text` is all digits, else a string: identifiers typed by a person.
    static Json identifier(std::string_view text);

    // Nothing when `text` is not one JSON value of UTF-8 text, or is nested deeper than 64 levels.
    static std::optional<Json> parse(std::string_view text);

    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    [[nodiscard]] bool is_scalar() const noexcept { return kind_ < Kind::array; }
    // The characters of a string, the digits of a number, "true", "false", "" for null.
    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    [[nodiscard]] const std::vector<Json>& items() const noexcept { return items_; }
    [[nodiscard]] const std::vector<JsonMember>& members() const noexcept { return members_; }
    // The member of that name; null when absent or when this is no object. Valid as long as this is
    // unchanged.
    [[nodiscard]] const Json* find(std::string_view name) const noexcept;
    // find(name)->text(), or "" when absent or not a scalar.
    [[nodiscard]] std::string_view text_of(std::string_view name) const noexcept;

    Json& push(Json item);                         // this is an array
    Json& set(std::string_view name, Json value);  // this is an object; replaces

    [[nodiscard]] std::string compact() const;  // one line
    [[nodiscard]] std::string pretty() const;   // indented by two spaces, no newline at the end

  private:
    friend class JsonBuilder;
    Kind kind_ = Kind::null;
    std::string text_;
    std::vector<Json> items_;          // of an array
    std::vector<JsonMember> members_;  // of an object, in the order of arrival
};

struct JsonMember {
    std::string name;
    Json value;
};

}  // namespace nodex::cli
