// Sealed commands and their replies: layouts and keys.
#include "replication/central/operator_seal.h"

#include "edge/base/codec.h"
#include "edge/base/log.h"
#include "edge/crypto/sealed_once.h"
#include "edge/crypto/secret_file.h"
#include "replication/decoding.h"

namespace nodex::replication {
namespace {

constexpr std::uint8_t seal_version = 1;
constexpr Bytes command_label = "nx-operator-command-v1";
constexpr Bytes reply_label = "nx-operator-reply-v1";
constexpr Bytes operator_file_label = "nodex-operator ";
constexpr std::size_t operator_file_bytes_max = 256;
constexpr std::size_t key_digits = 64;
constexpr std::size_t reply_salt_bytes = 16;

// What is told openly, and authenticated.
std::string head_of(const SealedCommand& command) {
    std::string head;
    ByteWriter writer(head);
    writer.integer(seal_version);
    writer.integer(command.pop);
    writer.integer(command.sealed_ms);
    writer.string(command.operator_name);
    writer.opaque(command.id);
    return head;
}

crypto::SecretKey command_key(const crypto::SecretKey& key, const CommandId& id) {
    return crypto::derive_key(key, std::string(command_label).append(id.view()));
}
crypto::SecretKey reply_key(const crypto::SecretKey& key, const CommandId& id, Bytes salt) {
    return crypto::derive_key(key, std::string(reply_label).append(id.view()).append(salt));
}

std::string reply_head(Bytes salt) {
    return std::string(1, static_cast<char>(seal_version)).append(salt);
}

Error file_refused(const std::string& path, const char* reason) {
    log::error("operator_file_refused",
               {{"path", path},
                {"reason", reason},
                {"advice", "copy the operator's file as nodex admin operator new made it"}});
    return {ErrorCode::bad_configuration, ErrorSource::configuration};
}

}  // namespace

Result<Operator> read_operator_file(const std::string& path) {
    Result<std::string> text = crypto::read_private_file(path, operator_file_bytes_max);
    if (!text) return text.error();
    Bytes rest = *text;
    if (rest.ends_with('\n')) rest.remove_suffix(1);
    if (!rest.starts_with(operator_file_label)) return file_refused(path, "it is no operator's");
    rest.remove_prefix(operator_file_label.size());
    const std::size_t space = rest.find(' ');
    Operator read;
    read.name = rest.substr(0, space);
    if (space == Bytes::npos || !is_operator_name(read.name))
        return file_refused(path, "its name is none of an operator");
    std::optional<std::string> octets = from_hex(rest.substr(space + 1));
    crypto::cleanse(text->data(), text->size());
    if (!octets || octets->size() != key_digits / 2)
        return file_refused(path, "its key is not 64 hexadecimal digits");
    read.key = crypto::SecretKey(*octets);
    crypto::cleanse(octets->data(), octets->size());
    return read;
}

std::string encode(const SealedCommand& command) {
    std::string target = head_of(command);
    ByteWriter(target).string(command.sealed);
    return target;
}

Result<SealedCommand> decode_sealed_command(Bytes bytes) noexcept {
    ByteReader reader(bytes);
    SealedCommand command;
    const auto version = reader.integer<std::uint8_t>();
    command.pop = reader.integer<PopId>();
    command.sealed_ms = reader.integer<std::int64_t>();
    const Bytes operator_name = reader.string();
    command.id = reader.opaque<CommandId>();
    const Bytes sealed = reader.string();
    if (!reader.ok() || version != seal_version || !is_operator_name(operator_name))
        return malformed();
    if (sealed.size() < crypto::sealed_once_overhead_bytes) return malformed();
    command.operator_name = operator_name;
    command.sealed = sealed;
    return command;
}

std::optional<std::string> open_command(const SealedCommand& command,
                                        const crypto::SecretKey& key) {
    return crypto::open_once(command_key(key, command.id), command.sealed, head_of(command));
}

void seal_command(SealedCommand& command, const crypto::SecretKey& key, Bytes json) {
    command.sealed = crypto::seal_once(command_key(key, command.id), json, head_of(command));
}

std::string seal_reply(const CommandId& id, const crypto::SecretKey& key, const QueryReply& reply,
                       Random& random) {
    std::string salt(reply_salt_bytes, '\0');
    random.fill(salt.data(), salt.size());
    std::string plain;
    ByteWriter writer(plain);
    writer.integer(reply.status);
    writer.raw_bytes(reply.json);
    std::string target = reply_head(salt);
    ByteWriter(target).string(crypto::seal_once(reply_key(key, id, salt), plain, reply_head(salt)));
    crypto::cleanse(plain.data(), plain.size());
    return target;
}

Result<QueryReply> open_reply(const CommandId& id, const crypto::SecretKey& key, Bytes bytes) {
    ByteReader reader(bytes);
    const auto version = reader.integer<std::uint8_t>();
    const Bytes salt = reader.raw_bytes(reply_salt_bytes);
    const Bytes sealed = reader.string();
    if (!reader.finished() || version != seal_version) return malformed();
    const std::optional<std::string> plain =
        crypto::open_once(reply_key(key, id, salt), sealed, reply_head(salt));
    if (!plain) return Error{ErrorCode::forbidden, ErrorSource::central};
    ByteReader fields(*plain);
    QueryReply reply;
    reply.status = fields.integer<std::uint16_t>();
    if (!fields.ok()) return malformed();
    reply.json = fields.rest();
    return reply;
}

}  // namespace nodex::replication
