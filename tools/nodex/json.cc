// JSON values by RapidJSON's event parser and writers. Parsing is iterative, so depth costs no
// stack.
#include "tools/nodex/json.h"

#include <rapidjson/prettywriter.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>

#include "edge/base/result.h"

namespace nodex::cli {

namespace {
constexpr std::size_t depth_max = 64;
constexpr unsigned parse_flags = rapidjson::kParseIterativeFlag |
                                 rapidjson::kParseNumbersAsStringsFlag |
                                 rapidjson::kParseValidateEncodingFlag;
}  // namespace

// Receives the parser's events and builds the tree; answers false to stop it.
class JsonBuilder : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, JsonBuilder> {
  public:
    bool Null() { return add({}); }
    bool Bool(bool value) { return add(Json::boolean(value)); }
    bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
        return add(Json::number({text, size}));
    }
    bool String(const char* text, rapidjson::SizeType size, bool) {
        return add(Json::string({text, size}));
    }
    bool Key(const char* text, rapidjson::SizeType size, bool) {
        names_.back().assign(text, size);
        return true;
    }
    bool StartObject() { return open(Json::object()); }
    bool StartArray() { return open(Json::array()); }
    bool EndObject(rapidjson::SizeType) { return close(); }
    bool EndArray(rapidjson::SizeType) { return close(); }
    bool Default() { return false; }  // an event without a handler above does not exist

    Json take() { return std::move(root_); }

  private:
    bool open(Json container) {
        if (open_.size() == depth_max) return false;
        open_.push_back(std::move(container));
        names_.emplace_back();
        return true;
    }
    bool close() {
        Json done = std::move(open_.back());
        open_.pop_back();
        names_.pop_back();
        return add(std::move(done));
    }
    bool add(Json value) {
        if (open_.empty())
            root_ = std::move(value);
        else if (open_.back().kind_ == Json::Kind::array)
            open_.back().items_.push_back(std::move(value));
        else
            open_.back().members_.push_back({names_.back(), std::move(value)});
        return true;
    }

    Json root_;
    std::vector<Json> open_;          // containers not closed yet, outermost first
    std::vector<std::string> names_;  // the member name that waits for its value, one per container
};

Json Json::boolean(bool value) {
    Json json;
    json.kind_ = Kind::boolean;
    json.text_ = value ? "true" : "false";
    return json;
}

Json Json::number(std::string_view digits) {
    Json json;
    json.kind_ = Kind::number;
    json.text_ = digits;
    return json;
}

Json Json::string(std::string_view text) {
    Json json;
    json.kind_ = Kind::string;
    json.text_ = text;
    return json;
}

Json Json::array() {
    Json json;
    json.kind_ = Kind::array;
    return json;
}

Json Json::object() {
    Json json;
    json.kind_ = Kind::object;
    return json;
}

Json Json::identifier(std::string_view text) {
    constexpr std::size_t digits_max = 18;  // fits int64
    const bool digits =
        !text.empty() && text.size() <= digits_max && (text == "0" || text[0] != '0') &&
        std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    return digits ? number(text) : string(text);
}

std::optional<Json> Json::parse(std::string_view text) {
    rapidjson::MemoryStream stream(text.data(), text.size());
    rapidjson::Reader reader;
    JsonBuilder builder;
    if (!reader.Parse<parse_flags>(stream, builder)) return std::nullopt;
    return builder.take();
}

const Json* Json::find(std::string_view name) const noexcept {
    for (const JsonMember& member : members_)
        if (member.name == name) return &member.value;
    return nullptr;
}

std::string_view Json::text_of(std::string_view name) const noexcept {
    const Json* value = find(name);
    return value != nullptr && value->is_scalar() ? std::string_view(value->text_)
                                                  : std::string_view();
}

Json& Json::push(Json item) {
    NX_ASSERT(kind_ == Kind::array);
    items_.push_back(std::move(item));
    return *this;
}

Json& Json::set(std::string_view name, Json value) {
    NX_ASSERT(kind_ == Kind::object);
    for (JsonMember& member : members_) {
        if (member.name != name) continue;
        member.value = std::move(value);
        return *this;
    }
    members_.push_back({std::string(name), std::move(value)});
    return *this;
}

namespace {

rapidjson::SizeType size_of(const std::string& text) {
    return static_cast<rapidjson::SizeType>(text.size());
}

// Recursion is bounded: a parsed value has at most depth_max levels, and ours have three.
template <class Writer>
void write(const Json& value, Writer& writer) {
    switch (value.kind()) {
        case Json::Kind::null: writer.Null(); return;
        case Json::Kind::boolean: writer.Bool(value.text() == "true"); return;
        case Json::Kind::number:
            writer.RawValue(value.text().data(), value.text().size(), rapidjson::kNumberType);
            return;
        case Json::Kind::string: writer.String(value.text().data(), size_of(value.text())); return;
        case Json::Kind::array:
            writer.StartArray();
            for (const Json& item : value.items()) write(item, writer);
            writer.EndArray();
            return;
        case Json::Kind::object:
            writer.StartObject();
            for (const JsonMember& member : value.members()) {
                writer.Key(member.name.data(), size_of(member.name));
                write(member.value, writer);
            }
            writer.EndObject();
            return;
    }
}

}  // namespace

std::string Json::compact() const {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer writer(buffer);
    write(*this, writer);
    return {buffer.GetString(), buffer.GetSize()};
}

std::string Json::pretty() const {
    rapidjson::StringBuffer buffer;
    rapidjson::PrettyWriter writer(buffer);
    writer.SetIndent(' ', 2);
    write(*this, writer);
    return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace nodex::cli
