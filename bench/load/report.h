// The outcome of a run, as text for people and JSON for programs.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "bench/load/options.h"
#include "bench/load/process_usage.h"
#include "bench/load/recorder.h"

namespace nodex::bench {

struct Outcome {
    std::unique_ptr<Recorder> measured = std::make_unique<Recorder>();  // all workers together
    double window_s = 0;               // between the two readings of totals and CPU
    Totals in_window;                  // what happened between them
    std::uint64_t unfinished = 0;      // streams still running at the end, not counted as failures
    unsigned connections_open = 0;     // at the end of the window
    Nanoseconds own_cpu_ns = 0;        // in the window; near window_s x cores it was the bottleneck
    // Of the server's processes, when they were named:
    std::optional<Nanoseconds> server_cpu_ns;        // in the window
    std::optional<std::uint64_t> rss_before_bytes;   // before the first connection
    std::optional<std::uint64_t> rss_bytes;          // at the end of the window
};

std::string text_report(const Options& options, const Outcome& outcome);
std::string json_report(const Options& options, const Outcome& outcome);

}  // namespace nodex::bench
