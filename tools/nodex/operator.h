// Commands under an operator's own key, through a POP that needs no authority of its own.
#pragma once
#include <string>
#include <variant>

#include "tools/nodex/operator_file.h"
#include "tools/nodex/session.h"

namespace nodex::cli {

// A command, sealed for the POP behind settings.admin, and what opens its reply.
struct SealedCall {
    OperatorKey key;
    CommandName id{};
    std::string octets;
};

// Under the key in settings.operator_file; or what the complaint came to (a file that cannot be
// used, a node that cannot be reached or is of before sealed commands).
std::variant<SealedCall, Exit> seal_call(const Settings& settings, std::string_view command_json);

// Has it carried out: the centre's status and JSON, as if it had been asked plainly.
std::variant<HttpAnswer, Exit> call_sealed(const Settings& settings, std::string_view command_json);

// `nodex admin operator new`
Exit run_operator_new(const Settings& settings, const std::string& name, const std::string& path);

}  // namespace nodex::cli
