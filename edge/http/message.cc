// Names, status codes and field look-up of HTTP messages.
#include "edge/http/message.h"

namespace nodex::http {
namespace {

std::optional<Bytes> first_value(const std::vector<FieldLine>& fields, Bytes field_name) noexcept {
    for (const FieldLine& line : fields)
        if (equals_ignore_case(line.name, field_name)) return line.value;
    return std::nullopt;
}

}  // namespace

const char* name(Method method) noexcept {
    switch (method) {
        case Method::get: return "GET";
        case Method::head: return "HEAD";
        case Method::post: return "POST";
        case Method::put: return "PUT";
        case Method::patch: return "PATCH";
        case Method::del: return "DELETE";
        case Method::options: return "OPTIONS";
        case Method::other: return "OTHER";
    }
    NX_ASSERT(false);
    return "";
}

std::optional<Bytes> RequestHead::field(Bytes field_name) const noexcept {
    return first_value(fields, field_name);
}

std::size_t RequestHead::count(Bytes field_name) const noexcept {
    std::size_t lines_count = 0;
    for (const FieldLine& line : fields)
        if (equals_ignore_case(line.name, field_name)) ++lines_count;
    return lines_count;
}

std::optional<Bytes> ResponseHead::field(Bytes field_name) const noexcept {
    return first_value(fields, field_name);
}

int status_of(Refusal refusal) noexcept {
    switch (refusal) {
        case Refusal::none: break;
        case Refusal::malformed:
        case Refusal::version_unsupported:
        case Refusal::coding_unsupported: return 400;
        case Refusal::target_too_long: return 414;
        case Refusal::head_too_large: return 431;
        case Refusal::body_too_large: return 413;
        case Refusal::method_not_allowed: return 405;
        case Refusal::expectation_failed: return 417;
        case Refusal::timed_out: return 408;
    }
    NX_ASSERT(false);
    return 500;
}

const char* name(Refusal refusal) noexcept {
    switch (refusal) {
        case Refusal::none: return "none";
        case Refusal::malformed: return "malformed";
        case Refusal::target_too_long: return "target_too_long";
        case Refusal::head_too_large: return "head_too_large";
        case Refusal::body_too_large: return "body_too_large";
        case Refusal::version_unsupported: return "version_unsupported";
        case Refusal::method_not_allowed: return "method_not_allowed";
        case Refusal::expectation_failed: return "expectation_failed";
        case Refusal::coding_unsupported: return "coding_unsupported";
        case Refusal::timed_out: return "timed_out";
    }
    NX_ASSERT(false);
    return "";
}

}  // namespace nodex::http
