// What nodex-central's file says about the ledger's store.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "replication/central/program/config.h"

namespace nodex::central {
namespace {

// The problem, or "" and the configuration.
std::string load(const std::string& store, Config* target = nullptr) {
    const auto path = std::filesystem::temp_directory_path() /
                      ("nodex_central_config_" + std::to_string(getpid()) + ".toml");
    std::ofstream(path) << "[node]\ndata_dir = \"/d\"\nsecrets_dir = \"/s\"\n"
                           "[nats]\nurl = \"nats://127.0.0.1:4222\"\n"
                           "[[pop]]\nid = 1\nlink_key = \"/s/pop1.key\"\n"
                        << store;
    std::string problem;
    auto config = load_config(path.string(), problem);
    std::filesystem::remove(path);
    EXPECT_EQ(config.has_value(), problem.empty());
    if (config && target != nullptr) *target = std::move(*config);
    return problem;
}

TEST(CentralConfig, TheLedgerIsInRocksDbUnlessADatabaseIsNamed) {
    Config config;
    EXPECT_EQ(load("", &config), "");
    EXPECT_EQ(config.store_kind, replication::LedgerStoreKind::rocksdb);
    EXPECT_EQ(load("[store]\nkind = \"postgres\"\nurl = \"host=/run/postgresql dbname=nodex\"\n",
                   &config),
              "");
    EXPECT_EQ(config.store_kind, replication::LedgerStoreKind::postgres);
    EXPECT_EQ(config.store_url, "host=/run/postgresql dbname=nodex");
}

TEST(CentralConfig, LeasesLastTenMinutesOrWhatIsSaidWithinBounds) {
    Config config;
    EXPECT_EQ(load("", &config), "");
    EXPECT_EQ(config.lease_term_s, 600);
    EXPECT_EQ(load("[leases]\nterm_s = 60\n", &config), "");
    EXPECT_EQ(config.lease_term_s, 60);
    for (const char* wrong : {"59", "3601", "\"600\"", "-1"})
        EXPECT_NE(load("[leases]\nterm_s = " + std::string(wrong) + "\n").find("term_s"),
                  std::string::npos)
            << wrong;
}

TEST(CentralConfig, AStoreThatCannotBeMeantIsRefusedBeforeAnythingStarts) {
    EXPECT_NE(load("[store]\nkind = \"postgres\"\n").find("url"), std::string::npos);
    EXPECT_NE(load("[store]\nkind = \"mysql\"\n").find("kind"), std::string::npos);
    EXPECT_NE(load("[store]\nurl = \"host=/run/postgresql dbname=nodex\"\n").find("url"),
              std::string::npos);
    EXPECT_NE(load("[store]\nkind = \"postgres\"\nurl = \"host=db.example.com dbname=n\"\n")
                  .find("pgbouncer"),
              std::string::npos);
}

}  // namespace
}  // namespace nodex::central
