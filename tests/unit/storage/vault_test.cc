// The vault: what is sealed opens for its account only, and not at all once the account's key is
// gone.
#include "storage/vault.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

#include "edge/base/limits.h"
#include "storage/chunk_codec.h"

namespace nodex::storage::vault_test {
namespace {

constexpr AccountId account{7};
constexpr AccountId other_account{8};

struct Sealed {
    BodyId id;
    std::string record;
    std::vector<std::string> chunks;
};

class VaultTest : public testing::Test {
  protected:
    VaultTest() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "nodex-vault-XXXXXX").string();
        NX_ASSERT(::mkdtemp(pattern.data()) != nullptr);
        folder = pattern;
        vault = open(folder + "/node.key");
    }
    ~VaultTest() override {
        std::error_code ignored;
        std::filesystem::remove_all(folder, ignored);
    }
    std::unique_ptr<Vault> open(const std::string& path) {
        auto opened = Vault::open(path, true, random);
        NX_ASSERT(opened.has_value());
        return std::move(*opened);
    }
    Vault::KekRecord add_key(AccountId id) {
        const std::uint32_t next = vault->current_version(id).value_or(0) + 1;
        Vault::KekRecord record =
            vault->wrap(id, next, crypto::SecretKey::generate(random), random);
        vault->activate(record);
        return record;
    }
    Sealed seal(const std::vector<std::string>& plaintexts) {
        Result<BodyWriter> writer = vault->create_body(account, 1, random);
        NX_ASSERT(writer.has_value());
        Sealed sealed{writer->id(), writer->key_record(), {}};
        for (std::size_t i = 0; i < plaintexts.size(); ++i)
            writer->seal(plaintexts[i], i + 1 == plaintexts.size(), sealed.chunks.emplace_back());
        NX_ASSERT(writer->chunks_count() == plaintexts.size());
        return sealed;
    }
    static ErrorCode code(const Status& status) {
        return status ? ErrorCode::none : status.error().code;
    }
    ErrorCode open_code(AccountId id, const Sealed& sealed) {
        const Result<BodyReader> reader = vault->open_body(id, sealed.id, sealed.record);
        return reader ? ErrorCode::none : reader.error().code;
    }

    SeededRandom random{11};
    std::string folder;
    std::unique_ptr<Vault> vault;
};

TEST_F(VaultTest, OpensWhatItSealedChunkByChunk) {
    add_key(account);
    const std::vector<std::string> plaintexts = {"", "short",
                                                 std::string(limits::stored_chunk_bytes_max, 'x')};
    const Sealed sealed = seal(plaintexts);
    const Result<BodyReader> reader = vault->open_body(account, sealed.id, sealed.record);
    ASSERT_TRUE(reader);
    std::string text = "before ";
    for (std::uint32_t i = 0; i < 3; ++i)
        ASSERT_TRUE(reader->open(i, i == 2, sealed.chunks[i], text));
    EXPECT_EQ(text, "before short" + plaintexts[2]);
}

TEST_F(VaultTest, ABodyIsSmallerThanItsTextWhereThatCompresses) {
    add_key(account);
    const std::string text(4096, 'a');
    std::string noise(4096, '\0');
    random.fill(noise.data(), noise.size());
    const Sealed sealed = seal({text, noise, std::string(255, 'a')});
    EXPECT_LT(sealed.chunks[0].size(), 200u);
    EXPECT_EQ(sealed.chunks[1].size(), noise.size() + 17);
    EXPECT_EQ(sealed.chunks[2].size(), 255u + 17);
}

TEST_F(VaultTest, RefusesAnAccountWithoutAKey) {
    const Result<BodyWriter> writer = vault->create_body(account, 1, random);
    ASSERT_FALSE(writer);
    EXPECT_EQ(writer.error().code, ErrorCode::unavailable);
    EXPECT_EQ(vault->current_version(account), std::nullopt);
}

TEST_F(VaultTest, ShreddingMakesOldBodiesUnreadableEvenUnderANewKey) {
    add_key(account);
    const Sealed sealed = seal({"secret"});
    vault->shred(account);
    EXPECT_EQ(open_code(account, sealed), ErrorCode::forbidden);
    const Result<BodyWriter> writer = vault->create_body(account, 1, random);
    ASSERT_FALSE(writer);
    EXPECT_EQ(writer.error().code, ErrorCode::unavailable) << "until the next key comes";
    add_key(account);  // version 1 again, another key
    EXPECT_EQ(open_code(account, sealed), ErrorCode::corrupt);
}

