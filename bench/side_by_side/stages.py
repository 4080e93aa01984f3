"""From sampled stacks to a bill: which part of the work each sample belongs to."""

import collections
import re

# Threads by name; what is not listed is "other threads".
THREADS = (("nodex-loop", "loop"), ("nodex-commit", "commit thread"), ("nodex-centre", "centre (standalone)"),
           ("nodex-agent", "agent"), ("nodex-log", "log"), ("rocksdb:", "RocksDB background"))

# A sample in the kernel belongs to the first row that names one of its functions.
KERNEL = (
    ("page faults", ("asm_exc_page_fault",)),
    ("sleep, wake, change of thread",
     ("__schedule", "schedule", "futex_wake", "futex_wait", "__futex_wait", "do_futex", "eventfd_write",
      "try_to_wake_up_local", "asm_sysvec_reschedule_ipi")),
    ("TCP send", ("tcp_sendmsg", "sock_sendmsg")),
    ("TCP receive", ("tcp_recvmsg", "sock_recvmsg")),
    ("file writes", ("vfs_write", "ksys_write", "vfs_fsync_range", "__x64_sys_fdatasync", "sync_file_range",
                     "__x64_sys_sync_file_range")),
    ("io_uring", ("__do_sys_io_uring_enter",)),
    ("interrupts", ("handle_softirqs", "asm_sysvec_apic_timer_interrupt",
                    "asm_sysvec_call_function_single")),
)

# Any other sample belongs to the innermost frame that one of these knows: (stage, part of the stack frame,
# "symbol (object)").
USER = tuple((stage, re.compile(pattern)) for stage, pattern in (
    ("compression (zstd)", r"\(libzstd|nodex::storage::encode_chunk"),
    ("TLS", r"\(libssl|nodex::tls::|Channel::State::(decrypt|fill_wire)"),
    ("hashing, sealing", r"nodex::crypto::|nodex::storage::(Vault|BodyWriter|BodyReader|Outbox::append)"
                         r"|nodex::replication::next_chain"),
    ("JSON", r"\(libsimdjson|nodex::api::"),
    ("HTTP and event parsing", r"nodex::http::|llhttp"),
    ("log", r"\(libspdlog|nodex::log::|Exchange::log_request"),
    ("RocksDB", r"\(librocksdb|RocksStore"),
    ("journal", r"nodex::storage::"),
    ("ledger", r"nodex::replication::"),
    ("gateway", r"nodex::gateway::"),
    ("provider calls", r"nodex::upstream::"),
    ("connections, channels", r"nodex::(ServerConnection|Channel|Acceptor)"),
    ("loop, ring, timers, mail", r"nodex::(UringLoop|UringIo|TimerWheel|Loop|Mailbox|Parker|Ring|BufferRing)"
                                 r"|\(liburing"),
))


def thread_of(comm):
    return next((role for prefix, role in THREADS if comm.startswith(prefix)), "other threads")


def stage_of(frames):
    """`frames`: [(symbol, object)], innermost first."""
    if not frames:
        return "unknown"
    symbols = {symbol for symbol, binary in frames if "kernel" in binary}
    if "kernel" in frames[0][1]:
        return next((stage for stage, names in KERNEL if symbols.intersection(names)), "other kernel")
    for symbol, binary in frames:
        text = f"{symbol} ({binary})"
        for stage, pattern in USER:
            if pattern.search(text):
                return stage
    if frames[0][1].startswith("libcrypto"):
        return "hashing, sealing"
    return "memory, copying" if frames[0][1].startswith("libc.") else "other"


HEAD = re.compile(r"^\s*(\S.*?)\s+\d+\s*$")
FRAME = re.compile(r"^\s+[0-9a-f]+ (.*) \((.*)\)$")


def stacks(text):
    """perf script -F comm,tid,ip,sym,dso: yields (thread's name, frames)."""
    comm, frames = None, []
    for line in text.splitlines() + [""]:
        if not line.strip():
            if comm is not None:
                yield comm, frames
            comm, frames = None, []
        elif comm is None:
            head = HEAD.match(line)
            comm = head.group(1) if head else "?"
        elif frame := FRAME.match(line):
            frames.append((re.sub(r"\+0x[0-9a-f]+$", "", frame.group(1)), frame.group(2).rsplit("/", 1)[-1]))


def bill(text):
    """{(thread, stage): samples}"""
    counts = collections.Counter()
    for comm, frames in stacks(text):
        counts[thread_of(comm), stage_of(frames)] += 1
    return counts
