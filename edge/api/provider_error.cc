// Reads a provider's refusal.
#include "edge/api/provider_error.h"

#include "edge/api/json_document.h"

namespace nodex::api {

std::string provider_error_message(JsonReader& reader, Bytes body) {
    JsonReader::State& document = reader.state();
    if (document.open(body) != JsonFault::none) return {};
    dom::element error, message;
    if (document.root()["error"].get(error) != simdjson::SUCCESS || !error.is_object()) return {};
    if (object_of(error)["message"].get(message) != simdjson::SUCCESS || !message.is_string()) return {};
    return std::string(string_of(message));
}

}  // namespace nodex::api
