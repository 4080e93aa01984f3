// sim_soak: many seeds, in as many processes as asked for.
//   sim_soak [--seeds 5000] [--first 1] [--jobs 1] [--json FILE] [--verbose]
// Prints what was done to the worlds and what happened in them, and the seeds that broke a property
// with the command that repeats each. Exit status 1 when there is one.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "tests/sim/program.h"
#include "tests/sim/replication_world.h"

namespace nodex::replication {
namespace {

struct Options {
    std::uint64_t first = 1;
    std::uint64_t seeds = 5'000;
    std::uint64_t jobs = 1;
    std::string json;
    bool verbose = false;
};

struct Totals {
    std::uint64_t seeds = 0;
    ReplicationWorld::Counts faults;
    ReplicationWorld::Counts seen;
    std::map<std::uint64_t, std::string> broken;  // by seed
};

// --- a worker: lines of "seed N", "broken TEXT", "fault NAME COUNT", "seen NAME COUNT"

void work(const Options& options, std::uint64_t offset, std::FILE* out) {
    for (std::uint64_t i = offset; i < options.seeds; i += options.jobs) {
        const std::uint64_t seed = options.first + i;
        // Told before: a seed that ends the process is known by it.
        std::fprintf(out, "seed %lu\n", static_cast<unsigned long>(seed));
        std::fflush(out);
        ReplicationWorld world(seed, PlantedBug::none, EdgeBug::none);
        const std::string violation = world.run();
        if (!violation.empty()) std::fprintf(out, "broken %s\n", violation.c_str());
        for (const auto& [name, count] : world.faults())
            std::fprintf(out, "fault %s %lu\n", name.c_str(), static_cast<unsigned long>(count));
        for (const auto& [name, count] : world.seen())
            std::fprintf(out, "seen %s %lu\n", name.c_str(), static_cast<unsigned long>(count));
    }
    std::fprintf(out, "end 0\n");
    std::fflush(out);
}

struct Worker {
    pid_t process = 0;
    std::FILE* in = nullptr;
};

Worker start_worker(const Options& options, std::uint64_t offset) {
    int ends[2];
    if (::pipe(ends) != 0) return {};
    const pid_t process = ::fork();
    if (process == 0) {
        ::close(ends[0]);
        work(options, offset, ::fdopen(ends[1], "w"));
        std::exit(0);  // the folder of this process goes
    }
    ::close(ends[1]);
    return {process, ::fdopen(ends[0], "r")};
}

// --- the parent

// Answers the seed that ended the process, or 0.
std::uint64_t gather(const Worker& worker, Totals& totals) {
    char line[512], name[128];
    unsigned long seed = 0, count = 0;
    bool ended = false;
    while (std::fgets(line, sizeof line, worker.in) != nullptr) {
        line[std::strcspn(line, "\n")] = '\0';
        if (std::sscanf(line, "seed %lu", &seed) == 1)
            ++totals.seeds;
        else if (std::strncmp(line, "broken ", 7) == 0)
            totals.broken[seed] = line + 7;
        else if (std::sscanf(line, "fault %127s %lu", name, &count) == 2)
            totals.faults[name] += count;
        else if (std::sscanf(line, "seen %127s %lu", name, &count) == 2)
            totals.seen[name] += count;
        else
            ended = std::strcmp(line, "end 0") == 0;
    }
    std::fclose(worker.in);
    ::waitpid(worker.process, nullptr, 0);
    if (ended || seed == 0) return 0;
    totals.broken[seed] = "the process died";
    return seed;
}

std::uint64_t sum(const ReplicationWorld::Counts& counts) {
    std::uint64_t total = 0;
    for (const auto& [name, count] : counts) total += count;
    return total;
}

void print(const Totals& totals, const char* program) {
    std::printf("%lu seeds, %lu faults, %lu seeds that broke a property\n",
                static_cast<unsigned long>(totals.seeds),
                static_cast<unsigned long>(sum(totals.faults)),
                static_cast<unsigned long>(totals.broken.size()));
    for (const auto& [name, count] : totals.faults)
        std::printf("  fault  %-26s %12lu\n", name.c_str(), static_cast<unsigned long>(count));
    for (const auto& [name, count] : totals.seen)
        std::printf("  seen   %-26s %12lu\n", name.c_str(), static_cast<unsigned long>(count));
    for (const auto& [seed, violation] : totals.broken)
        std::printf("seed %lu: %s\n    %s --first %lu --seeds 1 --verbose\n",
                    static_cast<unsigned long>(seed), violation.c_str(), program,
                    static_cast<unsigned long>(seed));
}

void write_counts(std::FILE* file, const char* name, const ReplicationWorld::Counts& counts) {
    std::fprintf(file, ",\n  \"%s\": {", name);
    const char* separator = "";
    for (const auto& [what, count] : counts) {
        std::fprintf(file, "%s\n    \"%s\": %lu", separator, what.c_str(),
                     static_cast<unsigned long>(count));
        separator = ",";
    }
    std::fprintf(file, "\n  }");
}

bool write_json(const Options& options, const Totals& totals) {
    std::FILE* file = std::fopen(options.json.c_str(), "w");
    if (file == nullptr) return false;
    std::fprintf(file, "{\n  \"first\": %lu,\n  \"seeds\": %lu,\n  \"faults_total\": %lu",
                 static_cast<unsigned long>(options.first),
                 static_cast<unsigned long>(totals.seeds),
                 static_cast<unsigned long>(sum(totals.faults)));
    write_counts(file, "faults", totals.faults);
    write_counts(file, "seen", totals.seen);
    std::fprintf(file, ",\n  \"broken\": {");
    const char* separator = "";
    for (const auto& [seed, violation] : totals.broken) {
        std::fprintf(file, "%s\n    \"%lu\": \"%s\"", separator, static_cast<unsigned long>(seed),
                     violation.c_str());
        separator = ",";
    }
    std::fprintf(file, "\n  }\n}\n");
    return std::fclose(file) == 0;
}

bool read_options(int count, char** values, Options& options) {
    Arguments arguments(count, values);
    options.verbose = arguments.flag("--verbose");
    const bool read =
        arguments.number("--seeds", options.seeds) && arguments.number("--first", options.first) &&
        arguments.number("--jobs", options.jobs) && arguments.text("--json", options.json);
    return read && arguments.all_read() && options.jobs > 0;
}

int run(int count, char** values) {
    Options options;
    if (!read_options(count, values, options)) {
        std::fprintf(stderr,
                     "usage: %s [--seeds N] [--first N] [--jobs N] [--json FILE] [--verbose]\n",
                     values[0]);
        return 2;
    }
    if (!options.verbose) silence_log();
    std::vector<Worker> workers;
    for (std::uint64_t i = 0; i < options.jobs; ++i) {
        workers.push_back(start_worker(options, i));
        if (workers.back().in == nullptr) return 2;
    }
    Totals totals;
    for (Worker worker : workers)
        while (const std::uint64_t died = gather(worker, totals))
            worker = start_worker(options, died - options.first + options.jobs);
    print(totals, values[0]);
    if (!options.json.empty() && !write_json(options, totals)) return 2;
    return totals.broken.empty() ? 0 : 1;
}

}  // namespace
}  // namespace nodex::replication

int main(int count, char** values) {
    return nodex::replication::run(count, values);
}
