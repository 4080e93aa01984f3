// What an operator and the centre say to each other through hands that neither trusts: a POP, the
// nats-servers. Both have the operator's key; nobody between them can read a command or its answer,
// alter it, make one up, take one for another, or have it carried out twice.
//
//   key        = HKDF-SHA256(operator's key, no salt, label || id [|| salt]): seals one message
//   only command    = version u8 = 1, pop u16, sealed_ms i64, operator string, id[16], sealed
//   string sealed     = ChaCha20-Poly1305 of the command's JSON; associated data: all that stands
//   before reply      = version u8 = 1, salt[16], sealed string sealed     = the same, of status
//   u16 and JSON; associated data: version and salt
//
// The reply's key follows from the command's id, so a reply answers its own command only. The other
// end is tools/nodex/operator_seal.h, on another library.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "edge/base/ids.h"
#include "edge/base/limits.h"
#include "edge/base/operator_name.h"
#include "edge/base/random.h"
#include "edge/base/result.h"
#include "edge/crypto/crypto.h"
#include "replication/central/ledger_records.h"
#include "replication/messages.h"

namespace nodex::replication {

struct Operator {
    std::string name;  // is_operator_name()
    crypto::SecretKey key;
};
using Operators = std::vector<Operator>;

// A file that `nodex admin operator new` or deploy/nats/generate made, private as every secret's:
// "nodex-operator NAME 64-HEX-DIGITS". Start-up and reload only: it blocks. bad_configuration: the
// log says what is wrong (operator_file_refused, secret_file_refused).
Result<Operator> read_operator_file(const std::string& path);

struct SealedCommand {
    PopId pop{};                 // that passes it on; from another one it is refused
    std::int64_t sealed_ms = 0;  // by the operator's clock
    std::string operator_name;
    CommandId id;  // random: names this command and makes its keys
    std::string sealed;
};

std::string encode(const SealedCommand& command);
// malformed(central): anything else. Trailing octets are ignored, as in every message.
Result<SealedCommand> decode_sealed_command(Bytes bytes) noexcept;

// The command's JSON; nothing when it was sealed under another key, or altered.
std::optional<std::string> open_command(const SealedCommand& command, const crypto::SecretKey& key);
std::string seal_reply(const CommandId& id, const crypto::SecretKey& key, const QueryReply& reply,
                       Random& random);
// The longest JSON of a reply that fits into a message when it is sealed.
inline constexpr std::size_t sealed_reply_json_bytes_max = limits::message_bytes_max - 256;

// The operator's side, for tests: what `nodex` does.
void seal_command(SealedCommand& command, const crypto::SecretKey& key, Bytes json);
Result<QueryReply> open_reply(const CommandId& id, const crypto::SecretKey& key, Bytes reply);

}  // namespace nodex::replication
