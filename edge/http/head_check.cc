// Checks a whole request or response head beside llhttp.
#include "edge/http/head_check.h"

#include <algorithm>
#include <array>

#include "edge/base/limits.h"
#include "edge/http/field_lines.h"

namespace nodex::http {
namespace {

struct NamedMethod {
    Bytes name;
    Method method;
};
constexpr std::array<NamedMethod, 7> our_methods{{{"POST", Method::post},
                                                  {"GET", Method::get},
                                                  {"HEAD", Method::head},
                                                  {"OPTIONS", Method::options},
                                                  {"PUT", Method::put},
                                                  {"PATCH", Method::patch},
                                                  {"DELETE", Method::del}}};
// Known to llhttp and harmless: the router answers them. Any other token is refused before llhttp sees it.
constexpr std::array<Bytes, 5> other_methods{"PROPFIND", "MKCOL", "COPY", "MOVE", "REPORT"};

Refusal read_method(Bytes token, Method& method) noexcept {
    if (!is_token(token)) return Refusal::malformed;
    for (const NamedMethod& named : our_methods) {
        if (named.name != token) continue;
        method = named.method;
        return Refusal::none;
    }
    method = Method::other;
    const bool known = std::find(other_methods.begin(), other_methods.end(), token) != other_methods.end();
    return known ? Refusal::none : Refusal::method_not_allowed;
}

bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

Refusal read_version(Bytes text, bool& http10) noexcept {
    if (text.size() != 8 || text.substr(0, 5) != "HTTP/" || text[6] != '.') return Refusal::malformed;
    if (!is_digit(text[5]) || !is_digit(text[7])) return Refusal::malformed;
    http10 = text == "HTTP/1.0";
    return http10 || text == "HTTP/1.1" ? Refusal::none : Refusal::version_unsupported;
}

// origin-form only; '#' never belongs into a request and '\' is a '/' for some parsers behind us.
bool is_origin_form(Bytes target) noexcept {
    if (target.empty() || target.front() != '/') return false;
    return std::all_of(target.begin(), target.end(),
                       [](char c) { return c > 0x20 && c < 0x7f && c != '#' && c != '\\'; });
}

// uri-host [":" port], narrowed to what names and addresses are made of.
bool is_host(Bytes value) noexcept {
    std::size_t host_size = 0;
    if (!value.empty() && value.front() == '[') {
        const std::size_t close = value.find(']');
        if (close == Bytes::npos || close < 3) return false;
        const auto inside = value.substr(1, close - 1);
        if (inside.find_first_not_of("0123456789abcdefABCDEF:.") != Bytes::npos) return false;
        host_size = close + 1;
    } else {
        host_size = std::min(value.find(':'), value.size());
        const auto is_name = [](char c) {
            return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
                   c == '_';
        };
        const auto host = value.substr(0, host_size);
        if (host.empty() || !std::all_of(host.begin(), host.end(), is_name)) return false;
    }
    const Bytes rest = value.substr(host_size);
    if (rest.empty()) return true;
    const std::optional<std::uint64_t> port = parse_decimal(rest.substr(1));
    return rest.front() == ':' && rest.size() <= 6 && is_digits(rest.substr(1)) && port.value_or(0) >= 1 &&
           *port <= 65'535;
}

bool is_chunked(Bytes value) noexcept {
    return equals_ignore_case(value, "chunked");
}

// "gzip, chunked": the framing is clear, only the coding is not ours. All else about codings is a doubt.
bool ends_in_chunked(Bytes value) noexcept {
    const std::size_t comma = value.rfind(',');
    if (comma == Bytes::npos) return false;
    Bytes last = value.substr(comma + 1);
    while (!last.empty() && last.front() == ' ') last.remove_prefix(1);
    for (const char c : value.substr(0, comma))
        if (!is_token(Bytes(&c, 1)) && c != ' ' && c != ',') return false;
    const bool earlier = value.substr(0, comma).find("hunked") != Bytes::npos;  // chunked twice
    return is_chunked(last) && is_token(value.substr(0, 1)) && !earlier;
}

// The rules on Content-Length and Transfer-Encoding that requests and responses share: one of them, once,
// exactly, and chunked only where HTTP/1.1 made it.
Refusal read_framing(const FieldFacts& facts, bool http10, std::optional<std::uint64_t>& content_length,
                     bool& chunked) noexcept {
    content_length = std::nullopt;
    chunked = false;
    if (facts.transfer_encoding_count > 0) {
        if (facts.transfer_encoding_count > 1 || facts.content_length_count > 0 || http10)
            return Refusal::malformed;
        chunked = is_chunked(facts.transfer_encoding);
        if (chunked) return Refusal::none;
        return ends_in_chunked(facts.transfer_encoding) ? Refusal::coding_unsupported : Refusal::malformed;
    }
    if (facts.content_length_count == 0) return Refusal::none;
    if (facts.content_length_count > 1) return Refusal::malformed;
    content_length = parse_decimal(facts.content_length);
    return content_length && *content_length <= INT64_MAX ? Refusal::none : Refusal::malformed;
}

bool keeps_alive(const FieldFacts& facts, bool http10) noexcept {
    if (facts.says_close) return false;
    return !http10 || facts.says_keep_alive;
}

// The field lines of `block`: behind the first line, before the empty one.
Bytes field_block(Bytes block, std::size_t first_line_size) noexcept {
    return block.substr(first_line_size + 2, block.size() - first_line_size - 4);
}

}  // namespace

Refusal check_request_line(Bytes line, RequestHead& head) noexcept {
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == Bytes::npos || first == last) return Refusal::malformed;
    const Refusal bad_version = read_version(line.substr(last + 1), head.http10);
    if (bad_version != Refusal::none) return bad_version;
    const Refusal bad_method = read_method(line.substr(0, first), head.method);
    if (bad_method != Refusal::none) return bad_method;
    head.target = line.substr(first + 1, last - first - 1);
    if (!is_origin_form(head.target)) return Refusal::malformed;
    const std::size_t mark = std::min(head.target.find('?'), head.target.size());
    head.path = head.target.substr(0, mark);
    head.query = head.target.substr(std::min(mark + 1, head.target.size()));
    return Refusal::none;
}

