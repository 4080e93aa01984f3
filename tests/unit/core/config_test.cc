// The configuration is checked completely; every refusal is a sentence that names the key.
#include "edge/core/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace nodex::core {
namespace {

constexpr const char* node_section =
    "[node]\ndata_dir = \"/tmp/d\"\nsecrets_dir = \"/tmp/s\"\nadmin_socket = "
    "\"unix:/tmp/a.sock\"\n";
constexpr const char* provider_section =
    "[[provider]]\nname = \"p\"\nbase_url = \"https://api.example.com:8443/v1/\"\ncredential = "
    "\"none\"\n"
    "models = { \"gpt\" = \"gpt-real\" }\n";

class ConfigFile {
  public:
    explicit ConfigFile(const std::string& text) {
        char name[] = "/tmp/nodex-config-XXXXXX";
        ::close(mkstemp(name));
        path_ = name;
        std::ofstream(path_) << text;
    }
    ~ConfigFile() { std::remove(path_.c_str()); }
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

std::string problem_of(const std::string& text) {
    std::string problem;
    const ConfigFile file(text);
    EXPECT_FALSE(load_config(file.path(), problem));
    return problem;
}

std::string with_plain_listener(const std::string& more) {
    return std::string(node_section) + "[listen]\nplain = [\"127.0.0.1:0\"]\n" + more;
}

// toml++ ends the process at this table name by an assertion of its own, so a reload of a file with
// a slip ended the node.
TEST(Config, RefusesABrokenTableNameWithASentence) {
    for (const char* broken : {"[$\n", "[\n", "[[=]]\n", "$ = 1\n", "[a.]\n", "a.$ = 1\n"})
        EXPECT_NE(problem_of(broken), "") << broken;
}

TEST(Config, ReadsAProviderUrl) {
    std::string problem;
    const ConfigFile file(with_plain_listener(provider_section));
    const auto config = load_config(file.path(), problem);
    ASSERT_TRUE(config) << problem;
    ASSERT_EQ(config->endpoints.size(), 1u);
    const upstream::EndpointConfig& endpoint = *config->endpoints[0];
    EXPECT_TRUE(endpoint.tls);
    EXPECT_EQ(endpoint.host, "api.example.com");
    EXPECT_EQ(endpoint.port, 8443);
    EXPECT_EQ(endpoint.base_path, "/v1");
    EXPECT_EQ(endpoint.models.at("gpt"), "gpt-real");
    EXPECT_EQ(endpoint.authorization, "");
}

TEST(Config, NamesAMissingKey) {
    EXPECT_NE(problem_of("[node]\ndata_dir = \"/tmp/d\"\n").find("node.secrets_dir is missing"),
              std::string::npos);
}

TEST(Config, RefusesAMisspeltKeyOrSectionAndNamesItsLineAndTheNearestOne) {
    EXPECT_EQ(problem_of(with_plain_listener("[limits]\nbody_byte = 5\n")),
              "line 8: limits.body_byte is not a known setting; did you mean body_bytes?");
    EXPECT_EQ(problem_of("[node]\n[limit]\n"),
              "line 2: limit is not a known section; did you mean limits?");
}

TEST(Config, SuggestsNothingThatIsFarFromWhatWasWritten) {
    EXPECT_EQ(problem_of(with_plain_listener("[limits]\nzebra = 5\n")),
              "line 8: limits.zebra is not a known setting");
    const std::string endless(10'000, 'x');
    EXPECT_EQ(problem_of("[" + endless + "]\n"), "line 1: " + endless + " is not a known section");
}

TEST(Config, TellsASectionFromAListOfSections) {
    EXPECT_EQ(problem_of("[[node]]\n"), "line 1: node must be one section, [node]");
    EXPECT_EQ(problem_of(with_plain_listener("[provider]\nname = \"p\"\n")),
              "line 7: provider must be a list of sections: each begins with [[provider]]");
}

// Two providers have the same keys: the line tells which one is meant.
TEST(Config, NamesTheLineOfTheProviderThatIsWrong) {
    EXPECT_EQ(problem_of(with_plain_listener(provider_section) + "[[provider]]\nname = \"q\"\n"),
              "line 12: provider.base_url is missing");
}

TEST(Config, RefusesPlainListenersOutsideLoopback) {
    EXPECT_NE(problem_of(std::string(node_section) + "[listen]\nplain = [\"0.0.0.0:80\"]\n" +
                         provider_section)
                  .find("loopback"),
              std::string::npos);
}

TEST(Config, RefusesNumbersOutOfRangeAndWrongTypes) {
    EXPECT_NE(problem_of(with_plain_listener("[limits]\nheartbeat_ms = 1\n"))
                  .find("limits.heartbeat_ms must be an integer from 10"),
              std::string::npos);
    EXPECT_NE(problem_of(with_plain_listener("[durability]\nstream = \"two\"\n"))
                  .find("durability.stream"),
              std::string::npos);
    EXPECT_NE(
        problem_of(with_plain_listener("[durability]\nstream = \"buddy\"\n")).find("[central]"),
        std::string::npos);
    EXPECT_NE(problem_of(with_plain_listener("[durability]\nlevel = \"none\"\n"))
                  .find("durability.level must be \"process\" (survives kill -9) or \"power\" "
                        "(survives power loss)"),
              std::string::npos);
    EXPECT_NE(problem_of(with_plain_listener("[status_codes]\ninsufficient_quota = 404\n"))
                  .find("status_codes.insufficient_quota must be 402, 403 or 429"),
              std::string::npos);
    EXPECT_NE(problem_of(with_plain_listener("[log]\nlevel = \"\"\n")).find("log.level must be"),
              std::string::npos);
}

TEST(Config, RefusesAPlainProviderThatIsNotLocalAndCredentialsInUrls) {
    const auto with_url = [](const char* url) {
        return with_plain_listener(std::string("[[provider]]\nname = \"p\"\nbase_url = \"") + url +
                                   "\"\ncredential = \"none\"\nmodels = {}\n");
    };
    EXPECT_NE(problem_of(with_url("http://api.example.com/v1")).find("https://"),
              std::string::npos);
    EXPECT_NE(problem_of(with_url("https://user:secret@api.example.com")).find("credentials"),
              std::string::npos);
    EXPECT_NE(problem_of(with_url("https://api.example.com:0")).find("port"), std::string::npos);
}

TEST(Config, ACredentialThatIsNotThereIsNamedAndNeverShown) {
    const std::string text = with_plain_listener(
        "[[provider]]\nname = \"p\"\nbase_url = \"https://a.example\"\ncredential = "
        "\"env:NODEX_TEST_UNSET\"\nmodels = {}\n");
    EXPECT_NE(problem_of(text).find("NODEX_TEST_UNSET"), std::string::npos);
    setenv("NODEX_TEST_UNSET", "secret with space", 1);
    EXPECT_EQ(problem_of(text).find("secret with"), std::string::npos);
    unsetenv("NODEX_TEST_UNSET");
}

TEST(Config, ReadsHowKeysAreClaimedAcrossPops) {
    const std::string central =
        "[central]\nnats = \"nats://u:p@127.0.0.1:4222\"\nlink_key = \"/tmp/k\"\n";
    std::string problem;
    const ConfigFile plain(with_plain_listener(provider_section) + central);
    auto config = load_config(plain.path(), problem);
    ASSERT_TRUE(config) << problem;
    EXPECT_EQ(config->gateway.claims, replication::ClaimMode::overlap);
    EXPECT_TRUE(config->gateway.proceed_on_partition);
    const ConfigFile strict(with_plain_listener(provider_section) + central +
                            "claims = \"strict\"\non_partition = \"reject\"\n");
    config = load_config(strict.path(), problem);
    ASSERT_TRUE(config) << problem;
    EXPECT_EQ(config->gateway.claims, replication::ClaimMode::strict);
    EXPECT_FALSE(config->gateway.proceed_on_partition);
    EXPECT_NE(problem_of(with_plain_listener(provider_section) + central + "claims = \"node\"\n")
                  .find("central.claims must be"),
              std::string::npos);
}

TEST(Config, SaysWhereTomlBreaks) {
    EXPECT_NE(problem_of("[node\n").find("line 1"), std::string::npos);
}

}  // namespace
}  // namespace nodex::core
