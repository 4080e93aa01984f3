// The file that holds an operator's key: "nodex-operator NAME 64-HEX-DIGITS", private to its owner.
// The operator has it, and nodex-central under [[operator]]; nobody else.
#pragma once
#include <optional>
#include <string>
#include <variant>

#include "tools/nodex/operator_seal.h"

namespace nodex::cli {

// The key, or the sentence that says what is wrong and what to do.
std::variant<OperatorKey, std::string> load_operator(const std::string& path);

// Makes a key and its file, mode 0600 and durable; never over one that exists. A sentence when it
// cannot.
std::optional<std::string> create_operator(const std::string& name, const std::string& path);

}  // namespace nodex::cli
