// Readers of /proc/PID/stat and /proc/PID/status (proc(5)).
#include "bench/load/process_usage.h"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace nodex::bench {
namespace {

std::string read_file(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::optional<ProcessUsage> read_one(const std::string& process) {
    const auto ticks = parse_stat_ticks(read_file("/proc/" + process + "/stat"));
    const auto rss_kib = parse_status_rss_kib(read_file("/proc/" + process + "/status"));
    if (!ticks || !rss_kib) return std::nullopt;
    const Nanoseconds tick_ns = second / sysconf(_SC_CLK_TCK);
    return ProcessUsage{static_cast<Nanoseconds>(*ticks) * tick_ns, *rss_kib * 1024};
}

// The next run of digits after `position`, which is moved behind it.
std::optional<std::uint64_t> next_number(Bytes text, std::size_t& position) {
    const auto begin = text.find_first_not_of(" \t", position);
    if (begin == Bytes::npos) return std::nullopt;
    const auto end = std::min(text.find_first_of(" \t\n", begin), text.size());
    position = end;
    return parse_decimal(text.substr(begin, end - begin));
}

}  // namespace

std::optional<std::uint64_t> parse_stat_ticks(Bytes line) {
    constexpr int fields_before_utime = 11;  // state is field 3, utime 14, stime 15
    const auto name_end = line.rfind(')');
    if (name_end == Bytes::npos) return std::nullopt;
    std::size_t position = name_end + 1;
    for (int i = 0; i < fields_before_utime; ++i) {
        const auto begin = line.find_first_not_of(' ', position);
        if (begin == Bytes::npos) return std::nullopt;
        position = std::min(line.find(' ', begin), line.size());
    }
    const auto user = next_number(line, position);
    const auto system = next_number(line, position);
    if (!user || !system) return std::nullopt;
    return *user + *system;
}

std::optional<std::uint64_t> parse_status_rss_kib(Bytes text) {
    constexpr Bytes label = "\nVmRSS:";
    const auto found = text.find(label);
    if (found == Bytes::npos) return std::nullopt;
    std::size_t position = found + label.size();
    return next_number(text, position);
}

std::optional<ProcessUsage> read_usage(const std::vector<int>& pids) {
    ProcessUsage total;
    for (const int pid : pids) {
        const auto one = read_one(std::to_string(pid));
        if (!one) return std::nullopt;
        total.cpu_ns += one->cpu_ns;
        total.rss_bytes += one->rss_bytes;
    }
    return total;
}

ProcessUsage read_own_usage() { return read_one("self").value_or(ProcessUsage{}); }

}  // namespace nodex::bench
