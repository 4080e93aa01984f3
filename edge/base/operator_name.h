// What an operator may be called: in the files that `nodex` makes and reads, and at the centre.
#pragma once
#include <algorithm>

#include "edge/base/bytes.h"
#include "edge/base/limits.h"

namespace nodex {

// 1 to limits::operator_name_bytes_max of a-z, 0-9, '-', '_' and '.'.
inline bool is_operator_name(Bytes name) noexcept {
    if (name.empty() || name.size() > limits::operator_name_bytes_max) return false;
    return std::all_of(name.begin(), name.end(), [](char letter) {
        return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') ||
               letter == '-' || letter == '_' || letter == '.';
    });
}

}  // namespace nodex
