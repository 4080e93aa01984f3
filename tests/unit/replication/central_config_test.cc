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

// What operators gave to the centre's machine is read when it starts and at a reload.
struct OperatorsTest : testing::Test {
    std::string folder = (std::filesystem::temp_directory_path() /
                          ("nodex_operators_" + std::to_string(getpid())))
                             .string();
    OperatorsTest() { std::filesystem::create_directories(folder); }
    ~OperatorsTest() override { std::filesystem::remove_all(folder); }
    std::string file(const std::string& name) {
        const std::string path = folder + "/" + name + ".key";
        std::ofstream(path) << "nodex-operator " << name << ' ' << std::string(64, 'a') << '\n';
        std::filesystem::permissions(path, std::filesystem::perms::owner_read);
        return path;
    }
    static std::string section(const std::string& name, const std::string& path) {
        return "[[operator]]\nname = \"" + name + "\"\nkey = \"" + path + "\"\n";
    }
};

TEST_F(OperatorsTest, AreReadFromTheirFiles) {
    Config config;
    ASSERT_EQ(load("admin = true\n" + section("alice", file("alice")) +
                       section("bob", file("bob")),
                   &config),
              "");
    const auto commanders = read_commanders(config);
    ASSERT_TRUE(commanders);
    ASSERT_EQ(commanders->operators.size(), 2u);
    EXPECT_EQ(commanders->operators[1].name, "bob");
    EXPECT_EQ(commanders->trusted_pops, std::vector{PopId{1}});
}

TEST_F(OperatorsTest, NobodyIsOneUnlessItIsWritten) {
    Config config;
    ASSERT_EQ(load("", &config), "");
    const auto commanders = read_commanders(config);
    ASSERT_TRUE(commanders);
    EXPECT_TRUE(commanders->operators.empty() && commanders->trusted_pops.empty());
}

TEST_F(OperatorsTest, WhatCannotBeMeantIsRefused) {
    Config config;
    EXPECT_NE(load("[[operator]]\nname = \"alice\"\n").find("key"), std::string::npos);
    EXPECT_NE(load(section("Alice", "/a")).find("name"), std::string::npos);
    EXPECT_NE(load(section("alice", "/a") + section("alice", "/b")).find("twice"),
              std::string::npos);
    ASSERT_EQ(load(section("bob", file("alice")), &config), "");
    EXPECT_FALSE(read_commanders(config)) << "another operator's file";
    ASSERT_EQ(load(section("carol", folder + "/carol.key"), &config), "");
    EXPECT_FALSE(read_commanders(config)) << "no such file";
}

}  // namespace
}  // namespace nodex::central
