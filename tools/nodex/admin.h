// Operator commands: the table of what the admin interface knows, and the call itself.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tools/nodex/session.h"

namespace nodex::cli {

// How a typed argument becomes JSON.
enum class Form : std::uint8_t {
    identifier,  // digits become a number
    text,
    whole,   // a whole number from 0
    amount,  // decimal with at most 9 places, sent as a string; below zero where the command allows
             // it
    amount_or_none,  // the same, or "none" for null
    yes_no,          // "yes" or "no", a boolean
    list,            // repeated, an array of strings
    time,            // as times.h reads it, sent as seconds since 1970
    time_or_never,   // the same, or "never" for 0
};

struct Field {
    const char* name;    // in "args"; "prices.input" nests
    const char* option;  // "--budget"; without dashes it is positional
    Form form;
    bool required;
    const char* help;
};

struct Command {
    const char* group;  // "account"
    const char* verb;   // "create"
    const char* help;
    const char* example;  // what follows group and verb, as typed in a shell
    std::span<const Field> fields;
    bool destroys;  // asks for --yes
};

std::span<const Command> admin_commands() noexcept;
// What a group of them is about.
const char* help_of_group(std::string_view group) noexcept;

// What was typed for one field of the table; empty when it was left out.
struct Typed {
    const Field* field;
    std::vector<std::string> values;
};

// The "args" object, or the sentence that says what is wrong with them.
std::variant<Json, std::string> admin_args(const std::vector<Typed>& typed);

// The JSON of a command, as the centre reads it.
std::string command_json(std::string_view command, Json args);

// A command through the node's admin socket, sealed when settings.operator_file names a key: its
// "result", or what complain_answer() made of the failure.
std::variant<Json, Exit> ask_admin(const Settings& settings, std::string_view command, Json args);

// The same with a command of the table; shows "result" or complains.
Exit run_admin(const Settings& settings, const Command& command, Json args);

// GET of a path at the admin socket, and POST of JSON or of a sealed command; a wrong address is
// told as the answer's failure.
HttpAnswer admin_get(const Settings& settings, std::string_view path);
HttpAnswer admin_post(const Settings& settings, std::string_view path, std::string json);
HttpAnswer admin_post_sealed(const Settings& settings, std::string_view path, std::string octets);

// GET /admin/status.
Exit run_admin_status(const Settings& settings);

}  // namespace nodex::cli
