// libcurl's easy interface, one handle a call.
#include "tools/nodex/http_client.h"

#include <curl/curl.h>

#include <memory>

#include "edge/base/bytes.h"
#include "edge/base/result.h"

namespace nodex::cli {

namespace {

struct HandleEnd {
    void operator()(CURL* handle) const noexcept { curl_easy_cleanup(handle); }
};
struct ListEnd {
    void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using Handle = std::unique_ptr<CURL, HandleEnd>;
using FieldList = std::unique_ptr<curl_slist, ListEnd>;

// What the callbacks of one call share.
struct Exchange {
    CURL* handle = nullptr;
    StreamSink* sink = nullptr;
    HttpAnswer answer;
    bool too_large = false;
    bool ended_by_sink = false;
};

std::string_view trimmed(std::string_view text) {
    const std::string_view space = " \t\r\n";
    const std::size_t first = text.find_first_not_of(space);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(space) - first + 1);
}

std::size_t on_field(char* bytes, std::size_t size, std::size_t count, void* user) {
    auto& exchange = *static_cast<Exchange*>(user);
    const std::string_view line(bytes, size * count);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return line.size();
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (equals_ignore_case(name, "content-type")) exchange.answer.content_type = value;
    if (equals_ignore_case(name, "x-nodex-request-id")) exchange.answer.request_id = value;
    if (equals_ignore_case(name, "x-nodex-session-id")) exchange.answer.session_id = value;
    return line.size();
}

std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* user) {
    auto& exchange = *static_cast<Exchange*>(user);
    const std::string_view part(bytes, size * count);
    long status = 0;
    curl_easy_getinfo(exchange.handle, CURLINFO_RESPONSE_CODE, &status);
    const bool streamed =
        status == 200 && exchange.answer.content_type.starts_with("text/event-stream");
    if (exchange.sink != nullptr && streamed) {
        exchange.ended_by_sink = !exchange.sink->stream_bytes(part);
        return exchange.ended_by_sink ? 0 : part.size();
    }
    exchange.too_large = exchange.answer.body.size() + part.size() > answer_bytes_max;
    if (exchange.too_large) return 0;
    exchange.answer.body.append(part);
    return part.size();
}

// The typed faces of curl_easy_setopt: a wrong pair of option and type is our mistake, never the
// user's.
void set(CURL* handle, CURLoption option, const std::string& text) {
    NX_ASSERT(curl_easy_setopt(handle, option, text.c_str()) == CURLE_OK);
}
void set(CURL* handle, CURLoption option, const char* text) {
    NX_ASSERT(curl_easy_setopt(handle, option, text) == CURLE_OK);
}
void set(CURL* handle, CURLoption option, long number) {
    NX_ASSERT(curl_easy_setopt(handle, option, number) == CURLE_OK);
}

FieldList field_list(const HttpRequest& request) {
    curl_slist* list = nullptr;
    for (const auto& [name, value] : request.fields)
        list = curl_slist_append(list, (name + ": " + value).c_str());
    if (!request.body.empty())
        list = curl_slist_append(list, (std::string("Content-Type: ") + request.body_type).c_str());
    list = curl_slist_append(list, "Expect:");  // no pause before a long body
    return FieldList(list);
}

void prepare(CURL* handle, const HttpRequest& request, Exchange& exchange, char* error_buffer) {
    set(handle, CURLOPT_URL, request.url);
    set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    set(handle, CURLOPT_NOSIGNAL, 1L);
    set(handle, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
    set(handle, CURLOPT_CONNECTTIMEOUT_MS, request.connect_timeout_ms);
    set(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(handle, CURLOPT_LOW_SPEED_TIME, request.silence_timeout_s);
    set(handle, CURLOPT_USERAGENT, "nodex-cli");
    if (!request.unix_socket.empty()) {
        set(handle, CURLOPT_UNIX_SOCKET_PATH, request.unix_socket);
        set(handle, CURLOPT_PROXY, "");  // one from the environment is for the network
    }
    if (!request.ca_file.empty()) set(handle, CURLOPT_CAINFO, request.ca_file);
    if (!request.body.empty()) {
        set(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
        set(handle, CURLOPT_COPYPOSTFIELDS, request.body);
    }
    set(handle, CURLOPT_CUSTOMREQUEST, request.method);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error_buffer);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &on_field);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &exchange);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &on_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &exchange);
}

std::string failure_text(CURLcode code, const char* detail) {
    std::string text = detail[0] != '\0' ? detail : curl_easy_strerror(code);
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
        text += "; name the node's authority with --ca FILE (or NODEX_CA)";
    return text;
}

}  // namespace

HttpAnswer http_call(const HttpRequest& request, StreamSink* sink) {
    static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    const Handle handle(ready ? curl_easy_init() : nullptr);
    Exchange exchange;
    if (handle == nullptr) {
        exchange.answer.failure = "libcurl cannot start";
        return std::move(exchange.answer);
    }
    exchange.handle = handle.get();
    exchange.sink = sink;
    char detail[CURL_ERROR_SIZE] = {};
    const FieldList fields = field_list(request);
    prepare(handle.get(), request, exchange, detail);
    curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, fields.get());

    const CURLcode code = curl_easy_perform(handle.get());
    long status = 0;
    curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
    exchange.answer.status = static_cast<int>(status);
    if (exchange.too_large)
        exchange.answer.failure = "the answer is larger than 64 MiB";
    else if (code != CURLE_OK && !exchange.ended_by_sink)
        exchange.answer.failure = failure_text(code, detail);
    return std::move(exchange.answer);
}

}  // namespace nodex::cli
