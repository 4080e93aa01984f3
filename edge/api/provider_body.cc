// The request body for a provider: the client's bytes with at most two places spliced.
#include "edge/api/chat_request.h"
#include "edge/api/json_text.h"

namespace nodex::api {
namespace {

struct Splice {
    std::size_t offset = 0;
    std::size_t size = 0;  // bytes of the body that `text` replaces
    std::string text;
};

// What makes stream_options.include_usage true and leaves other options alone.
Splice include_usage_splice(const ChatRequest& request, Bytes body) {
    if (request.stream_options_size == 0)  // the object holds "model" at least, so a comma follows
        return {request.object_offset, 0, "\"stream_options\":{\"include_usage\":true},"};
    if (request.include_usage_size > 0)
        return {request.include_usage_offset, request.include_usage_size, "true"};
    if (body[request.stream_options_offset] != '{')  // null
        return {request.stream_options_offset, request.stream_options_size, "{\"include_usage\":true}"};
    std::size_t first = request.stream_options_offset + 1;
    while (is_space(body[first])) ++first;
    return {request.stream_options_offset + 1, 0,
            body[first] == '}' ? "\"include_usage\":true" : "\"include_usage\":true,"};
}

}  // namespace

std::string provider_body(const ChatRequest& request, Bytes body, Bytes provider_model) {
    NX_ASSERT(request.model_size >= 2);
    NX_ASSERT(request.model_offset + request.model_size <= body.size());
    NX_ASSERT(request.stream_options_offset + request.stream_options_size <= body.size());
    Splice model{request.model_offset, request.model_size, {}};
    append_json_string(model.text, provider_model);
    Splice options;
    if (request.stream && !request.include_usage) options = include_usage_splice(request, body);
    const Splice& first = options.offset < model.offset ? options : model;
    const Splice& second = options.offset < model.offset ? model : options;

    std::string spliced;
    spliced.reserve(body.size() + first.text.size() + second.text.size());
    std::size_t taken = 0;
    for (const Splice* splice : {&first, &second}) {
        if (splice == &options && options.text.empty()) continue;
        NX_ASSERT(splice->offset >= taken);
        spliced.append(body, taken, splice->offset - taken).append(splice->text);
        taken = splice->offset + splice->size;
    }
    return spliced.append(body, taken);
}

}  // namespace nodex::api
