// Any bytes as a chat request, an answer and a stream chunk. What is accepted must survive the splice for a
// provider, keep its facts and its fingerprint's meaning, and what is cut out must leave a document.
#include <cstddef>
#include <cstdint>

#include "edge/api/chat_prompt.h"
#include "edge/api/chat_request.h"
#include "edge/api/chat_response.h"
#include "edge/api/provider_error.h"

namespace nodex {
namespace {

constexpr Bytes provider_model = "provider/\"model\"";

api::JsonReader& reader() {
    static api::JsonReader instance;
    return instance;
}

void check_request(Bytes body) {
    const auto parsed = api::parse_chat_request(reader(), body);
    const auto* request = std::get_if<api::ChatRequest>(&parsed);
    if (request == nullptr) {
        const std::string error = api::error_body(std::get<api::ApiError>(parsed), "req");
        NX_ASSERT(!api::check_json(reader(), error));
        return;
    }
    const Fingerprint original = api::fingerprint(reader(), "POST", "/");
    NX_ASSERT(original == api::fingerprint(reader(), "POST", "/"));
    (void)api::read_chat_prompt(reader());
    NX_ASSERT(body[request->model_offset] == '"');
    NX_ASSERT(body[request->model_offset + request->model_size - 1] == '"');

    const std::string spliced = api::provider_body(*request, body, provider_model);
    const auto reparsed = api::parse_chat_request(reader(), spliced);
    const auto* after = std::get_if<api::ChatRequest>(&reparsed);
    NX_ASSERT(after != nullptr);
    NX_ASSERT(after->model == provider_model);
    NX_ASSERT(after->stream == request->stream);
    NX_ASSERT(after->include_usage == (request->stream || request->include_usage));
    NX_ASSERT(after->choices == request->choices);
    NX_ASSERT(after->output_tokens_max == request->output_tokens_max);
    NX_ASSERT(after->input_text_bytes == request->input_text_bytes);
    NX_ASSERT(after->images_count == request->images_count);
    NX_ASSERT(after->user == request->user);
    NX_ASSERT(api::provider_body(*after, spliced, provider_model) == spliced);
}

void check_response(Bytes body) {
    const api::ChatAnswer answer = api::read_chat_answer(reader(), body);
    NX_ASSERT(answer.valid_json || !answer.usage);
    NX_ASSERT(api::provider_error_message(reader(), body).size() <= body.size());
    const api::ChatChunk chunk = api::read_chat_chunk(reader(), body, true);
    NX_ASSERT(chunk.output_text_bytes <= body.size());
    if (chunk.hide_size == 0) return;
    std::string rest(body);
    rest.erase(chunk.hide_offset, chunk.hide_size);
    const api::ChatChunk without = api::read_chat_chunk(reader(), rest, false);
    using Kind = api::ChatChunk::Kind;
    NX_ASSERT(without.kind == Kind::content || without.kind == Kind::usage_only);
    NX_ASSERT(without.output_text_bytes == chunk.output_text_bytes);
}

}  // namespace
}  // namespace nodex

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const nodex::Bytes bytes(reinterpret_cast<const char*>(data), size);
    nodex::check_request(bytes);
    nodex::check_response(bytes);
    return 0;
}
