// sim_planted: how many seeds the checkers need to notice each planted bug.
//   sim_planted --all | --bug NAME [--seeds 500] [--verbose]
// Exit status 1 when one is not found.
#include <cstdio>

#include "tests/sim/planted_bugs.h"
#include "tests/sim/program.h"

namespace nodex::replication {
namespace {

int run(int count, char** values) {
    Arguments arguments(count, values);
    const bool all = arguments.flag("--all");
    const bool verbose = arguments.flag("--verbose");
    std::string bug;
    std::uint64_t seeds_max = 500;
    const bool read = arguments.text("--bug", bug) && arguments.number("--seeds", seeds_max);
    if (!read || !arguments.all_read() || all == !bug.empty()) {
        std::fprintf(stderr, "usage: %s --all | --bug NAME [--seeds N] [--verbose]\n", values[0]);
        return 2;
    }
    if (!verbose) silence_log();
    unsigned looked = 0, missed = 0;
    for (const Planted& planted : planted_bugs()) {
        if (!all && bug != planted.name) continue;
        ++looked;
        const std::optional<Found> found = find_planted(planted, seeds_max);
        if (!found) ++missed;
        if (found)
            std::printf("%-24s seed %4lu  %s\n", planted.name,
                        static_cast<unsigned long>(found->seed), found->violation.c_str());
        else
            std::printf("%-24s not found in %lu seeds\n", planted.name,
                        static_cast<unsigned long>(seeds_max));
        std::fflush(stdout);
    }
    if (looked == 0) std::printf("there is no bug of that name\n");
    return looked > 0 && missed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace nodex::replication

int main(int count, char** values) {
    return nodex::replication::run(count, values);
}
