// One blocking HTTP/1.1 call, over TLS to a base URL or over the Unix socket of a node's admin
// interface. By libcurl: a client that shares no code with the server it talks to, so that a defect
// of our own TLS or HTTP cannot hide behind its mirror image. The command line links nothing of
// ours that uses BoringSSL, whose symbols would clash with the OpenSSL inside libcurl.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nodex::cli {

inline constexpr std::size_t answer_bytes_max =
    std::size_t{64} * 1024 * 1024;  // more: the call fails

struct HttpRequest {
    std::string method = "GET";
    std::string url;          // http:// or https://
    std::string unix_socket;  // path; "": by the address in the URL
    std::string ca_file;  // PEM; "": the system's authorities. Verification is never switched off.
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;  // sent when not empty
    const char* body_type = "application/json";
    long connect_timeout_ms = 5'000;
    long silence_timeout_s = 120;  // no byte at all for that long: the call fails
};

struct HttpAnswer {
    int status = 0;       // 0: none came, `failure` says why
    std::string failure;  // a sentence for people; set also when the body was cut
    std::string content_type;
    std::string request_id;  // X-Nodex-Request-Id
    std::string session_id;  // X-Nodex-Session-Id
    std::string body;        // what no sink took
};

// Takes the bytes of a 200 text/event-stream answer as they come; answers false to end the call.
class StreamSink {
  public:
    virtual bool stream_bytes(std::string_view bytes) = 0;

  protected:
    ~StreamSink() = default;
};

// Redirects are not followed. `sink` may be null: then the body is collected whatever it is.
HttpAnswer http_call(const HttpRequest& request, StreamSink* sink = nullptr);

}  // namespace nodex::cli
