// Privileges and the system call filter.
#include "edge/core/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "edge/base/log.h"

namespace nodex::core {
namespace {

constexpr int refused_calls[] = {SCMP_SYS(io_uring_setup),
                                 SCMP_SYS(io_uring_register),
                                 SCMP_SYS(execve),
                                 SCMP_SYS(execveat),
                                 SCMP_SYS(ptrace),
                                 SCMP_SYS(process_vm_readv),
                                 SCMP_SYS(process_vm_writev),
                                 SCMP_SYS(mount),
                                 SCMP_SYS(umount2),
                                 SCMP_SYS(pivot_root),
                                 SCMP_SYS(chroot),
                                 SCMP_SYS(bpf),
                                 SCMP_SYS(keyctl),
                                 SCMP_SYS(add_key),
                                 SCMP_SYS(request_key),
                                 SCMP_SYS(userfaultfd),
                                 SCMP_SYS(perf_event_open),
                                 SCMP_SYS(kexec_load),
                                 SCMP_SYS(kexec_file_load),
                                 SCMP_SYS(init_module),
                                 SCMP_SYS(finit_module),
                                 SCMP_SYS(delete_module),
                                 SCMP_SYS(unshare),
                                 SCMP_SYS(setns),
                                 SCMP_SYS(swapon),
                                 SCMP_SYS(swapoff),
                                 SCMP_SYS(reboot),
                                 SCMP_SYS(acct),
                                 SCMP_SYS(iopl),
                                 SCMP_SYS(ioperm),
                                 SCMP_SYS(quotactl),
                                 SCMP_SYS(open_by_handle_at),
                                 SCMP_SYS(name_to_handle_at),
                                 SCMP_SYS(personality),
                                 SCMP_SYS(setuid),
                                 SCMP_SYS(setgid),
                                 SCMP_SYS(setresuid),
                                 SCMP_SYS(setresgid),
                                 SCMP_SYS(setgroups)};

// getaddrinfo needs netlink; everything else is TCP or a Unix socket.
constexpr unsigned refused_families[] = {AF_PACKET, AF_VSOCK, AF_ALG, AF_BLUETOOTH,
                                         AF_CAN,    AF_TIPC,  AF_XDP, AF_KEY};

Status kernel_error(const char* what) {
    const int number = errno;
    log::error("sandbox_failed", {{"step", what}, {"errno", number}});
    return Error{ErrorCode::unsupported, ErrorSource::kernel, false, number};
}

Status become(const std::string& user) {
    const passwd* entry = getpwnam(user.c_str());
    if (entry == nullptr) {
        log::error("sandbox_failed", {{"step", "user"},
                                      {"user", user},
                                      {"advice", "node.user names no user of this machine"}});
        return Error{ErrorCode::bad_configuration, ErrorSource::configuration};
    }
    if (setgroups(0, nullptr) != 0) return kernel_error("setgroups");
    if (setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) != 0)
        return kernel_error("setresgid");
    if (setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) != 0)
        return kernel_error("setresuid");
    return {};
}

}  // namespace

Status drop_privileges(const std::string& user) {
    if (!user.empty() && geteuid() == 0)
        if (Status status = become(user); !status) return status;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return kernel_error("no_new_privs");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return kernel_error("dumpable");
    const rlimit no_core{0, 0};
    if (setrlimit(RLIMIT_CORE, &no_core) != 0) return kernel_error("core_limit");
    return {};
}

Status load_syscall_filter() {
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
    if (context == nullptr) return kernel_error("seccomp_init");
    int result = seccomp_attr_set(context, SCMP_FLTATR_CTL_TSYNC, 1);
    for (const int call : refused_calls)
        if (result == 0) result = seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), call, 0);
    for (const unsigned family : refused_families)
        if (result == 0)
            result = seccomp_rule_add(context, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                      SCMP_A0(SCMP_CMP_EQ, family));
    if (result == 0) result = seccomp_load(context);
    seccomp_release(context);
    if (result == 0) return {};
    errno = -result;
    return kernel_error("seccomp_load");
}

bool syscall_filter_works() noexcept {
    // Both would fail with EFAULT if the kernel looked at their arguments.
    const bool ring_refused = syscall(SYS_io_uring_setup, 1, nullptr) == -1 && errno == EPERM;
    const bool exec_refused =
        syscall(SYS_execve, nullptr, nullptr, nullptr) == -1 && errno == EPERM;
    return ring_refused && exec_refused;
}

}  // namespace nodex::core
