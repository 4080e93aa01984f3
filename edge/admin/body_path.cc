// Paths of bodies, and the sentences for each outcome.
#include "edge/admin/body_path.h"

namespace nodex::admin {

std::optional<BodyPath> parse_body_path(Bytes path) {
    constexpr Bytes prefix = "/admin/bodies/";
    constexpr std::size_t id_digits = 2 * RequestId::size;
    if (!path.starts_with(prefix)) return std::nullopt;
    path.remove_prefix(prefix.size());
    const std::optional<std::string> octets = from_hex(path.substr(0, id_digits));
    if (!octets || octets->size() != RequestId::size) return std::nullopt;
    const Bytes kind = path.substr(id_digits);
    if (kind != "/answer" && kind != "/request") return std::nullopt;
    return BodyPath{RequestId::from(*octets), kind == "/answer" ? replication::BodyKind::answer
                                                                : replication::BodyKind::sent};
}

BodyAnswer answer_of(replication::BodyOutcome outcome) noexcept {
    using replication::BodyOutcome;
    switch (outcome) {
        case BodyOutcome::read: return {200, "read", ""};
        case BodyOutcome::unknown:
            return {404, "not_found", "No such request, or its bodies have expired."};
        case BodyOutcome::refused:
            return {403, "operator_key_missing",
                    "The centre tells this POP of no body without the word of an operator whom it "
                    "knows: give your key with --operator FILE or NODEX_OPERATOR; if you did, the "
                    "centre's log has why it was refused (command_refused, operator_command)."};
        case BodyOutcome::absent: return {404, "no_body", "That request has no such body."};
        case BodyOutcome::deleted: return {410, "body_deleted", "An operator has deleted it."};
        case BodyOutcome::shredded:
            return {410, "body_shredded", "The account's body key of then is destroyed."};
        case BodyOutcome::key_away:
            return {503, "body_key_away",
                    "The account's body key has not come to this POP; try again, or at another POP."};
        case BodyOutcome::gone: return {410, "body_gone", "Its POP does not have it any more."};
        case BodyOutcome::away:
            return {503, "owner_away",
                    "Neither its POP nor one with a copy can be reached; try again."};
        case BodyOutcome::damaged:
            return {502, "body_damaged", "What its POP sent is not what the centre knows of."};
        case BodyOutcome::too_large:
            return {413, "body_too_large", "It is larger than what is read at once."};
        case BodyOutcome::busy: return {503, "overloaded", "Others are being read; try again."};
        case BodyOutcome::unavailable: break;
    }
    return {503, "unavailable", "The central node does not answer; try again."};
}

}  // namespace nodex::admin
