// CPU time and memory of the server's processes, from /proc.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "edge/base/bytes.h"
#include "edge/base/clock.h"

namespace nodex::bench {

struct ProcessUsage {
    Nanoseconds cpu_ns = 0;       // user and system, all threads, since the process started
    std::uint64_t rss_bytes = 0;
};

// The sum over `pids`; nothing when one of them cannot be read (it has ended, or belongs to somebody else).
std::optional<ProcessUsage> read_usage(const std::vector<int>& pids);
// Our own, to tell when the generator was the bottleneck.
ProcessUsage read_own_usage();

// utime + stime of a /proc/PID/stat line, in clock ticks. The command's name may hold spaces and parentheses.
std::optional<std::uint64_t> parse_stat_ticks(Bytes line);
// VmRSS of /proc/PID/status, in KiB.
std::optional<std::uint64_t> parse_status_rss_kib(Bytes text);

}  // namespace nodex::bench
