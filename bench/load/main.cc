// nodex-bench: the command line of the load generator.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "bench/load/run.h"
#include "edge/base/log.h"

namespace {

using namespace nodex;
using bench::Mode;
using bench::Options;

// As typed; turned into Options afterwards.
struct Arguments {
    std::string url, connect, key, body_file, model = "sim-model", prompt = "Say something.";
    unsigned max_tokens = 0, idle = 0, streams = 0;
    double duration_s = 10, warmup_s = 1, timeout_s = 60, drain_s = 10, spread_ms = -1;
    Options options;
};

void declare(CLI::App& app, Arguments& arguments) {
    Options& options = arguments.options;
    app.add_option("--url", arguments.url, "http(s)://host[:port]/path")->required();
    app.add_option("--connect", arguments.connect,
                   "connect to this host:port; the URL's host is verified");
    app.add_option("--ca", options.ca_file, "CA file (PEM); without it the system's store is used");
    app.add_option("--key", arguments.key, "API key, sent as Authorization: Bearer");
    app.add_option("--header", options.header_lines,
                   "further header, \"Name: value\"; may be repeated");
    app.add_option("--body-file", arguments.body_file,
                   "request body, GET if empty; else a chat is made");
    app.add_option("--model", arguments.model, "model of the chat completion");
    app.add_option("--prompt", arguments.prompt, "its user message");
    app.add_option("--max-tokens", arguments.max_tokens, "its max_tokens; 0: not sent");
    app.add_flag("--stream", options.stream, "ask for a stream and time its events");
    app.add_flag("--unique-keys", options.unique_keys,
                 "another X-Idempotency-Key for each request");
    app.add_option("--connections", options.connections_count, "connections, kept open");
    app.add_option("--rate", options.rate_per_s,
                   "open loop: requests a second; without it a closed loop");
    app.add_option("--idle", arguments.idle, "hold that many idle connections and send nothing");
    app.add_option("--streams", arguments.streams,
                   "hold that many streams: --stream --connections N");
    app.add_option("--duration", arguments.duration_s, "seconds measured");
    app.add_option("--warmup", arguments.warmup_s, "seconds before that");
    app.add_option("--drain", arguments.drain_s, "seconds waited for missing answers");
    app.add_option("--timeout", arguments.timeout_s, "seconds until a request has failed");
    app.add_option("--spread-ms", arguments.spread_ms,
                   "closed loop: first requests start over this time");
    app.add_option("--cores", options.cores, "threads, each with its own loop");
    app.add_option("--expect-status", options.expect_status, "anything else is a failure");
    app.add_option("--server-pid", options.server_pids,
                   "processes whose CPU time and memory are measured")
        ->delimiter(',');
    app.add_option("--json", options.json_file,
                   "also write the outcome there; - is standard output");
    app.add_option("--label", options.label, "copied into the JSON");
}

// Empty, or what is wrong; so for the next one.
std::string complete_body(Arguments& arguments) {
    Options& options = arguments.options;
    if (arguments.body_file.empty()) {
        options.body = bench::chat_body(
            {arguments.model, arguments.prompt, arguments.max_tokens, options.stream});
        return "";
    }
    std::ifstream file(arguments.body_file, std::ios::binary);
    if (!file) return "cannot read " + arguments.body_file;
    std::ostringstream text;
    text << file.rdbuf();
    options.body = text.str();
    return "";
}

std::string complete(Arguments& arguments) {
    Options& options = arguments.options;
    const auto target = bench::parse_url(arguments.url);
    if (!target) return "--url must be http(s)://host[:port]/path";
    options.target = *target;
    if (!arguments.connect.empty()) {
        const auto connect = bench::parse_url("http://" + arguments.connect + "/");
        if (!connect) return "--connect must be host:port";
        options.connect_host = connect->host;
        options.connect_port = connect->port;
    }
    if (arguments.streams > 0) {
        options.stream = true;
        options.connections_count = arguments.streams;
    }
    if (options.rate_per_s > 0) options.mode = Mode::open_loop;
    if (arguments.idle > 0) {
        options.mode = Mode::idle;
        options.connections_count = arguments.idle;
    }
    const bool enough = options.cores > 0 && options.connections_count >= options.cores;
    if (!enough) return "--connections must be at least --cores, and that at least 1";
    if (arguments.duration_s <= 0 || arguments.warmup_s < 0) return "--duration must be positive";
    const auto nanoseconds = [](double seconds) { return static_cast<Nanoseconds>(seconds * 1e9); };
    options.duration = nanoseconds(arguments.duration_s);
    options.warmup = nanoseconds(arguments.warmup_s);
    options.timeout = nanoseconds(arguments.timeout_s);
    options.drain = nanoseconds(arguments.drain_s);
    const double default_spread_ms =
        options.stream ? std::min(1'000.0, arguments.warmup_s * 1e3) : 0;
    options.spread =
        nanoseconds((arguments.spread_ms >= 0 ? arguments.spread_ms : default_spread_ms) / 1e3);
    if (!arguments.key.empty())
        options.header_lines.push_back("Authorization: Bearer " + arguments.key);
    return complete_body(arguments);
}

bool write_json(const Options& options, const bench::Outcome& outcome) {
    if (options.json_file.empty()) return true;
    const std::string json = bench::json_report(options, outcome);
    if (options.json_file == "-")
        return std::fwrite(json.data(), 1, json.size(), stdout) == json.size();
    std::ofstream file(options.json_file, std::ios::binary);
    file << json;
    return file.good();
}

void block_signals() {
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ending, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app(
        "Measures an LLM API: open or closed loop, streams included, without coordinated "
        "omission.");
    app.option_defaults()->always_capture_default();
    Arguments arguments;
    declare(app, arguments);
    CLI11_PARSE(app, argc, argv);
    const std::string wrong = complete(arguments);
    if (!wrong.empty()) {
        std::fprintf(stderr, "nodex-bench: %s\n", wrong.c_str());
        return 2;
    }
    block_signals();
    const auto outcome = bench::run(arguments.options);
    if (!outcome) {
        const Error error = outcome.error();
        std::fprintf(stderr, "nodex-bench: %s (%s)\n", name(error.code), name(error.source));
        return error.code == ErrorCode::cancelled ? 130 : 1;
    }
    const std::string text = bench::text_report(arguments.options, *outcome);
    // With the JSON on standard output the text makes way for it.
    std::FILE* text_file = arguments.options.json_file == "-" ? stderr : stdout;
    std::fwrite(text.data(), 1, text.size(), text_file);
    if (!write_json(arguments.options, *outcome)) {
        std::fprintf(stderr, "nodex-bench: cannot write %s\n", arguments.options.json_file.c_str());
        return 1;
    }
    return 0;
}
