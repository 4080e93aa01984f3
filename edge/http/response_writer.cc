// Serialises heads and chunks.
#include "edge/http/response_writer.h"

#include <array>
#include <charconv>
#include <cstring>

#include "edge/base/clock.h"
#include "edge/http/field_lines.h"
#include "edge/http/http_date.h"

namespace nodex::http {
namespace {

template <int Base>
void append_number(std::string& target, std::uint64_t value) {
    std::array<char, 20> text;  // UINT64_MAX has 20 digits
    const std::to_chars_result end = std::to_chars(text.data(), text.data() + text.size(), value, Base);
    target.append(text.data(), static_cast<std::size_t>(end.ptr - text.data()));
}

// "date: ...\r\n" of this second, per thread so that no core waits for another.
Bytes date_line() noexcept {
    thread_local std::int64_t cached_s = -1;
    thread_local std::string line;
    const std::int64_t now_s = system_clock().wall_ms() / 1'000;
    if (now_s != cached_s) {
        line.assign("date: ").append(http_date(now_s)).append("\r\n");
        cached_s = now_s;
    }
    return line;
}

}  // namespace

const char* reason_phrase(int status) noexcept {
    switch (status) {
        case 100: return "Continue";
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 206: return "Partial Content";
        case 301: return "Moved Permanently";
        case 302: return "Found";
        case 304: return "Not Modified";
        case 307: return "Temporary Redirect";
        case 308: return "Permanent Redirect";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 402: return "Payment Required";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 406: return "Not Acceptable";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 410: return "Gone";
        case 411: return "Length Required";
        case 412: return "Precondition Failed";
        case 413: return "Content Too Large";
        case 414: return "URI Too Long";
        case 415: return "Unsupported Media Type";
        case 417: return "Expectation Failed";
        case 421: return "Misdirected Request";
        case 422: return "Unprocessable Content";
        case 424: return "Failed Dependency";
        case 425: return "Too Early";
        case 426: return "Upgrade Required";
        case 428: return "Precondition Required";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 502: return "Bad Gateway";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        case 505: return "HTTP Version Not Supported";
        case 507: return "Insufficient Storage";
        default: return "";
    }
}

HeadWriter HeadWriter::response(std::string& target, int status) {
    NX_ASSERT(status >= 100 && status <= 599);
    target.append("HTTP/1.1 ");
    append_number<10>(target, static_cast<std::uint64_t>(status));
    target.append(" ").append(reason_phrase(status)).append("\r\n");
    if (status >= 200) target.append(date_line());
    return HeadWriter(target);
}

HeadWriter HeadWriter::request(std::string& target, Bytes method, Bytes target_path) {
    NX_ASSERT(is_token(method));
    NX_ASSERT(!target_path.empty() && target_path.front() == '/');
    NX_ASSERT(target_path.find_first_of(Bytes(" \r\n\0", 4)) == Bytes::npos);
    target.append(method).append(" ").append(target_path).append(" HTTP/1.1\r\n");
    return HeadWriter(target);
}

HeadWriter& HeadWriter::field(Bytes name, Bytes value) {
    NX_ASSERT(is_token(name));
    NX_ASSERT(is_field_value(value));
    target_.append(name).append(": ").append(value).append("\r\n");
    return *this;
}

HeadWriter& HeadWriter::field(Bytes name, std::uint64_t value) {
    NX_ASSERT(is_token(name));
    target_.append(name).append(": ");
    append_number<10>(target_, value);
    target_.append("\r\n");
    return *this;
}

void HeadWriter::end() {
    target_.append("\r\n");
}

void append_chunk(std::string& target, Bytes data) {
    NX_ASSERT(!data.empty());  // an empty chunk would end the body
    append_number<16>(target, data.size());
    target.append("\r\n").append(data).append("\r\n");
}

void append_last_chunk(std::string& target) {
    target.append("0\r\n\r\n");
}

}  // namespace nodex::http
