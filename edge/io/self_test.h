// A start-up check that ring restrictions really bite on this kernel: seccomp does not see ring operations,
// so a ring that could open files or make sockets would be a hole that nobody notices.
#pragma once
#include "edge/base/result.h"

namespace nodex {

// Makes a ring as UringLoop does and tries OPENAT and SOCKET on it; both must answer -EACCES. Errors:
// forbidden(kernel) when one is possible (logged with its name), or why no ring could be made.
Status check_ring_restrictions() noexcept;

}  // namespace nodex
