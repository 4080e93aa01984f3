// Sealed commands and replies, octet by octet: what the operator's program writes is what the
// centre reads, and nothing that was touched on the way is taken.
#include "replication/central/operator_seal.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace nodex::replication::operator_seal_test {
namespace {

std::string counted(std::uint8_t first, std::size_t count) {
    std::string octets;
    for (std::size_t i = 0; i < count; ++i) octets.push_back(static_cast<char>(first + i));
    return octets;
}

// As in tests/unit/nodex/operator_test.cc; computed by a third implementation.
const std::string command_octets = *from_hex(
    "010700006c50c4a001000005000000616c696365202122232425262728292a2b2c2d2e2f34000000026c1de63de3b3"
    "aac6e30993cfe27ba6d7dd6bd8412f42eaf53eaea5b3fed2f798154cdafb91ce7dd8d006afb12c6fb5160c385d");
const std::string reply_octets = *from_hex(
    "01404142434445464748494a4b4c4d4e4f1f000000ced490ca0d67ec14314852e27f285ece0566db3ecb913f7ced62"
    "3fbf6165bb");
const std::string list_json = R"({"command":"account.list","args":{}})";
const crypto::SecretKey alices_key(counted(0, 32));
const CommandId known_id = CommandId::from(counted(0x20, 16));

class FixedSalt final : public Random {
  public:
    void fill(void* target, std::size_t size) noexcept override {
        const std::string salt = counted(0x40, size);
        std::memcpy(target, salt.data(), size);
    }
};

TEST(OperatorSeal, IsThatOfTheOperatorsProgram) {
    const Result<SealedCommand> command = decode_sealed_command(command_octets);
    ASSERT_TRUE(command);
    EXPECT_EQ(command->pop, PopId{7});
    EXPECT_EQ(command->sealed_ms, 1'790'000'000'000);
    EXPECT_EQ(command->operator_name, "alice");
    EXPECT_EQ(command->id, known_id);
    EXPECT_EQ(open_command(*command, alices_key), list_json);
    SealedCommand made{PopId{7}, 1'790'000'000'000, "alice", known_id, {}};
    seal_command(made, alices_key, list_json);
    EXPECT_EQ(to_hex(encode(made)), to_hex(command_octets));
    FixedSalt salt;
    EXPECT_EQ(to_hex(seal_reply(known_id, alices_key, {200, R"({"result":{}})"}, salt)),
              to_hex(reply_octets));
    EXPECT_EQ(open_reply(known_id, alices_key, reply_octets)->json, R"({"result":{}})");
}

// Version, POP, time, name, id, command: all of it is authenticated.
TEST(OperatorSeal, ACommandThatWasAlteredAnywhereDoesNotOpen) {
    for (std::size_t i = 0; i < command_octets.size(); ++i)
        for (const char bit : {'\x01', '\x80'}) {
            std::string altered = command_octets;
            altered[i] = static_cast<char>(altered[i] ^ bit);
            const Result<SealedCommand> command = decode_sealed_command(altered);
            EXPECT_FALSE(command && open_command(*command, alices_key)) << i;
        }
    for (std::size_t size = 0; size < command_octets.size(); ++size)
        EXPECT_FALSE(decode_sealed_command(Bytes(command_octets).substr(0, size))) << size;
}

TEST(OperatorSeal, AReplyThatWasAlteredAnywhereOrIsOfAnotherCommandDoesNotOpen) {
    for (std::size_t i = 0; i < reply_octets.size(); ++i) {
        std::string altered = reply_octets;
        altered[i] = static_cast<char>(altered[i] ^ 1);
        EXPECT_FALSE(open_reply(known_id, alices_key, altered)) << i;
    }
    EXPECT_FALSE(open_reply(CommandId::from(counted(0x21, 16)), alices_key, reply_octets));
    EXPECT_FALSE(open_reply(known_id, crypto::SecretKey(counted(1, 32)), reply_octets));
}

TEST(OperatorSeal, AnotherOperatorsKeyOpensNothing) {
    EXPECT_FALSE(
        open_command(*decode_sealed_command(command_octets), crypto::SecretKey(counted(1, 32))));
}

// The same reply twice: were the keystream the same, one that is known would uncover the other.
TEST(OperatorSeal, NoTwoRepliesAreSealedAlike) {
    SeededRandom random(1);
    const QueryReply reply{200, std::string(64, 'k')};
    const std::string one = seal_reply(known_id, alices_key, reply, random);
    const std::string two = seal_reply(known_id, alices_key, reply, random);
    ASSERT_EQ(one.size(), two.size());
    std::size_t alike = 0;
    for (std::size_t i = one.size() - 64; i < one.size(); ++i) alike += one[i] == two[i];
    EXPECT_LT(alike, 8u);
}

struct OperatorFile : testing::Test {
    std::string path = (std::filesystem::temp_directory_path() /
                        ("nodex_operator_" + std::to_string(::getpid()) + ".key"))
                           .string();
    ~OperatorFile() override { std::filesystem::remove(path); }
    Result<Operator> read(const std::string& text, mode_t mode = 0600) {
        std::ofstream(path) << text;
        ::chmod(path.c_str(), mode);
        return read_operator_file(path);
    }
};

TEST_F(OperatorFile, HoldsANameAndAKey) {
    const std::string digits(64, 'a');
    const Result<Operator> read_back = read("nodex-operator alice " + digits + "\n");
    ASSERT_TRUE(read_back);
    EXPECT_EQ(read_back->name, "alice");
    EXPECT_EQ(to_hex(read_back->key.view()), digits);
}

TEST_F(OperatorFile, AnythingElseIsRefused) {
    const std::string digits(64, 'a');
    for (const std::string& wrong :
         {digits, "nodex-operator " + digits, "nodex-operator Alice " + digits,
          "nodex-operator alice " + digits + "a", "nodex-operator alice " + digits.substr(2),
          "nodex-operator  " + digits, "nodex-operator alice bob " + digits, std::string()})
        EXPECT_FALSE(read(wrong)) << wrong;
    EXPECT_FALSE(read("nodex-operator alice " + digits + "\n", 0640)) << "others may read it";
}

}  // namespace
}  // namespace nodex::replication::operator_seal_test
