// JSON of the centre's queries: see the header. Depth is checked before parsing and parsing is
// iterative, so that no input decides how deep the stack goes.
#include "replication/central/json.h"

#include <algorithm>

#include "edge/base/limits.h"

#define RAPIDJSON_HAS_STDSTRING 0
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace nodex::replication {
namespace {

using Value = rapidjson::Value;

const Value& as_value(const void* value) noexcept {
    return *static_cast<const Value*>(value);
}
Bytes text_of(const Value& value) noexcept {
    return {value.GetString(), value.GetStringLength()};
}
rapidjson::SizeType size_of(Bytes bytes) noexcept {
    NX_ASSERT(bytes.size() <= limits::message_bytes_max);
    return static_cast<rapidjson::SizeType>(bytes.size());
}

// Brackets outside strings; a string's end is found by its quotes and backslashes alone.
bool shallow(Bytes text) noexcept {
    unsigned depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > limits::query_json_depth_max) return false;
        } else if ((c == '}' || c == ']') && depth > 0) {
            --depth;
        }
    }
    return true;
}

// A name that occurs twice could be read one way here and another way by whoever logs or forwards
// it.
bool names_once(const Value& object) {
    std::vector<Bytes> names;
    for (const auto& member : object.GetObject()) {
        names.push_back(text_of(member.name));
        if (member.value.IsObject() && !names_once(member.value)) return false;
    }
    std::sort(names.begin(), names.end());
    return std::adjacent_find(names.begin(), names.end()) == names.end();
}

}  // namespace

struct JsonObject::Document {
    rapidjson::Document root;
};

JsonObject::JsonObject(std::shared_ptr<const Document> document, const void* value) noexcept
    : document_(std::move(document)), value_(value) {}
JsonObject::JsonObject(JsonObject&&) noexcept = default;
JsonObject& JsonObject::operator=(JsonObject&&) noexcept = default;
JsonObject::~JsonObject() = default;

Result<JsonObject> JsonObject::parse(Bytes text) {
    const Error refused{ErrorCode::malformed, ErrorSource::client};
    if (text.size() > limits::message_bytes_max || !shallow(text)) return refused;
    auto document = std::make_shared<Document>();
    constexpr unsigned flags =
        rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;
    document->root.Parse<flags>(text.data(), text.size());
    if (document->root.HasParseError() || !document->root.IsObject() || !names_once(document->root))
        return refused;
    const void* root = static_cast<const Value*>(&document->root);
    return JsonObject(std::move(document), root);
}

const void* JsonObject::find(Bytes name) const noexcept {
    const Value& object = as_value(value_);
    for (auto member = object.MemberBegin(); member != object.MemberEnd(); ++member)
        if (text_of(member->name) == name) return &member->value;
    return nullptr;
}

JsonObject::Kind JsonObject::kind(Bytes name) const noexcept {
    const void* found = find(name);
    if (found == nullptr) return Kind::absent;
    const Value& value = as_value(found);
    if (value.IsNull()) return Kind::null;
    if (value.IsBool()) return Kind::boolean;
    if (value.IsInt64()) return Kind::integer;
    if (value.IsNumber()) return Kind::other_number;
    if (value.IsString()) return Kind::string;
    return value.IsArray() ? Kind::array : Kind::object;
}

