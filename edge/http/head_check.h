// Checks a whole request or response head beside llhttp and fills RequestHead or ResponseHead. Pure.
// Source: RFC 9112 sections 2 to 6, narrowed: any doubt about framing is a refusal (README.md here).
#pragma once
#include "edge/http/message.h"

namespace nodex::http {

// method SP origin-form SP HTTP/1.x. `line` without CR LF. Fills method, target, path, query and http10.
//   method_not_allowed   CONNECT, TRACE or a method nobody knows; version_unsupported: HTTP/ with another
//   number
Refusal check_request_line(Bytes line, RequestHead& head) noexcept;

// `block`: from the method up to and including the empty line. Views of `head` point into it.
Refusal check_request_head(Bytes block, RequestHead& head) noexcept;

// HTTP/1.x SP 3DIGIT SP reason. False when it breaks the grammar or is no status that a final or interim
// answer of a provider may have (100 and 102 to 599; 101 would switch protocols).
struct StatusLine {
    int status = 0;
    bool http10 = false;
};
bool check_status_line(Bytes line, StatusLine& status_line) noexcept;

// As above; false: malformed. content_length and chunked say what the fields say; whether there is a body at
// all depends on the request and is the parser's business.
bool check_response_head(Bytes block, ResponseHead& head) noexcept;

}  // namespace nodex::http
