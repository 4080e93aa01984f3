// What nodex-bench was asked to do.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "edge/base/clock.h"
#include "edge/base/result.h"

namespace nodex::bench {

// "https://127.0.0.1:8443/v1/chat/completions" in its parts.
struct Target {
    bool tls = false;
    std::string host;
    std::uint16_t port = 0;
    std::string path;
};

// Error malformed: not http(s)://host[:port]/path, or a character that cannot stand in a request line.
Result<Target> parse_url(const std::string& url);

enum class Mode : std::uint8_t {
    closed_loop,  // every connection sends its next request when the answer to the last one has come
    open_loop,    // requests start on a fixed schedule, however the server does
    idle,         // connections are opened and held, nothing is sent
};
const char* name(Mode mode) noexcept;

struct Options {
    Target target;
    std::string connect_host;  // "": target.host; else where to connect while target.host is verified
    std::uint16_t connect_port = 0;
    std::string ca_file;       // "": the system's CA store
    std::vector<std::string> header_lines;  // "Name: value"
    std::string body;                       // "": GET, else POST
    bool stream = false;
    bool unique_keys = false;               // X-Idempotency-Key, another one for each request
    Mode mode = Mode::closed_loop;
    unsigned connections_count = 1;
    double rate_per_s = 0;                  // open loop
    Nanoseconds duration = 10 * second;
    Nanoseconds warmup = 1 * second;
    Nanoseconds spread = 0;                 // closed loop: the first requests start over this time
    Nanoseconds timeout = 60 * second;      // of one request
    Nanoseconds drain = 10 * second;        // after the window, for answers still missing
    unsigned cores = 1;
    int expect_status = 200;
    std::vector<int> server_pids;
    std::string json_file;                  // "": none
    std::string label;                      // copied into the JSON
};

// {"model":..,"messages":[{"role":"user","content":..}],..}, the body of a chat completion.
struct ChatBody {
    std::string model;
    std::string prompt;
    unsigned max_tokens = 0;  // 0: not sent
    bool stream = false;
};
std::string chat_body(const ChatBody& chat);

// Head and body of the request, and where in it the idempotency key stands (npos: no key).
struct RequestTemplate {
    std::string message;
    std::size_t key_offset = std::string::npos;
};
inline constexpr std::size_t unique_key_bytes = 36;
RequestTemplate request_template(const Options& options);

// The key of the `number`th request of a run: "nxb" run(16 hex) "-" number(16 hex).
std::string unique_key(std::uint64_t run, std::uint64_t number);

}  // namespace nodex::bench