// Both were "no key", and a customer whose key was on its way was told that his account is blocked.
TEST_F(VaultTest, AKeyThatHasYetToComeIsToldFromOneThatIsGone) {
    const auto key = [this](std::uint32_t version) {
        return vault->wrap(account, version, crypto::SecretKey::generate(random), random);
    };
    const Vault::KekRecord first = key(70'000), third = key(70'002);
    vault->activate(first);
    const Sealed of_first = seal({"first"});
    vault->activate(third);
    const Sealed of_third = seal({"third"});

    vault = open(folder + "/node.key");
    EXPECT_EQ(open_code(account, of_first), ErrorCode::unavailable);
    ASSERT_TRUE(vault->load(first));
    EXPECT_EQ(open_code(account, of_first), ErrorCode::none);
    EXPECT_EQ(open_code(account, of_third), ErrorCode::unavailable);
    EXPECT_EQ(vault->shred(account), 70'000u);
    EXPECT_EQ(open_code(account, of_first), ErrorCode::forbidden);
    EXPECT_EQ(open_code(account, of_third), ErrorCode::unavailable) << "it was never here";
    EXPECT_EQ(vault->shred(account), 70'000u) << "again, before another key came";
    vault->activate(key(70'003));
    EXPECT_EQ(open_code(account, of_third), ErrorCode::forbidden) << "its successor is here";
    EXPECT_EQ(vault->shred(other_account), 0u);

    vault = open(folder + "/node.key");
    vault->load_destroyed(account, 70'000);
    EXPECT_EQ(open_code(account, of_first), ErrorCode::forbidden) << "in the next life too";
    EXPECT_EQ(open_code(account, of_third), ErrorCode::unavailable);
}

TEST_F(VaultTest, ShreddingOneAccountLeavesTheOthers) {
    add_key(account);
    add_key(other_account);
    const Sealed sealed = seal({"secret"});
    vault->shred(other_account);
    EXPECT_EQ(open_code(account, sealed), ErrorCode::none);
}

TEST_F(VaultTest, RotationKeepsOldVersionsReadable) {
    add_key(account);
    const Sealed old_body = seal({"old"});
    EXPECT_EQ(vault->current_version(account), 1u);
    add_key(account);
    EXPECT_EQ(vault->current_version(account), 2u);
    const Sealed new_body = seal({"new"});
    EXPECT_EQ(open_code(account, old_body), ErrorCode::none);
    EXPECT_EQ(open_code(account, new_body), ErrorCode::none);
}

TEST_F(VaultTest, AKeyThatIsNotStoredYetIsNotUsed) {
    const crypto::SecretKey key = crypto::SecretKey::generate(random);
    const Vault::KekRecord record = vault->wrap(account, 70'000, key, random);
    EXPECT_EQ(vault->current_version(account), std::nullopt);
    vault->activate(record);
    EXPECT_EQ(vault->current_version(account), 70'000u);
}

TEST_F(VaultTest, ALateOlderVersionDoesNotBecomeTheCurrentOne) {
    add_key(account);
    add_key(account);
    const Sealed newer = seal({"text"});
    vault->activate(vault->wrap(account, 1, crypto::SecretKey::generate(random), random));
    EXPECT_EQ(vault->current_version(account), 2u);
    EXPECT_EQ(open_code(account, newer), ErrorCode::none);
}

TEST_F(VaultTest, ForgetsVersionsThatAreOutOfDate) {
    add_key(account);
    const Sealed old_body = seal({"old"});
    add_key(account);
    const Sealed new_body = seal({"new"});
    vault->forget_below(account, 2);
    vault->forget_below(other_account, 2);
    EXPECT_EQ(open_code(account, old_body), ErrorCode::forbidden);
    EXPECT_EQ(open_code(account, new_body), ErrorCode::none);
}

TEST_F(VaultTest, StoredKeysOpenAfterARestartWithTheSameNodeKey) {
    const Vault::KekRecord record = add_key(account);
    const Sealed sealed = seal({"text"});
    vault = open(folder + "/node.key");
    EXPECT_EQ(open_code(account, sealed), ErrorCode::unavailable);
    ASSERT_TRUE(vault->load(record));
    EXPECT_EQ(open_code(account, sealed), ErrorCode::none);
}

TEST_F(VaultTest, RefusesStoredKeysUnderAnotherNodeKey) {
    const Vault::KekRecord record = add_key(account);
    vault = open(folder + "/another.key");
    EXPECT_EQ(code(vault->load(record)), ErrorCode::corrupt);
    EXPECT_EQ(vault->current_version(account), std::nullopt);
}

TEST_F(VaultTest, AStoredKeyLoadsUnderItsOwnAccountAndVersionOnly) {
    const Vault::KekRecord record = add_key(account);
    EXPECT_EQ(code(vault->load({other_account, record.version, record.wrapped})),
              ErrorCode::corrupt);
    EXPECT_EQ(code(vault->load({account, record.version + 1, record.wrapped})), ErrorCode::corrupt);
    EXPECT_EQ(code(vault->load({account, record.version, record.wrapped.substr(1)})),
              ErrorCode::corrupt);
}

TEST_F(VaultTest, RefusesAKeyRecordAlteredAnywhere) {
    add_key(account);
    const Sealed sealed = seal({"text"});
    for (std::size_t i = 0; i < sealed.record.size(); ++i) {
        Sealed altered = sealed;
        altered.record[i] = static_cast<char>(altered.record[i] ^ 0x20);
        const bool in_version = i >= 1 && i < 5;  // names a key that does not exist
        EXPECT_EQ(open_code(account, altered),
                  in_version ? ErrorCode::unavailable : ErrorCode::corrupt)
            << i;
    }
    for (std::size_t size = 0; size < sealed.record.size(); ++size) {
        Sealed cut = sealed;
        cut.record.resize(size);
        EXPECT_EQ(open_code(account, cut), ErrorCode::corrupt) << size;
    }
    Sealed longer = sealed;
    longer.record += '\0';
    EXPECT_EQ(open_code(account, longer), ErrorCode::corrupt);
}

TEST_F(VaultTest, AKeyRecordOpensItsOwnBodyAndAccountOnly) {
    add_key(account);
    add_key(other_account);
    Sealed sealed = seal({"text"});
    EXPECT_EQ(open_code(other_account, sealed), ErrorCode::corrupt);
    sealed.id.octets[0] ^= 1;
    EXPECT_EQ(open_code(account, sealed), ErrorCode::corrupt);
}

TEST_F(VaultTest, RefusesChunksThatAreAlteredMovedOrTruncated) {
    add_key(account);
    const Sealed sealed = seal({"one", "two", "three"});
    const Sealed foreign = seal({"one", "two", "three"});
    const Result<BodyReader> reader = vault->open_body(account, sealed.id, sealed.record);
    ASSERT_TRUE(reader);
    std::string text;
    EXPECT_EQ(code(reader->open(0, false, sealed.chunks[1], text)), ErrorCode::corrupt);
    EXPECT_EQ(code(reader->open(1, true, sealed.chunks[1], text)), ErrorCode::corrupt)
        << "cut after two";
    EXPECT_EQ(code(reader->open(2, false, sealed.chunks[2], text)), ErrorCode::corrupt);
    EXPECT_EQ(code(reader->open(0, false, foreign.chunks[0], text)), ErrorCode::corrupt);
    EXPECT_EQ(code(reader->open(0, false, {}, text)), ErrorCode::corrupt);
    std::string altered = sealed.chunks[0];
    altered.back() = static_cast<char>(altered.back() ^ 1);
    EXPECT_EQ(code(reader->open(0, false, altered, text)), ErrorCode::corrupt);
    EXPECT_EQ(text, "");
}

TEST_F(VaultTest, AMissingNodeKeyIsAnErrorUnlessItMayBeMade) {
    const std::string path = folder + "/absent.key";
    const auto opened = Vault::open(path, false, random);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::bad_configuration);
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(VaultTest, RefusesANodeKeyThatOthersCanRead) {
    ASSERT_EQ(::chmod((folder + "/node.key").c_str(), 0640), 0);
    const auto opened = Vault::open(folder + "/node.key", true, random);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::bad_configuration);
}

TEST(ChunkCodec, RefusesWhatTheEncoderNeverWrites) {
    std::string target = "kept";
    EXPECT_FALSE(decode_chunk("", target));
    EXPECT_FALSE(decode_chunk(Bytes("\x02zzz", 4), target));
    EXPECT_FALSE(decode_chunk(Bytes("\x01not a frame", 12), target));
    EXPECT_FALSE(decode_chunk(
        std::string(1, '\0') + std::string(limits::stored_chunk_bytes_max + 1, 'x'), target));
    std::string frame;
    encode_chunk(std::string(2000, 'a'), frame);
    EXPECT_FALSE(decode_chunk(Bytes(frame).substr(0, frame.size() - 1), target));
    EXPECT_FALSE(decode_chunk(frame + "x", target)) << "octets after the frame";
    EXPECT_EQ(target, "kept");
}

}  // namespace
}  // namespace nodex::storage::vault_test
