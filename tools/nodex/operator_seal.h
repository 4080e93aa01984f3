// The operator's end of sealed commands; the centre's, with the layouts and the reasons, is
// replication/central/operator_seal.h. By OpenSSL's libcrypto, which libcurl brings anyway, so two
// implementations have to agree: tests hold both to the same octets.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nodex::cli {

// An operator's name and secret, overwritten when it goes.
struct OperatorKey {
    OperatorKey() = default;
    OperatorKey(const OperatorKey&) = default;
    OperatorKey& operator=(const OperatorKey&) = default;
    ~OperatorKey();
    std::string name;
    std::array<char, 32> octets{};
};

using CommandName = std::array<char, 16>;  // random: one a command

struct CommandHead {
    std::uint16_t pop = 0;       // that passes it on
    std::int64_t sealed_ms = 0;  // Unix time
    CommandName id{};
};

struct OpenedReply {
    int status = 0;  // HTTP-like
    std::string json;
};

// From the system's generator of secrets.
void fill_random(char* target, std::size_t size) noexcept;

std::string seal_command(const OperatorKey& key, const CommandHead& head, std::string_view json);
// Nothing: it is not the centre's answer to this command.
std::optional<OpenedReply> open_reply(const OperatorKey& key, const CommandName& id,
                                      std::string_view octets);

}  // namespace nodex::cli
