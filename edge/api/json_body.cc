// JsonReader and the canonical fingerprint of the document it has open.
#include "edge/api/json_body.h"

#include <algorithm>
#include <bit>

#include "edge/api/json_document.h"
#include "edge/base/codec.h"
#include "edge/crypto/crypto.h"

namespace nodex::api {
namespace {

constexpr std::size_t canonical_flush_bytes = 64 * 1024;

// Encodes a document so that two texts give the same octets exactly when they hold the same value:
//   document = "nodex-fp1" string(method) string(path) value
//   value    = 'n' | 't' | 'f' | 'i' int64 | 'u' uint64 | 'd' double bits | string | array | object
//   string   = 's' size:u64 octets
//   array    = '[' value* ']'          object = '{' (string value)* '}', sorted by the octets of the keys
// Integers are little endian. No value starts with ']' or '}', so the encoding cannot be read in two ways.
class CanonicalHash {
  public:
    explicit CanonicalHash(JsonReader::State& document) noexcept
        : document_(document), out_(document.canonical) {
        out_.assign("nodex-fp1");
    }

    void string(Bytes text) {
        out_ += 's';
        word(text.size());
        if (text.size() < canonical_flush_bytes) {
            out_.append(text);
        } else {  // an image: hash it where it lies
            flush();
            hash_.update(text);
        }
        if (out_.size() >= canonical_flush_bytes) flush();
    }

    void object(dom::object object) {
        auto& fields = document_.sorted_fields;
        const std::size_t base = fields.size();
        for (const dom::key_value_pair field : object) fields.emplace_back(field.key, field.value);
        const auto first = fields.begin() + static_cast<std::ptrdiff_t>(base);
        std::sort(first, fields.end(),
                  [](const auto& left, const auto& right) { return left.first < right.first; });
        const std::size_t end = fields.size();
        out_ += '{';
        for (std::size_t index = base; index < end; ++index) {
            const auto [key, child] = fields[index];  // a copy: value() grows the vector
            string(key);
            value(child);
        }
        out_ += '}';
        fields.resize(base);
    }

    Fingerprint finish() {
        flush();
        return Fingerprint::from(crypto::view(hash_.finish()));
    }

  private:
    // Recursion is bounded by limits::json_depth_max: open() has refused deeper texts.
    void value(dom::element element) {
        switch (element.type()) {
            case dom::element_type::OBJECT: object(object_of(element)); return;
            case dom::element_type::ARRAY:
                out_ += '[';
                for (const dom::element child : array_of(element)) value(child);
                out_ += ']';
                return;
            case dom::element_type::STRING: string(string_of(element)); return;
            case dom::element_type::INT64:
                number('i', static_cast<std::uint64_t>(int64_of(element)));
                return;
            case dom::element_type::UINT64: number('u', uint64_of(element)); return;
            case dom::element_type::DOUBLE:
                number('d', std::bit_cast<std::uint64_t>(double_of(element)));
                return;
            case dom::element_type::BOOL: out_ += bool_of(element) ? 't' : 'f'; return;
            case dom::element_type::NULL_VALUE: out_ += 'n'; return;
        }
    }

    void number(char type, std::uint64_t bits) {
        out_ += type;
        word(bits);
        if (out_.size() >= canonical_flush_bytes) flush();
    }

    void word(std::uint64_t value) {
        char octets[8];
        for (char& octet : octets) {
            octet = static_cast<char>(value & 0xff);
            value >>= 8;
        }
        out_.append(octets, sizeof octets);
    }

    void flush() {
        hash_.update(out_);
        out_.clear();
    }

    JsonReader::State& document_;
    std::string& out_;
    crypto::Sha256Stream hash_;
};

}  // namespace

JsonReader::JsonReader() : state_(std::make_unique<State>()) {}
JsonReader::~JsonReader() = default;

std::optional<ApiError> check_json(JsonReader& reader, Bytes body) {
    JsonFault fault = reader.state().open(body);
    if (fault == JsonFault::none) fault = reader.state().check();
    if (fault == JsonFault::none) return std::nullopt;
    return error_of(fault);
}

Fingerprint fingerprint(JsonReader& reader, Bytes method, Bytes path) {
    JsonReader::State& document = reader.state();
    NX_ASSERT(!document.text().empty());  // an accepted body is open
    CanonicalHash hash(document);
    hash.string(method);
    hash.string(path);
    hash.object(document.root());
    return hash.finish();
}

}  // namespace nodex::api
