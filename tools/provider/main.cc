// nodex-provider: a deterministic model provider for tests and measurements. Command line and signals.
#include <csignal>
#include <cstdio>

#include <CLI/CLI.hpp>

#include "edge/base/command_line.h"
#include "edge/base/log.h"
#include "tools/provider/server.h"

namespace {

constexpr int exit_command_line = 2;

constexpr const char* footer =
    "A request asks for faults by text in its last user message, such as [[nodex: cut_after=3]];\n"
    "tools/provider/README.md has all of them. SIGTERM and SIGINT end the program.\n\n"
    "Exit status: 0 ended in order, 1 it could not start, 2 wrong command line.\n\n"
    "Example: nodex-provider --listen 127.0.0.1:9900 --first-token-ms 50 --pace-ms 20";

int fail(const char* what, nodex::Error error) {
    std::fprintf(stderr, "nodex-provider: %s: %s\n", what, nodex::name(error.code));
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    nodex::provider::ServerOptions options;
    CLI::App app{"A deterministic model provider: OpenAI chat completions, faults on request."};
    app.add_option("--listen", options.listen, "address and port; port 0 takes a free one")
        ->capture_default_str();
    auto* certificate = app.add_option("--tls-cert", options.tls_certificate, "PEM chain: serve TLS");
    auto* key = app.add_option("--tls-key", options.tls_key, "PEM key of --tls-cert");
    certificate->needs(key);
    key->needs(certificate);
    app.add_option("--pace-ms", options.defaults.pace_ms, "time between tokens")->capture_default_str();
    app.add_option("--first-token-ms", options.defaults.first_token_ms, "time to the first token")
        ->capture_default_str();
    app.add_option("--tokens", options.defaults.tokens, "tokens of an answer")
        ->check(CLI::Range(0, 1'000'000))
        ->capture_default_str();
    app.add_option("--cores", options.cores, "threads, each with its own listener")
        ->check(CLI::Range(1, 64))
        ->capture_default_str();
    app.footer(footer);
    if (const auto status =
            nodex::read_arguments<CLI::ParseError>(app, argc, argv, exit_command_line))
        return *status;

    // Blocked before any thread exists, so that only sigwait() below sees them.
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    if (pthread_sigmask(SIG_BLOCK, &ending, nullptr) != 0) return 1;
    std::signal(SIGPIPE, SIG_IGN);

    auto server = nodex::provider::Server::create(options);
    if (!server) return fail("cannot start", server.error());
    (*server)->start();
    std::printf("{\"listening\":\"%s\"}\n", (*server)->address().c_str());
    std::fflush(stdout);

    int signal_number = 0;
    if (sigwait(&ending, &signal_number) != 0) return 1;
    (*server)->stop();
    return 0;
}
