// Writing completions in OpenAI's shapes.
#include "tools/provider/answer.h"

#include <array>

#include "edge/api/json_text.h"

namespace nodex::provider {
namespace {

constexpr std::uint64_t created_unix_s = 1'790'000'000;  // fixed: answers of two runs are comparable

constexpr std::array<Bytes, 32> plain_words = {
    "river",  "stone",  "light",  "window",  "garden", "paper",   "north",  "silver",
    "engine", "quiet",  "harbor", "signal",  "bridge", "copper",  "winter", "letter",
    "orange", "mirror", "forest", "anchor",  "marble", "violet",  "summit", "lantern",
    "meadow", "ribbon", "canyon", "feather", "island", "thunder", "velvet", "compass"};
// Two, three and four octets a character.
constexpr std::array<Bytes, 8> wide_words = {"gr\xc3\xbc\xc3\x9f",       "\xe6\xb1\x89\xe5\xad\x97",
                                             "\xf0\x9f\x98\x80",         "\xce\xbb\xcf\x8c\xce\xb3",
                                             "\xd0\xbc\xd0\xb8\xd1\x80", "\xe2\x82\xac",
                                             "\xf0\x9d\x84\x9e",         "na\xc3\xafve"};

std::uint64_t mixed(std::uint64_t value) noexcept {  // splitmix64
    value += 0x9e3779b97f4a7c15u;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

std::string hex(std::uint64_t value) {
    std::array<char, 8> octets;
    for (std::size_t index = 0; index < octets.size(); ++index)
        octets[index] = static_cast<char>(value >> (56 - 8 * index));
    return to_hex(Bytes(octets.data(), octets.size()));
}

}  // namespace

Answer::Answer(AnswerPlan plan) : plan_(std::move(plan)) {
    id_ = "chatcmpl-" + hex(plan_.seed) + "-" + std::to_string(plan_.call_number);
    head_ = "{\"id\":\"" + id_ + "\",\"object\":\"";
    head_ += plan_.stream ? "chat.completion.chunk" : "chat.completion";
    head_ += "\",\"created\":" + std::to_string(created_unix_s) + ",\"model\":";
    api::append_json_string(head_, plan_.model);
    head_ += ",\"choices\":[";
}

bool Answer::next_event(std::string& target) {
    const Directives& directives = plan_.directives;
    if (phase_ == Phase::over) return false;
    if (directives.error_event_after && events_count_ == *directives.error_event_after) {
        append_event(target, R"({"error":{"message":"The model failed on request.","type":"server_error",)"
                             R"("param":null,"code":"model_error"}})");
        enter(Phase::over);
        return true;
    }
    if (directives.comments) target += directives.crlf ? ": still thinking\r\n\r\n" : ": still thinking\n\n";
    switch (phase_) {
        case Phase::roles:
            append_choice_event(target,
                                calls_tool() ? R"({"role":"assistant","content":null,"refusal":null})"
                                             : R"({"role":"assistant","content":"","refusal":null})",
                                {});
            break;
        case Phase::tokens:
            delta_.clear();
            append_delta(delta_);
            append_choice_event(target, delta_, {});
            break;
        case Phase::ends: append_choice_event(target, "{}", finish_reason()); break;
        case Phase::usage:
            scratch_ = head_ + "],\"usage\":";
            append_usage(scratch_);
            scratch_ += '}';
            append_event(target, scratch_);
            break;
        case Phase::done: append_event(target, "[DONE]"); break;
        case Phase::over: break;
    }
    step();
    return true;
}

void Answer::enter(Phase phase) noexcept {
    phase_ = phase;
    choice_ = 0;
    token_ = 0;
}

// From the event just appended to the next one.
void Answer::step() noexcept {
    const auto after_ends = [this] {
        if (plan_.include_usage && !plan_.directives.no_usage) return Phase::usage;
        return plan_.directives.no_done ? Phase::over : Phase::done;
    };
    switch (phase_) {
        case Phase::roles:
            if (++choice_ == plan_.choices_count) enter(plan_.tokens_count > 0 ? Phase::tokens : Phase::ends);
            return;
        case Phase::tokens:
            if (++choice_ < plan_.choices_count) return;
            choice_ = 0;
            if (++token_ == plan_.tokens_count) enter(Phase::ends);
            return;
        case Phase::ends:
            if (++choice_ == plan_.choices_count) enter(after_ends());
            return;
        case Phase::usage: return enter(plan_.directives.no_done ? Phase::over : Phase::done);
        case Phase::done: return enter(Phase::over);
        case Phase::over: return;
    }
}

void Answer::append_event(std::string& target, Bytes data) {
    const Bytes line_end = plan_.directives.crlf ? "\r\n" : "\n";
    target += "data: ";
    target += data;
    target += line_end;
    target += line_end;
    ++events_count_;
}

void Answer::append_choice_event(std::string& target, Bytes delta, Bytes finish_reason) {
    scratch_ = head_;
    scratch_ += "{\"index\":";
    scratch_ += std::to_string(choice_);
    scratch_ += ",\"delta\":";
    scratch_ += delta;
    scratch_ += ",\"logprobs\":null,\"finish_reason\":";
    if (finish_reason.empty()) {
        scratch_ += "null}]";
    } else {
        scratch_ += '"';
        scratch_ += finish_reason;
        scratch_ += "\"}]";
    }
    scratch_ += plan_.include_usage ? ",\"usage\":null}" : "}";
    const bool broken = plan_.directives.bad_json && phase_ == Phase::tokens && token_ == 0;
    append_event(target, broken ? Bytes(scratch_).substr(0, scratch_.size() / 2) : Bytes(scratch_));
}

// The delta of one token: text, or a piece of the call's arguments.
void Answer::append_delta(std::string& target) const {
    if (plan_.directives.huge_event && token_ == 0) {
        target += "{\"content\":\"";
        target.append(static_cast<std::size_t>(*plan_.directives.huge_event), 'x');
        target += "\"}";
        return;
    }
    if (!calls_tool()) {
        target += token_ == 0 ? "{\"content\":\"" : "{\"content\":\" ";
        target += word(choice_, token_);
        target += "\"}";
        return;
    }
    target += "{\"tool_calls\":[{\"index\":0,";
    if (token_ == 0) {
        target += "\"id\":\"call_" + hex(mixed(plan_.seed + choice_)) +
                  "\",\"type\":\"function\",\"function\":{\"name\":";
        api::append_json_string(target, plan_.tool_name);
        target += ",\"arguments\":\"\"}}]}";
        return;
    }
    // {"words":["a" , "b" ... "z"]} in pieces
    target += "\"function\":{\"arguments\":\"";
    if (token_ == 1) target += "{\\\"words\\\":[";
    if (token_ > 1) target += ',';
    target += "\\\"";
    target += word(choice_, token_);
    target += "\\\"";
    if (token_ + 1 == plan_.tokens_count) target += "]}";
    target += "\"}}]}";
}

Bytes Answer::word(std::uint32_t choice, std::uint64_t index) const noexcept {
    const std::uint64_t draw = mixed(plan_.seed ^ mixed(index + (static_cast<std::uint64_t>(choice) << 32)));
    return plan_.directives.split_utf8 ? wide_words[draw % wide_words.size()]
                                       : plain_words[draw % plain_words.size()];
}

const char* Answer::finish_reason() const noexcept {
    if (plan_.cut_by_limit) return "length";
    return calls_tool() ? "tool_calls" : "stop";
}

void Answer::append_usage(std::string& target) const {
    const std::uint64_t completion = plan_.tokens_count * plan_.choices_count;
    target += "{\"prompt_tokens\":" + std::to_string(plan_.prompt_tokens);
    target += ",\"completion_tokens\":" + std::to_string(completion);
    target += ",\"total_tokens\":" + std::to_string(plan_.prompt_tokens + completion);
    target += ",\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0}";
    target += ",\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0,";
    target += "\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}";
}

void Answer::append_message(std::string& target, std::uint32_t choice, Bytes padding) const {
    target += "{\"index\":" + std::to_string(choice) + ",\"message\":{\"role\":\"assistant\",\"content\":";
    if (calls_tool()) {
        target += "null,\"refusal\":null,\"tool_calls\":[{\"id\":\"call_" + hex(mixed(plan_.seed + choice));
        target += "\",\"type\":\"function\",\"function\":{\"name\":";
        api::append_json_string(target, plan_.tool_name);
        std::string arguments = plan_.tokens_count > 1 ? "{\"words\":[" : "";
        for (std::uint64_t index = 1; index < plan_.tokens_count; ++index) {
            arguments += index == 1 ? "\"" : ",\"";
            arguments.append(word(choice, index)).append("\"");
        }
        if (plan_.tokens_count > 1) arguments += "]}";
        target += ",\"arguments\":";
        api::append_json_string(target, arguments);
        target += "}}]}";
    } else {
        target += '"';
        for (std::uint64_t index = 0; index < plan_.tokens_count; ++index) {
            if (index > 0) target += ' ';
            target += word(choice, index);
        }
        target += padding;
        target += "\",\"refusal\":null}";
    }
    target += ",\"logprobs\":null,\"finish_reason\":\"";
    target += finish_reason();
    target += "\"}";
}

std::string Answer::body_with(Bytes padding) const {
    std::string body = head_;
    for (std::uint32_t choice = 0; choice < plan_.choices_count; ++choice) {
        if (choice > 0) body += ',';
        append_message(body, choice, choice == 0 ? padding : Bytes());
    }
    body += ']';
    if (!plan_.directives.no_usage) {
        body += ",\"usage\":";
        append_usage(body);
    }
    return body += '}';
}

std::string Answer::body() const {
    std::string body = body_with({});
    if (const auto wanted = plan_.directives.answer_bytes; wanted && *wanted > body.size())
        body = body_with(std::string(static_cast<std::size_t>(*wanted) - body.size(), 'x'));
    if (plan_.directives.bad_json) body.resize(body.size() / 2);
    return body;
}

}  // namespace nodex::provider
