// A PostgreSQL server of one test program: its own data directory, a Unix socket in it, no network;
// as an unprivileged user where the test runs as root, because initdb refuses root. Ends with the
// program, also with a failed one.
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace nodex {

class PostgresCluster {
  public:
    // Stops the test program with a message where PostgreSQL 15 is not installed or does not start.
    PostgresCluster();
    ~PostgresCluster();
    PostgresCluster(const PostgresCluster&) = delete;
    PostgresCluster& operator=(const PostgresCluster&) = delete;

    // Made on first use, one a program.
    static PostgresCluster& shared();

    // A new, empty database; its URL.
    std::string make_database();
    // What psql prints, without headings; "" when the statement failed.
    std::string query(const std::string& database_url, const std::string& sql);
    // The server's files.
    [[nodiscard]] std::filesystem::path data() const { return folder_ / "data"; }
    // Waits until it answers.
    void start();
    // kill -9 of the server and all its children, as when the machine's memory runs out.
    void kill_hard();

  private:
    int run(const std::vector<std::string>& command, std::string* output = nullptr) const;
    std::filesystem::path folder_;
    int databases_ = 0;
};

}  // namespace nodex
