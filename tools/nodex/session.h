// What every command shares: where to call, how to show the answer, and what the exit status means.
#pragma once
#include <string>

#include "tools/nodex/http_client.h"
#include "tools/nodex/json.h"

namespace nodex::cli {

// The exit status of `nodex`. Programs may rely on these.
enum class Exit : int {
    ok = 0,
    usage = 1,        // the command line is wrong; nothing was sent
    refused = 2,      // the node understood and said no (4xx, or an error of the admin interface)
    unreachable = 3,  // no answer: nobody listens, no route, TLS failed
    failed = 4,  // the node or a provider failed (5xx), or the answer was cut or cannot be read
};

struct Settings {
    bool json = false;          // --json: the answer's JSON on stdout, errors as JSON on stderr
    std::string admin;          // "unix:PATH" of the admin socket
    std::string operator_file;  // operator_file.h; "": commands are plain
    std::string base_url;       // "https://host:port/v1"
    std::string key;            // API key
    std::string ca_file;        // "" for the system's authorities
};

// Prints `result` on stdout, as a table or as JSON.
Exit show(const Settings& settings, const Json& result);

// Prints one sentence on stderr (or {"error":{"code","message"}} with --json) and returns `exit`.
Exit complain(const Settings& settings, Exit exit, std::string_view code, std::string_view message);

// Turns an answer that is not the wanted one into a complaint: no answer, an error envelope, not
// JSON.
Exit complain_answer(const Settings& settings, const HttpAnswer& answer, std::string_view target);

}  // namespace nodex::cli
