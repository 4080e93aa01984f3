// The operator's end of sealed commands, against octets that the centre's end is held to as well.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "edge/base/bytes.h"
#include "tools/nodex/operator_file.h"
#include "tools/nodex/operator_seal.h"

namespace nodex::cli {
namespace {

template <class Array>
void count_up(Array& octets, unsigned first) {
    for (char& octet : octets) octet = static_cast<char>(first++);
}

struct SealTest : testing::Test {
    OperatorKey key;
    CommandHead head{7, 1'790'000'000'000, {}};
    // As in tests/unit/replication/operator_seal_test.cc; computed by a third implementation.
    const std::string command = *from_hex(
        "010700006c50c4a001000005000000616c696365202122232425262728292a2b2c2d2e2f34000000026c1de63d"
        "e3b3aac6e30993cfe27ba6d7dd6bd8412f42eaf53eaea5b3fed2f798154cdafb91ce7dd8d006afb12c6fb5160c"
        "385d");
    const std::string reply = *from_hex(
        "01404142434445464748494a4b4c4d4e4f1f000000ced490ca0d67ec14314852e27f285ece0566db3ecb913f7c"
        "ed623fbf6165bb");
    SealTest() {
        key.name = "alice";
        count_up(key.octets, 0);
        count_up(head.id, 0x20);
    }
};

TEST_F(SealTest, IsWhatTheCentreReads) {
    EXPECT_EQ(to_hex(seal_command(key, head, R"({"command":"account.list","args":{}})")),
              to_hex(command));
}

TEST_F(SealTest, OpensWhatTheCentreSealed) {
    const std::optional<OpenedReply> opened = open_reply(key, head.id, reply);
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->status, 200);
    EXPECT_EQ(opened->json, R"({"result":{}})");
}

TEST_F(SealTest, TakesNothingThatSomebodyElseMade) {
    for (std::size_t i = 0; i < reply.size(); ++i) {
        std::string altered = reply;
        altered[i] = static_cast<char>(altered[i] ^ 1);
        EXPECT_FALSE(open_reply(key, head.id, altered)) << i;
        EXPECT_FALSE(open_reply(key, head.id, reply.substr(0, i))) << i;
    }
    EXPECT_FALSE(open_reply(key, head.id, R"({"result":{"made":"up"}})"));
    CommandName another = head.id;
    another[0] = 'x';
    EXPECT_FALSE(open_reply(key, another, reply)) << "of another command";
    key.octets[31] = 'x';
    EXPECT_FALSE(open_reply(key, head.id, reply)) << "of another operator";
}

struct FileTest : testing::Test {
    std::string path = (std::filesystem::temp_directory_path() /
                        ("nodex_cli_operator_" + std::to_string(::getpid()) + ".key"))
                           .string();
    FileTest() { std::filesystem::remove(path); }
    ~FileTest() override { std::filesystem::remove(path); }
    std::string problem() {
        const auto loaded = load_operator(path);
        const auto* text = std::get_if<std::string>(&loaded);
        return text == nullptr ? "" : *text;
    }
};

TEST_F(FileTest, IsMadeForItsOwnerAloneAndReadBack) {
    ASSERT_EQ(create_operator("alice", path), std::nullopt);
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    const auto loaded = load_operator(path);
    ASSERT_TRUE(std::holds_alternative<OperatorKey>(loaded));
    EXPECT_EQ(std::get<OperatorKey>(loaded).name, "alice");
    std::string line;
    std::getline(std::ifstream(path), line);
    EXPECT_EQ(line,
              "nodex-operator alice " + to_hex({std::get<OperatorKey>(loaded).octets.data(), 32}));
}

TEST_F(FileTest, IsNeverMadeOverAnother) {
    ASSERT_EQ(create_operator("alice", path), std::nullopt);
    const std::optional<std::string> refused = create_operator("alice", path);
    ASSERT_TRUE(refused);
    EXPECT_NE(refused->find("exists"), std::string::npos) << *refused;
    EXPECT_TRUE(create_operator("Alice", path + "2")) << "no such name";
    EXPECT_FALSE(std::filesystem::exists(path + "2"));
}

TEST_F(FileTest, SaysWhatIsWrongAndWhatToDo) {
    EXPECT_NE(problem().find("cannot be opened"), std::string::npos);
    ASSERT_EQ(create_operator("alice", path), std::nullopt);
    ::chmod(path.c_str(), 0644);
    EXPECT_NE(problem().find("chmod 600"), std::string::npos);
    ::chmod(path.c_str(), 0600);
    std::ofstream(path) << "nodex-operator alice 00\n";
    EXPECT_NE(problem().find("nodex admin operator new"), std::string::npos);
}

}  // namespace
}  // namespace nodex::cli