std::optional<Bytes> JsonObject::string(Bytes name) const noexcept {
    if (kind(name) != Kind::string) return std::nullopt;
    return text_of(as_value(find(name)));
}
std::optional<std::int64_t> JsonObject::integer(Bytes name) const noexcept {
    if (kind(name) != Kind::integer) return std::nullopt;
    return as_value(find(name)).GetInt64();
}
std::optional<bool> JsonObject::boolean(Bytes name) const noexcept {
    if (kind(name) != Kind::boolean) return std::nullopt;
    return as_value(find(name)).GetBool();
}
std::optional<JsonObject> JsonObject::object(Bytes name) const {
    if (kind(name) != Kind::object) return std::nullopt;
    return JsonObject(document_, find(name));
}
std::optional<std::vector<std::string>> JsonObject::strings(Bytes name) const {
    if (kind(name) != Kind::array) return std::nullopt;
    std::vector<std::string> strings;
    for (const Value& value : as_value(find(name)).GetArray()) {
        if (!value.IsString()) return std::nullopt;
        strings.emplace_back(text_of(value));
    }
    return strings;
}
std::vector<Bytes> JsonObject::names() const {
    std::vector<Bytes> names;
    for (const auto& member : as_value(value_).GetObject()) names.push_back(text_of(member.name));
    return names;
}

struct JsonWriter::State {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer{buffer};
    void name(Bytes name) {
        if (!name.empty()) writer.Key(name.data(), size_of(name));
    }
};

JsonWriter::JsonWriter() : state_(std::make_unique<State>()) {}
JsonWriter::~JsonWriter() = default;
void JsonWriter::open_object(Bytes name) {
    state_->name(name);
    state_->writer.StartObject();
}
void JsonWriter::close_object() {
    state_->writer.EndObject();
}
void JsonWriter::open_array(Bytes name) {
    state_->name(name);
    state_->writer.StartArray();
}
void JsonWriter::close_array() {
    state_->writer.EndArray();
}
void JsonWriter::string(Bytes name, Bytes value) {
    state_->name(name);
    state_->writer.String(value.data(), size_of(value));
}
void JsonWriter::integer(Bytes name, std::int64_t value) {
    state_->name(name);
    state_->writer.Int64(value);
}
void JsonWriter::boolean(Bytes name, bool value) {
    state_->name(name);
    state_->writer.Bool(value);
}
void JsonWriter::null(Bytes name) {
    state_->name(name);
    state_->writer.Null();
}
void JsonWriter::string_or_null(Bytes name, Bytes value) {
    if (value.empty()) return null(name);
    string(name, value);
}
void JsonWriter::amount(Bytes name, Nano value) {
    string(name, format_amount(value));
    integer(std::string(name) + "_nano", value);
}
std::string JsonWriter::take() {
    NX_ASSERT(state_->writer.IsComplete());
    return {state_->buffer.GetString(), state_->buffer.GetSize()};
}

std::string format_amount(Nano amount) {
    const bool negative = amount < 0;
    const std::uint64_t size =
        negative ? ~static_cast<std::uint64_t>(amount) + 1 : static_cast<std::uint64_t>(amount);
    std::string text = (negative ? "-" : "") + std::to_string(size / nano_per_unit);
    std::string places = std::to_string(size % nano_per_unit);
    places.insert(0, 9 - places.size(), '0');
    while (!places.empty() && places.back() == '0') places.pop_back();
    if (!places.empty()) text += '.' + places;
    return text;
}

std::optional<Nano> parse_amount(Bytes text) noexcept {
    const bool negative = !text.empty() && text[0] == '-';
    if (negative) text.remove_prefix(1);
    const std::size_t point = text.find('.');
    const std::optional<std::uint64_t> units = parse_decimal(text.substr(0, point));
    if (!units || *units > INT64_MAX / nano_per_unit) return std::nullopt;
    std::uint64_t places = 0;
    if (point != Bytes::npos) {
        const Bytes digits = text.substr(point + 1);
        const std::optional<std::uint64_t> value = parse_decimal(digits);
        if (!value || digits.size() > 9) return std::nullopt;
        places = *value;
        for (std::size_t i = digits.size(); i < 9; ++i) places *= 10;
    }
    const Result<Nano> amount =
        add_nano(static_cast<Nano>(*units) * nano_per_unit, static_cast<Nano>(places));
    if (!amount) return std::nullopt;
    return negative ? -*amount : *amount;
}

}  // namespace nodex::replication
