// Showing results and failures.
#include "tools/nodex/session.h"

#include <cstdio>

#include "tools/nodex/render.h"

namespace nodex::cli {

namespace {

void print(std::FILE* target, std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), target);
}

std::string hint(std::string_view code) {
    if (code == "unauthenticated" || code == "invalid_api_key")
        return "give a key with --key or NODEX_API_KEY";
    if (code == "insufficient_balance") return "an operator can top the account up";
    if (code == "insufficient_quota") return "the key's own budget is used up";
    if (code == "model_not_found") return "see `nodex models`";
    if (code == "rate_limited" || code == "overloaded") return "try again in a moment";
    return {};
}

}  // namespace

Exit show(const Settings& settings, const Json& result) {
    print(stdout, settings.json ? result.pretty() + '\n' : people(result));
    // A full disk or a closed pipe behind stdout must not look like success.
    return std::fflush(stdout) == 0 ? Exit::ok : Exit::failed;
}

Exit complain(const Settings& settings, Exit exit, std::string_view code,
              std::string_view message) {
    if (settings.json) {
        Json error = Json::object();
        error.set("code", Json::string(code)).set("message", Json::string(message));
        print(stderr, Json::object().set("error", std::move(error)).compact() + '\n');
        return exit;
    }
    const std::string advice = hint(code);
    print(stderr, "nodex: " + printable(message, false) +
                      (advice.empty() ? "" : " (" + advice + ")") + '\n');
    return exit;
}

Exit complain_answer(const Settings& settings, const HttpAnswer& answer, std::string_view target) {
    if (answer.status == 0) {
        const std::string message = "no answer from " + std::string(target) + ": " + answer.failure;
        return complain(settings, Exit::unreachable, "unreachable", message);
    }
    if (!answer.failure.empty())
        return complain(settings, Exit::failed, "answer_cut", answer.failure);
    const Exit exit = answer.status >= 400 && answer.status < 500 ? Exit::refused : Exit::failed;
    const std::optional<Json> body = Json::parse(answer.body);
    const Json* error = body ? body->find("error") : nullptr;
    if (error == nullptr) {
        const std::string message = std::string(target) + " answered status " +
                                    std::to_string(answer.status) +
                                    " without an error this program knows; is it a Nodex node?";
        return complain(settings, exit, "unknown_answer", message);
    }
    std::string message(error->text_of("message"));
    message +=
        " [" + std::string(error->text_of("code")) + ", status " + std::to_string(answer.status);
    if (!answer.request_id.empty()) message += ", request " + answer.request_id;
    return complain(settings, exit, error->text_of("code"), message + "]");
}

}  // namespace nodex::cli
