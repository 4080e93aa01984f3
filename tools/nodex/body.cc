// Bodies of requests, through the node's admin socket.
#include "tools/nodex/body.h"

#include <chrono>
#include <cstdio>
#include <thread>
#include <variant>

#include "edge/base/clock.h"
#include "tools/nodex/admin.h"
#include "tools/nodex/operator.h"

namespace nodex::cli {
namespace {

constexpr std::chrono::milliseconds poll_interval{500};

std::string waiting_pops(const Json& result) {
    std::string text;
    const Json* waiting = result.find("waiting_for");
    for (std::size_t i = 0; waiting != nullptr && i < waiting->items().size(); ++i)
        text += (text.empty() ? "" : ", ") + waiting->items()[i].text();
    return text;
}

Json arguments(const std::string& request_id) {
    Json args = Json::object();
    args.set("request_id", Json::string(request_id));
    return args;
}

}  // namespace

Exit run_body_get(const Settings& settings, const std::string& request_id,
                  const std::string& kind) {
    const std::string path = "/admin/bodies/" + request_id + "/" + kind;
    HttpAnswer answer;
    if (settings.operator_file.empty()) {
        answer = admin_get(settings, path);
    } else {
        std::variant<SealedCall, Exit> sealed =
            seal_call(settings, command_json("body.get", arguments(request_id)));
        if (const Exit* failed = std::get_if<Exit>(&sealed)) return *failed;
        answer = admin_post_sealed(settings, path, std::get<SealedCall>(sealed).octets);
    }
    if (answer.status != 200 || !answer.failure.empty())
        return complain_answer(settings, answer, settings.admin);
    std::fwrite(answer.body.data(), 1, answer.body.size(), stdout);
    return std::fflush(stdout) == 0 ? Exit::ok : Exit::failed;
}

Exit run_body_delete(const Settings& settings, const std::string& request_id, unsigned wait_s) {
    const Nanoseconds until = system_clock().now_ns() + wait_s * second;
    std::variant<Json, Exit> answer = ask_admin(settings, "body.delete", arguments(request_id));
    while (true) {
        if (const Exit* failed = std::get_if<Exit>(&answer)) return *failed;
        const Json& result = std::get<Json>(answer);
        if (result.text_of("state") == "destroyed") return show(settings, result);
        if (system_clock().now_ns() >= until)
            return complain(settings, Exit::failed, "not_destroyed_yet",
                            "ordered, and not yet destroyed at POP " + waiting_pops(result) +
                                ": it will be when they are linked; say it again to look");
        std::this_thread::sleep_for(poll_interval);
        answer = ask_admin(settings, "body.status", arguments(request_id));
    }
}

}  // namespace nodex::cli
