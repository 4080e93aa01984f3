// Customer commands: what a developer with an API key asks of a node.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tools/nodex/session.h"

namespace nodex::cli {

// A request to base_url + path with the key; the caller adds a body. `path` starts with '/'.
HttpRequest customer_request(const Settings& settings, std::string_view path);

// GET base_url + path, with the non-empty `query` parameters, shown or complained about.
using Query = std::vector<std::pair<std::string, std::string>>;
Exit run_get(const Settings& settings, std::string_view path, const Query& query);

struct Chat {
    std::string text;        // the user's message
    std::string system;      // "" for none
    std::string model;       // "": the first one the key may use
    std::string max_tokens;  // digits; "" for the model's own limit
    std::string
        idempotency_key;  // "": a random one, so that a retry of ours is never charged twice
    bool stream = false;
};

// One chat completion. A stream that is cut is resumed where it ended, a few times, before it
// counts as failed.
Exit run_chat(const Settings& settings, const Chat& chat);

}  // namespace nodex::cli
