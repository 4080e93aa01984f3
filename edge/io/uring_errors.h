// Errno tables: what each kernel operation may answer, whose fault that is and whether to try again.
#pragma once
#include "edge/io/completion.h"

namespace nodex {

// The Error for a negative `result` of `operation`. An errno that only our own mistake can cause (EBADF,
// EFAULT, EINVAL ...) is an assertion naming the operation; one that nobody listed is io_failure, logged.
Error error_of(Operation operation, std::int32_t result) noexcept;

// True if an accept that ended with `result` concerns only the connection that was being accepted.
bool is_accept_transient(std::int32_t result) noexcept;

}  // namespace nodex
