// JSON of the centre's queries, behind our own types: an object read with depth and size bounded,
// and a writer. RapidJSON stays in json.cc.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "edge/base/bytes.h"
#include "edge/base/money.h"
#include "edge/base/result.h"

namespace nodex::replication {

// A parsed object. Views and nested objects live as long as the document that was parsed.
class JsonObject {
  public:
    // malformed(client): not one object of valid UTF-8, too deep (limits::query_json_depth_max), or
    // a name twice.
    static Result<JsonObject> parse(Bytes text);
    JsonObject(JsonObject&&) noexcept;
    JsonObject& operator=(JsonObject&&) noexcept;
    ~JsonObject();

    enum class Kind : std::uint8_t {
        absent,
        null,
        boolean,
        integer,
        other_number,
        string,
        array,
        object
    };
    [[nodiscard]] Kind kind(Bytes name) const noexcept;
    // Nothing when absent or of another kind.
    [[nodiscard]] std::optional<Bytes> string(Bytes name) const noexcept;
    [[nodiscard]] std::optional<std::int64_t> integer(Bytes name) const noexcept;
    [[nodiscard]] std::optional<bool> boolean(Bytes name) const noexcept;
    [[nodiscard]] std::optional<JsonObject> object(Bytes name) const;
    [[nodiscard]] std::optional<std::vector<std::string>> strings(
        Bytes name) const;  // an array of strings only
    [[nodiscard]] std::vector<Bytes> names() const;

  private:
    struct Document;
    JsonObject(std::shared_ptr<const Document> document, const void* value) noexcept;
    const void* find(Bytes name) const noexcept;
    std::shared_ptr<const Document> document_;
    const void* value_;  // into document_
};

class JsonWriter {
  public:
    JsonWriter();
    ~JsonWriter();
    // `name` is "" inside an array and for the outermost object.
    void open_object(Bytes name = {});
    void close_object();
    void open_array(Bytes name);
    void close_array();
    void string(Bytes name, Bytes value);
    void integer(Bytes name, std::int64_t value);
    void boolean(Bytes name, bool value);
    void null(Bytes name);
    void string_or_null(Bytes name, Bytes value);  // null when it is empty
    // Both ways: `name` as decimal string, `name`_nano as integer.
    void amount(Bytes name, Nano value);
    [[nodiscard]] std::string take();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// "12.5" of 12'500'000'000: no trailing zeros, no exponent.
std::string format_amount(Nano amount);
// Exact decimal with at most nine places, optional leading '-'; nothing otherwise (also when out of
// range).
std::optional<Nano> parse_amount(Bytes text) noexcept;

}  // namespace nodex::replication
