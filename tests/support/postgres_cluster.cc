// PostgresCluster: Debian's programs, started directly.
#include "tests/support/postgres_cluster.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace nodex {
namespace {

const std::string programs = "/usr/lib/postgresql/15/bin/";

[[noreturn]] void give_up(const std::string& reason) {
    std::fprintf(stderr, "PostgresCluster: %s\n", reason.c_str());
    std::abort();
}

// In the child: the server's user, nothing to lose where we are not root.
void become_unprivileged() {
    if (geteuid() != 0) return;
    const passwd* user = getpwnam("nobody");
    if (user == nullptr || setgroups(0, nullptr) != 0 || setgid(user->pw_gid) != 0 ||
        setuid(user->pw_uid) != 0)
        _exit(126);
}

}  // namespace

int PostgresCluster::run(const std::vector<std::string>& command, std::string* output) const {
    int ends[2] = {-1, -1};
    if (pipe2(ends, O_CLOEXEC) != 0) give_up("no pipe");
    const pid_t child = fork();
    if (child == 0) {
        // pg_ctl's server keeps what it inherits: it must not hold our pipe's end open.
        const std::string log = (folder_ / "log").string();
        const int file = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        dup2(output == nullptr ? file : ends[1], STDOUT_FILENO);
        dup2(file, STDERR_FILENO);
        become_unprivileged();
        std::vector<char*> arguments;
        for (const std::string& argument : command)
            arguments.push_back(const_cast<char*>(argument.c_str()));
        arguments.push_back(nullptr);
        if (chdir("/") == 0) execv(arguments[0], arguments.data());
        _exit(127);
    }
    close(ends[1]);
    char buffer[4096];
    for (ssize_t count; (count = read(ends[0], buffer, sizeof buffer)) > 0;)
        if (output != nullptr) output->append(buffer, static_cast<std::size_t>(count));
    close(ends[0]);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

PostgresCluster::PostgresCluster() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "nodex_postgres_XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) give_up("no temporary folder");
    folder_ = pattern;
    std::filesystem::permissions(folder_, std::filesystem::perms::all);
    if (!std::filesystem::exists(programs + "initdb"))
        give_up("PostgreSQL 15 is not installed: deploy/install_packages test");
    const std::string data = (folder_ / "data").string();
    if (run({programs + "initdb", "-D", data, "-U", "nodex", "-A", "trust", "-E", "SQL_ASCII",
             "--locale=C", "--no-sync"}) != 0)
        give_up("initdb failed, see " + (folder_ / "log").string());
    start();
}

PostgresCluster::~PostgresCluster() {
    run({programs + "pg_ctl", "-D", (folder_ / "data").string(), "-m", "immediate", "stop"});
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

PostgresCluster& PostgresCluster::shared() {
    static PostgresCluster cluster;
    return cluster;
}

void PostgresCluster::start() {
    const std::string options = "-c listen_addresses='' -c unix_socket_directories='" +
                                folder_.string() +
                                "' -c max_connections=30 -c shared_buffers=64MB -c "
                                "restart_after_crash=off -c recovery_init_sync_method=syncfs";
    // After kill_hard() the last children may not have gone yet: pg_ctl refuses until they have.
    for (int attempt = 0; attempt < 50; ++attempt)
        if (run({programs + "pg_ctl", "-D", (folder_ / "data").string(), "-w", "-t", "60", "-l",
                 (folder_ / "server.log").string(), "-o", options, "start"}) == 0)
            return;
    give_up("the server does not start, see " + folder_.string());
}

void PostgresCluster::kill_hard() {
    pid_t server = 0;
    std::ifstream(folder_ / "data" / "postmaster.pid") >> server;
    if (server <= 1 || kill(-server, SIGKILL) != 0) give_up("there is no server to kill");
}

std::string PostgresCluster::make_database() {
    const std::string name = "test_" + std::to_string(++databases_);
    const std::string url = "host=" + folder_.string() + " port=5432 user=nodex dbname=";
    if (run({programs + "psql", "-X", "-d", url + "postgres", "-c", "CREATE DATABASE " + name}) !=
        0)
        give_up("cannot make a database");
    return url + name;
}

std::string PostgresCluster::query(const std::string& database_url, const std::string& sql) {
    std::string output;
    const int status = run({programs + "psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d",
                            database_url, "-c", sql},
                           &output);
    if (status != 0) return "";
    while (output.ends_with('\n')) output.pop_back();
    return output;
}

}  // namespace nodex
