// What the process gives up before it listens to strangers (deploy/threat-model.md): root, new
// privileges, core dumps, and system calls it has no use for. seccomp does not see what goes
// through a ring, so rings are restricted on their own (io/ring.h) and no further ring may be made.
#pragma once
#include <string>

#include "edge/base/result.h"

namespace nodex::core {

// Becomes `user` (setgroups, setresgid, setresuid) when we are root and `user` is not empty, then
// sets no-new-privileges, not dumpable, core size 0. Before the rings are made: a ring keeps the
// rights of its maker.
Status drop_privileges(const std::string& user);

// Loads the system call filter for every thread: io_uring_setup, io_uring_register, execve, ptrace
// and others answer EPERM from here on. After all loops run (they enable their rings). Errors:
// unsupported(kernel).
Status load_syscall_filter();

// Shows that the filter is on: io_uring_setup and execve must be refused with EPERM.
[[nodiscard]] bool syscall_filter_works() noexcept;

}  // namespace nodex::core
