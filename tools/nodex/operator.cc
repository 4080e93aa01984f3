// Asks the node who it is, seals, sends, opens.
#include "tools/nodex/operator.h"

#include <charconv>

#include "edge/base/clock.h"
#include "tools/nodex/admin.h"

namespace nodex::cli {
namespace {

// The number of the POP behind the admin socket, which the command is bound to.
std::variant<std::uint16_t, Exit> ask_pop(const Settings& settings) {
    const HttpAnswer answer = admin_get(settings, "/admin/status");
    const std::optional<Json> status = Json::parse(answer.body);
    if (answer.status != 200 || !answer.failure.empty() || !status)
        return complain_answer(settings, answer, settings.admin);
    const std::string_view digits = status->text_of("pop");
    std::uint16_t pop = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), pop);
    if (digits.empty() || read.ec != std::errc() || read.ptr != digits.data() + digits.size())
        return complain(settings, Exit::failed, "old_node",
                        "this node knows no sealed commands: upgrade it, or use another POP");
    return pop;
}

}  // namespace

std::variant<SealedCall, Exit> seal_call(const Settings& settings, std::string_view command_json) {
    std::variant<OperatorKey, std::string> loaded = load_operator(settings.operator_file);
    if (const auto* problem = std::get_if<std::string>(&loaded))
        return complain(settings, Exit::usage, "operator_file", *problem);
    const std::variant<std::uint16_t, Exit> pop = ask_pop(settings);
    if (const Exit* failed = std::get_if<Exit>(&pop)) return *failed;
    SealedCall call{std::get<OperatorKey>(loaded), {}, {}};
    fill_random(call.id.data(), call.id.size());
    call.octets = seal_command(
        call.key, {std::get<std::uint16_t>(pop), system_clock().wall_ms(), call.id}, command_json);
    return call;
}

std::variant<HttpAnswer, Exit> call_sealed(const Settings& settings,
                                           std::string_view command_json) {
    std::variant<SealedCall, Exit> sealed = seal_call(settings, command_json);
    if (const Exit* failed = std::get_if<Exit>(&sealed)) return *failed;
    const SealedCall& call = std::get<SealedCall>(sealed);
    HttpAnswer answer = admin_post_sealed(settings, "/admin/sealed", call.octets);
    if (answer.status != 200 || !answer.failure.empty())
        return complain_answer(settings, answer, settings.admin);
    std::optional<OpenedReply> reply = open_reply(call.key, call.id, answer.body);
    if (!reply)
        return complain(settings, Exit::failed, "not_of_the_centre",
                        "the answer is not the centre's: it is not sealed for you. Whether the "
                        "command was carried out is not known; look before you repeat it, through "
                        "another POP");
    answer.status = reply->status;
    answer.body = std::move(reply->json);
    return answer;
}

Exit run_operator_new(const Settings& settings, const std::string& name, const std::string& path) {
    if (const std::optional<std::string> problem = create_operator(name, path))
        return complain(settings, Exit::usage, "operator_file", *problem);
    Json made = Json::object();
    made.set("operator", Json::string(name));
    made.set("file", Json::string(path));
    made.set("next", Json::string("copy it to the centre, mode 0600; name it there under "
                                  "[[operator]] in nodex-central's file; reload (SIGHUP)"));
    return show(settings, made);
}

}  // namespace nodex::cli
