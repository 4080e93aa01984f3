// The head of a request to a provider, made from the configuration and nothing of the client's. Pure.
#pragma once
#include <string>

#include "edge/base/bytes.h"
#include "edge/upstream/endpoint.h"

namespace nodex::upstream {

struct RequestParts {
    Bytes path = {};   // appended to the endpoint's base path: "/chat/completions"
    Bytes body = {};
    bool stream = false;
    Bytes request_id = {};  // "": no X-Request-Id
};

// Appends head and body, so that both leave in one write.
void append_request(std::string& target, const EndpointConfig& endpoint, const RequestParts& parts);

// "api.example.com", with ":port" where it is not the scheme's own, an IPv6 literal in brackets.
std::string host_field(const EndpointConfig& endpoint);

}  // namespace nodex::upstream
