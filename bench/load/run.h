// One run from beginning to end: open, warm up, measure, drain.
#pragma once
#include "bench/load/report.h"

namespace nodex::bench {

// Blocks until the run is over; SIGINT and SIGTERM (blocked by the caller in all threads) end it early with
// `cancelled`. Other errors: name_not_found, bad_configuration (CA file), timed_out (not all connections
// could be opened within a minute), not_found (a server process cannot be read), and why connections failed.
Result<Outcome> run(const Options& options);

}  // namespace nodex::bench
