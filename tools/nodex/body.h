// `nodex admin body get` and `delete`: one request's bodies, at whichever POP they are.
#pragma once
#include <string>

#include "tools/nodex/session.h"

namespace nodex::cli {

// The body's octets on standard output, nothing added. `kind`: "answer" or "request".
Exit run_body_get(const Settings& settings, const std::string& request_id, const std::string& kind);

// Orders the deletion, then asks until every POP has destroyed its keys, for `wait_s` seconds at
// the most: ok only when all have said so. Failed, and named, while some have not: the order stands
// and is carried out when they come back.
Exit run_body_delete(const Settings& settings, const std::string& request_id, unsigned wait_s);

}  // namespace nodex::cli
