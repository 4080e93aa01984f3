// nodex-edge: one POP's edge node. Reads arguments, waits for signals; everything else is
// core/node.h.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "edge/base/command_line.h"
#include "edge/base/log.h"
#include "edge/core/config.h"
#include "edge/core/init.h"
#include "edge/core/node.h"
#include "edge/core/reinstall.h"
#include "edge/core/rotate.h"

// Read by jemalloc, where the program is linked with it: what was freed is kept for a minute, not
// ten seconds, so that the pages of a flushed memtable are still there for the next one after a
// pause.
extern "C" const char* malloc_conf;
const char* malloc_conf = "dirty_decay_ms:60000";

namespace {

constexpr int exit_configuration = 2;  // the command line too
constexpr int exit_start = 3;

constexpr const char* footer =
    "SIGTERM and SIGINT let running requests finish (limits.drain_ms) and end the node; SIGHUP\n"
    "reads the configuration again.\n\n"
    "Exit status: 0 ended in order, or done; 2 wrong command line or configuration; 3 the node\n"
    "could not start: the last lines of the log say why.\n\n"
    "Examples:\n"
    "  nodex-edge --config edge.toml --check\n"
    "  nodex-edge --config edge.toml --init\n"
    "  nodex-edge --config edge.toml --standalone";

sigset_t block_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
    pthread_sigmask(SIG_BLOCK, &signals,
                    nullptr);  // before any thread: they inherit it, and sigwait() gets them
    std::signal(SIGPIPE, SIG_IGN);
    return signals;
}

// While the node still starts: somebody wants it to end.
bool stop_is_pending() {
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1;
}

// What the command line asks for.
struct Arguments {
    std::string path;
    bool standalone = false, init = false, check = false, rotate = false, reinstall = false;
};

void declare(CLI::App& app, Arguments& arguments) {
    app.add_option("--config", arguments.path, "configuration file (TOML)")->required();
    app.add_flag("--standalone", arguments.standalone,
                 "run the centre inside this process; else [central] says where it is");
    app.set_version_flag("--version", NODEX_VERSION);
    CLI::App* once = app.add_option_group("Instead of serving, then exit");
    once->require_option(0, 1);
    once->add_flag("--check", arguments.check, "check the configuration");
    once->add_flag("--init", arguments.init,
                   "make folders, secrets and a development certificate where missing");
    once->add_flag("--rotate-node-key", arguments.rotate,
                   "wrap the accounts' body keys under a new node.key; the node must be stopped");
    once->add_flag("--reinstall", arguments.reinstall,
                   "set the outbox aside and begin as a new installation, for a node whose "
                   "registration is refused (runbook); the node must be stopped");
    app.footer(footer);
}

int serve(nodex::core::Config config, const std::string& path, bool standalone,
          const sigset_t& signals) {
    nodex::log::start(config.log_level);
    if (const nodex::Status opened = nodex::log::open_access_log(config.access_log); !opened) {
        nodex::log::error("access_log_not_opened",
                          {{"path", config.access_log}, {"errno", opened.error().os_errno}});
        nodex::log::stop();
        return exit_configuration;
    }
    nodex::core::Node node(std::move(config));
    const nodex::Status started = node.start(standalone, stop_is_pending);
    if (!started) {
        const bool asked = started.error().code == nodex::ErrorCode::cancelled;
        nodex::log::write(asked ? nodex::log::Level::info : nodex::log::Level::error,
                          asked ? "stopped_before_serving" : "start_failed");
        // Threads of a half-started node are not joined one by one, and may still write to the log.
        nodex::log::flush();
        std::_Exit(asked ? EXIT_SUCCESS : exit_start);
    }
    for (int number = 0; sigwait(&signals, &number) == 0;) {
        if (number == SIGHUP) {
            node.reload(path);
            continue;
        }
        node.drain_and_stop();
        break;
    }
    nodex::log::stop();
    return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{
        "Nodex edge node: terminates TLS, claims, reserves, calls a provider, streams, settles."};
    Arguments arguments;
    declare(app, arguments);
    if (const auto status =
            nodex::read_arguments<CLI::ParseError>(app, argc, argv, exit_configuration))
        return *status;
    const std::string& path = arguments.path;

    const sigset_t signals = block_signals();
    std::string problem;
    auto config = nodex::core::load_config(path, problem);
    if (!config) {
        std::fprintf(stderr, "nodex-edge: %s: %s\n", path.c_str(), problem.c_str());
        return exit_configuration;
    }
    config->gateway.version = NODEX_VERSION;
    if (arguments.check) {
        std::printf("%s: ok\n", path.c_str());
        return EXIT_SUCCESS;
    }
    if (arguments.init) return nodex::core::initialise(*config) ? EXIT_SUCCESS : exit_configuration;
    if (arguments.rotate)
        return nodex::core::rotate_node_key(*config) ? EXIT_SUCCESS : exit_configuration;
    if (arguments.reinstall) return nodex::core::reinstall(*config) ? EXIT_SUCCESS : exit_start;
    return serve(std::move(*config), path, arguments.standalone, signals);
}
