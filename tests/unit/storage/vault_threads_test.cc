// The vault under several loops at once: keys arrive, bodies are sealed and accounts shredded at
// the same time.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include "storage/vault.h"
#include "tests/support/together.h"
#include "tests/unit/storage/temporary_directory.h"

namespace nodex::storage::vault_threads_test {
namespace {

constexpr AccountId account{7};
constexpr AccountId neighbour{7 + 64};  // of the same shard of the key table

class VaultThreads : public testing::Test {
  protected:
    VaultThreads() {
        auto opened = Vault::open(directory.path() + "/node.key", true, crypto::secure_random());
        NX_ASSERT(opened.has_value());
        vault = std::move(*opened);
    }
    // One thread an account.
    void rotate(AccountId id, Random& random) {
        const std::uint32_t next = vault->current_version(id).value_or(0) + 1;
        vault->activate(vault->wrap(id, next, crypto::SecretKey::generate(random), random));
    }
    // Seals a body and opens it again; what opening said.
    ErrorCode seal_and_open(AccountId id, Random& random) {
        Result<BodyWriter> writer = vault->create_body(id, 1, random);
        if (!writer) return writer.error().code;
        std::string sealed;
        writer->seal("the text", true, sealed);
        const Result<BodyReader> reader = vault->open_body(id, writer->id(), writer->key_record());
        if (!reader) return reader.error().code;
        std::string text;
        const Status opened = reader->open(0, true, sealed, text);
        if (!opened) return opened.error().code;
        EXPECT_EQ(text, "the text");
        return ErrorCode::none;
    }

    TemporaryDirectory directory;
    std::unique_ptr<Vault> vault;
};

TEST_F(VaultThreads, BodiesOpenWhileTheirAccountsKeyIsRotated) {
    rotate(account, crypto::secure_random());
    test::together(4, [&](std::size_t index) {
        SeededRandom random(index);
        for (int i = 0; i < 50; ++i) {
            if (index == 0) rotate(account, random);
            EXPECT_EQ(seal_and_open(account, random), ErrorCode::none);
        }
    });
}

TEST_F(VaultThreads, ShreddingANeighbourNeverHarmsAnAccount) {
    rotate(account, crypto::secure_random());
    test::together(4, [&](std::size_t index) {
        SeededRandom random(index);
        for (int i = 0; i < 50; ++i) {
            if (index == 0) rotate(neighbour, random);
            if (index == 1) vault->shred(neighbour);
            EXPECT_EQ(seal_and_open(account, random), ErrorCode::none);
            // There; gone before sealing; gone, or another key of the same version, before opening.
            static constexpr std::array expected = {ErrorCode::none, ErrorCode::unavailable,
                                                    ErrorCode::forbidden, ErrorCode::corrupt};
            EXPECT_NE(std::ranges::find(expected, seal_and_open(neighbour, random)),
                      expected.end());
        }
    });
    vault->shred(neighbour);
    EXPECT_FALSE(vault->current_version(neighbour));
    EXPECT_TRUE(vault->current_version(account));
}

}  // namespace
}  // namespace nodex::storage::vault_threads_test
