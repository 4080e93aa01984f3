// What a provider says about a request that it refused.
#pragma once
#include <string>

#include "edge/api/json_body.h"

namespace nodex::api {

// `error.message` of an OpenAI error body, or "" when there is none: not JSON, another shape, not a string.
std::string provider_error_message(JsonReader& reader, Bytes body);

}  // namespace nodex::api
