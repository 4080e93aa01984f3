// Secret files: who may read them, what they must hold, and how they are made.
#include "edge/crypto/secret_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace nodex::crypto {
namespace {

const std::string digits(64, '7');

class SecretFile : public testing::Test {
  protected:
    SecretFile() {
        std::string pattern = (std::filesystem::temp_directory_path() / "nodex-secret-XXXXXX").string();
        NX_ASSERT(::mkdtemp(pattern.data()) != nullptr);
        folder = pattern;
    }
    ~SecretFile() override {
        std::error_code ignored;
        std::filesystem::remove_all(folder, ignored);
    }
    std::string write(const std::string& text, mode_t mode = 0600) const {
        const std::string path = folder + "/secret";
        std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
        NX_ASSERT(::chmod(path.c_str(), mode) == 0);
        return path;
    }
    static ErrorCode code(const Result<SecretKey>& result) {
        return result ? ErrorCode::none : result.error().code;
    }

    std::string folder;
};

TEST_F(SecretFile, Reads64HexDigitsWithOrWithoutANewline) {
    for (const std::string& text : {digits, digits + "\n"}) {
        const Result<SecretKey> key = read_secret_file(write(text));
        ASSERT_TRUE(key);
        EXPECT_EQ(to_hex(key->view()), digits);
    }
}

TEST_F(SecretFile, MayBeReadOnlyForItsOwner) {
    EXPECT_TRUE(read_secret_file(write(digits, 0400)));
}

TEST_F(SecretFile, IsRefusedWhenGroupOrOthersHaveAnyAccess) {
    for (const mode_t mode : {0640u, 0620u, 0604u, 0602u, 0644u, 0601u, 0610u, 0666u})
        EXPECT_EQ(code(read_secret_file(write(digits, mode))), ErrorCode::bad_configuration)
            << std::oct << mode;
}

TEST_F(SecretFile, IsRefusedWhenItBelongsToSomebodyElse) {
    const std::string path = write(digits);
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
    ASSERT_EQ(::chown(path.c_str(), 12'345, 12'345), 0);
    EXPECT_EQ(code(read_secret_file(path)), ErrorCode::bad_configuration);
}

TEST_F(SecretFile, IsRefusedWithOtherContent) {
    for (const std::string& text : {std::string(), std::string("\n"), digits.substr(2), digits + "77",
                                    digits.substr(1) + "g", digits + "\n\n", digits + std::string(1000, ' ')})
        EXPECT_EQ(code(read_secret_file(write(text))), ErrorCode::bad_configuration) << text.size();
}

TEST_F(SecretFile, IsRefusedWhenItIsNoFile) {
    EXPECT_EQ(code(read_secret_file(folder)), ErrorCode::bad_configuration);
    EXPECT_EQ(code(read_secret_file(folder + "/absent")), ErrorCode::bad_configuration);
    const std::string fifo = folder + "/fifo";
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_EQ(code(read_secret_file(fifo)), ErrorCode::bad_configuration) << "and opening it does not wait";
}

TEST_F(SecretFile, IsMadeOnceAndKept) {
    const std::string path = folder + "/made";
    const Result<SecretKey> made = read_or_create_secret_file(path, secure_random());
    ASSERT_TRUE(made);
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600u);
    const Result<SecretKey> again = read_or_create_secret_file(path, secure_random());
    ASSERT_TRUE(again);
    EXPECT_EQ(made->view(), again->view());
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1) << "no draft is left";
}

TEST_F(SecretFile, ABrokenOneIsNeverReplaced) {
    const std::string path = write("not a secret");
    EXPECT_EQ(code(read_or_create_secret_file(path, secure_random())), ErrorCode::bad_configuration);
    std::string text;
    std::getline(std::ifstream(path), text);
    EXPECT_EQ(text, "not a secret");
}

TEST_F(SecretFile, CannotBeMadeInAFolderThatDoesNotExist) {
    EXPECT_EQ(code(read_or_create_secret_file(folder + "/absent/secret", secure_random())),
              ErrorCode::bad_configuration);
}

}  // namespace
}  // namespace nodex::crypto