Refusal check_request_head(Bytes block, RequestHead& head) noexcept {
    const std::size_t line_size = block.find('\r');
    NX_ASSERT(line_size != Bytes::npos);
    const Refusal bad_line = check_request_line(block.substr(0, line_size), head);
    if (bad_line != Refusal::none) return bad_line;
    if (block[line_size + 1] != '\n') return Refusal::malformed;
    FieldFacts facts;
    switch (read_field_lines(field_block(block, line_size), head.fields, facts)) {
        case FieldFault::none: break;
        case FieldFault::malformed: return Refusal::malformed;
        case FieldFault::too_many: return Refusal::head_too_large;
    }
    if (facts.host_count > 1 || (facts.host_count == 0 && !head.http10)) return Refusal::malformed;
    if (facts.host_count == 1 && !is_host(facts.host)) return Refusal::malformed;
    const Refusal bad_framing = read_framing(facts, head.http10, head.content_length, head.chunked);
    if (bad_framing != Refusal::none) return bad_framing;
    head.keep_alive = keeps_alive(facts, head.http10);
    head.expect_continue = false;
    if (facts.expect_count == 0 || head.http10)
        return Refusal::none;  // HTTP/1.0 knows no 100: RFC 9110 10.1.1
    if (facts.expect_count > 1 || !equals_ignore_case(facts.expect, "100-continue"))
        return Refusal::expectation_failed;
    head.expect_continue = head.has_body();
    return Refusal::none;
}

bool check_status_line(Bytes line, StatusLine& status_line) noexcept {
    if (line.size() < 13 || read_version(line.substr(0, 8), status_line.http10) != Refusal::none)
        return false;
    if (line[8] != ' ' || line[12] != ' ' || !is_digits(line.substr(9, 3))) return false;
    if (!is_field_value(line.substr(13))) return false;
    status_line.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
    return status_line.status >= 100 && status_line.status <= 599 && status_line.status != 101;
}

bool check_response_head(Bytes block, ResponseHead& head) noexcept {
    const std::size_t line_size = block.find('\r');
    NX_ASSERT(line_size != Bytes::npos);
    StatusLine status_line;
    if (!check_status_line(block.substr(0, line_size), status_line)) return false;
    if (block[line_size + 1] != '\n') return false;
    head.status = status_line.status;
    FieldFacts facts;
    if (read_field_lines(field_block(block, line_size), head.fields, facts) != FieldFault::none) return false;
    if (read_framing(facts, status_line.http10, head.content_length, head.chunked) != Refusal::none)
        return false;
    head.keep_alive = keeps_alive(facts, status_line.http10);
    return true;
}

}  // namespace nodex::http
