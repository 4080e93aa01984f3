// Commands: see the header.
#include "replication/central/commands.h"

#include <algorithm>

#include "edge/base/limits.h"
#include "edge/base/log.h"
#include "replication/central/seldom.h"

namespace nodex::replication {
namespace {

constexpr std::int64_t window_ms = limits::operator_command_window / millisecond;
constexpr const char* unknown_operator = "unknown_operator";
constexpr const char* wrong_operator_key = "wrong_operator_key";
constexpr const char* malformed_command = "malformed_command";

QueryReply refusal_of(std::uint16_t status, Bytes code, Bytes message) {
    JsonWriter writer;
    writer.open_object();
    writer.open_object("error");
    writer.string("code", code);
    writer.string("message", message);
    writer.close_object();
    writer.close_object();
    return {status, writer.take()};
}

// For the one who holds no key that the centre knows: said openly.
QueryReply open_refusal(Bytes reason) {
    if (reason == unknown_operator)
        return refusal_of(403, reason,
                          "the centre knows no operator of that name: add [[operator]] to "
                          "nodex-central's file and reload it; a node with --standalone wants no "
                          "key, leave --operator and NODEX_OPERATOR out");
    if (reason == wrong_operator_key)
        return refusal_of(403, reason,
                          "the centre has another key for that operator, or the command was "
                          "altered on its way: compare the two files");
    return refusal_of(400, reason, "this is no sealed command");
}

QueryReply clocks_differ(std::int64_t sealed_ms, std::int64_t now_ms) {
    return refusal_of(
        409, "clocks_differ",
        "sealed at " + std::to_string(sealed_ms / 1'000) + " by the operator's clock, and it is " +
            std::to_string(now_ms / 1'000) +
            " at the centre (seconds of 1970): set the wrong clock, or say it again if it was "
            "held up");
}

// What was asked, for the log: anything, as it is the operator's.
std::string command_name(Bytes json) {
    const Result<JsonObject> request = JsonObject::parse(json);
    const std::optional<Bytes> name = request ? request->string("command") : std::nullopt;
    return std::string(name.value_or("?").substr(0, limits::admin_text_bytes_max));
}

}  // namespace

bool Commands::is_trusted(PopId pop) const noexcept {
    const auto& may = from_.trusted_pops;
    return std::find(may.begin(), may.end(), pop) != may.end();
}

void Commands::tell_refused(PopId pop, const char* reason) {
    const std::uint64_t refused_total = ++refused_[pop];
    if (!is_told(refused_total)) return;
    log::warning("command_refused",
                 {{"pop", raw(pop)},
                  {"reason", reason},
                  {"refused_total", refused_total},
                  {"advice",
                   "the centre takes commands that are sealed by an [[operator]], and plain "
                   "ones from a [[pop]] with admin = true"}});
}

Result<QueryReply> Commands::refuse_plain(PopId pop) {
    tell_refused(pop, "plain");
    return refusal_of(403, "operator_key_missing",
                      "through this POP the centre takes sealed commands only: give your key with "
                      "--operator FILE or NODEX_OPERATOR (nodex admin operator new makes one)");
}

// Each once: whoever carries messages may keep them, not repeat them.
Result<QueryReply> Commands::plain(const Bearer& bearer, const QueryRequest& request) {
    if (!is_trusted(bearer.pop)) return refuse_plain(bearer.pop);
    const bool unnumbered = request.number == 0 && bearer.protocol == 0;
    const Result<bool> fresh =
        unnumbered ? Result<bool>(true) : ledger_.note_command(bearer.pop, request.number);
    if (!fresh) return fresh.error();
    if (*fresh) return queries_.admin(request.json, bearer.now_ms, bearer.outdated);
    if (const std::uint64_t repeated_total = ++repeated_[bearer.pop]; is_told(repeated_total))
        log::error("command_repeated", {{"pop", raw(bearer.pop)},
                                        {"repeated_total", repeated_total},
                                        {"advice",
                                         "a message was kept and sent again, or this POP's clock "
                                         "was set back"}});
    return refusal_of(409, "repeated",
                      "this command was carried out before, or is too old: is this POP's clock "
                      "right?");
}

Result<Commands::Opened> Commands::open(Bytes octets, const char*& reason) const {
    constexpr Error refused{ErrorCode::forbidden, ErrorSource::client};
    Result<SealedCommand> command = decode_sealed_command(octets);
    reason = malformed_command;
    if (!command) return refused;
    const auto by =
        std::find_if(from_.operators.begin(), from_.operators.end(),
                     [&](const Operator& each) { return each.name == command->operator_name; });
    reason = unknown_operator;
    if (by == from_.operators.end()) return refused;
    std::optional<std::string> json = open_command(*command, by->key);
    reason = wrong_operator_key;
    if (!json) return refused;
    return Opened{&*by, std::move(*command), std::move(*json)};
}

Result<std::optional<QueryReply>> Commands::check(const Bearer& bearer,
                                                  const SealedCommand& command) {
    using Refused = std::optional<QueryReply>;
    if (command.pop != bearer.pop)
        return Refused(refusal_of(409, "another_pop",
                                  "it was sealed for POP " + std::to_string(raw(command.pop)) +
                                      ", and POP " + std::to_string(raw(bearer.pop)) +
                                      " brought it"));
    if (command.sealed_ms > bearer.now_ms + window_ms ||
        command.sealed_ms < bearer.now_ms - window_ms)
        return Refused(clocks_differ(command.sealed_ms, bearer.now_ms));
    const Result<bool> fresh =
        ledger_.note_sealed_command(command.sealed_ms, command.id, bearer.now_ms);
    if (!fresh) return fresh.error();
    if (*fresh) return Refused();
    if (const std::uint64_t repeated_total = ++repeated_[bearer.pop]; is_told(repeated_total))
        log::error("command_repeated", {{"pop", raw(bearer.pop)},
                                        {"operator", command.operator_name},
                                        {"repeated_total", repeated_total},
                                        {"advice", "a message was kept and sent again"}});
    return Refused(refusal_of(409, "repeated", "this command was carried out before"));
}

Result<QueryReply> Commands::sealed(const Bearer& bearer, Bytes octets) {
    const char* reason = nullptr;
    const Result<Opened> opened = open(octets, reason);
    if (!opened) {
        tell_refused(bearer.pop, reason);
        return open_refusal(reason);
    }
    Result<std::optional<QueryReply>> refused = check(bearer, opened->command);
    if (!refused) return refused.error();
    QueryReply reply = *refused ? std::move(**refused)
                                : queries_.admin(opened->json, bearer.now_ms, bearer.outdated);
    if (reply.json.size() > sealed_reply_json_bytes_max)
        reply = refusal_of(413, "answer_too_large", "ask for a smaller page");
    log::info("operator_command", {{"operator", opened->by->name},
                                   {"pop", raw(bearer.pop)},
                                   {"command", command_name(opened->json)},
                                   {"status", reply.status}});
    return QueryReply{200, seal_reply(opened->command.id, opened->by->key, reply, random_)};
}

// With the id of a body another POP hands over its chunks, and every POP has the keys.
Result<bool> Commands::may_read_body(const Bearer& bearer, const RequestId& request,
                                     Bytes authority) {
    if (is_trusted(bearer.pop)) return true;
    const char* reason = authority.empty() ? "plain" : nullptr;
    const Result<Opened> opened =
        authority.empty() ? Result<Opened>(Error{ErrorCode::forbidden, ErrorSource::client})
                          : open(authority, reason);
    if (!opened) {
        tell_refused(bearer.pop, reason);
        return false;
    }
    const Result<JsonObject> command = JsonObject::parse(opened->json);
    const std::optional<JsonObject> args = command ? command->object("args") : std::nullopt;
    if (!args || command->string("command") != "body.get" ||
        args->string("request_id") != to_hex(request.view()))
        return false;
    const Result<std::optional<QueryReply>> refused = check(bearer, opened->command);
    if (!refused) return refused.error();
    log::info("operator_command", {{"operator", opened->by->name},
                                   {"pop", raw(bearer.pop)},
                                   {"command", "body.get"},
                                   {"status", *refused ? (*refused)->status : 200}});
    return !*refused;
}

}  // namespace nodex::replication
