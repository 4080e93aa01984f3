// nodex-central: the ledger behind NATS. Reads arguments, waits for signals; everything else is
// service.h.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "edge/base/command_line.h"
#include "edge/base/service_notify.h"
#include "replication/central/program/service.h"

namespace {

constexpr int exit_configuration = 2;  // the command line too
constexpr int exit_start = 3;
constexpr int exit_failed = 4;  // the store failed: the service manager starts us anew

constexpr const char* footer =
    "SIGTERM and SIGINT end it; SIGHUP reads [[pop]] and its keys again.\n\n"
    "Exit status: 0 ended in order, or done; 2 wrong command line or configuration; 3 it could\n"
    "not start; 4 its store failed. The last lines of the log say why.\n\n"
    "Examples:\n"
    "  nodex-central --config central.toml --check\n"
    "  nodex-central --config central.toml --init\n"
    "  nodex-central --config central.toml";

sigset_t block_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
    // before any thread: they inherit it, and only the main thread takes them
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    return signals;
}

// Until somebody wants it to end, or the ledger can go on no longer.
int wait_for_end(nodex::central::Service& service, const std::string& path,
                 const sigset_t& signals) {
    while (!service.failed()) {
        const timespec look{1, 0};
        const int number = sigtimedwait(&signals, nullptr, &look);
        if (number == SIGHUP) service.reload(path);
        if (number == SIGTERM || number == SIGINT) return EXIT_SUCCESS;
    }
    nodex::log::error("central_ends", {{"advice", "the store failed: see the lines before"}});
    return exit_failed;
}

int serve(nodex::central::Config config, const std::string& path, const sigset_t& signals) {
    nodex::log::start(config.log_level);
    nodex::central::Service service(std::move(config));
    if (!service.start()) {
        nodex::log::error("start_failed");
        nodex::log::stop();
        std::_Exit(exit_start);
    }
    nodex::notify_service_manager("READY=1");
    const int code = wait_for_end(service, path, signals);
    nodex::notify_service_manager("STOPPING=1");
    service.stop();
    nodex::log::stop();
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Nodex central node: accounts, keys, prices, leases and charges of all POPs."};
    std::string path;
    bool init = false, check = false, migrate = false;
    app.add_option("--config", path, "configuration file (TOML)")->required();
    app.set_version_flag("--version", NODEX_VERSION);
    CLI::App* once = app.add_option_group("Instead of serving, then exit");
    once->require_option(0, 1);
    once->add_flag("--check", check, "check the configuration");
    once->add_flag("--init", init,
                   "make folders, key_hash.key, root.key and link keys where missing");
    once->add_flag("--migrate", migrate,
                   "bring the database's schema to this program's version; every other process "
                   "of the centre must be stopped");
    app.footer(footer);
    if (const auto status =
            nodex::read_arguments<CLI::ParseError>(app, argc, argv, exit_configuration))
        return *status;

    const sigset_t signals = block_signals();
    std::string problem;
    auto config = nodex::central::load_config(path, problem);
    if (!config) {
        std::fprintf(stderr, "nodex-central: %s: %s\n", path.c_str(), problem.c_str());
        return exit_configuration;
    }
    if (check) {
        std::printf("%s: ok\n", path.c_str());
        return EXIT_SUCCESS;
    }
    if (init) return nodex::central::initialise(*config) ? EXIT_SUCCESS : exit_configuration;
    if (migrate) return nodex::central::migrate(*config) ? EXIT_SUCCESS : exit_start;
    return serve(std::move(*config), path, signals);
}
