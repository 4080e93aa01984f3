// The corpora of our own layouts are whole: every decoder has a seed that it takes. A fuzzer that
// begins with nothing but refused inputs finds its way in late or never.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/fuzz/decoders.h"

namespace nodex::fuzz {
namespace {

std::string contents(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void every_decoder_takes_a_seed(std::span<const Decoder> decoders, const char* fuzzer) {
    const char* corpus = std::getenv("NODEX_FUZZ_CORPUS");
    ASSERT_NE(corpus, nullptr) << "set by tests/fuzz/meson.build";
    std::vector<unsigned> taken(decoders.size());
    for (const auto& file :
         std::filesystem::directory_iterator(std::filesystem::path(corpus) / fuzzer)) {
        const std::string seed = contents(file.path());
        const std::string name = file.path().filename();
        ASSERT_FALSE(seed.empty()) << name;
        const std::size_t choice = static_cast<unsigned char>(seed.front());
        ASSERT_LT(choice, decoders.size()) << name;
        EXPECT_TRUE(name.starts_with(decoders[choice].name))
            << name << " is for " << decoders[choice].name;
        if (accepts(decoders, seed)) ++taken[choice];
    }
    for (std::size_t i = 0; i < decoders.size(); ++i)
        EXPECT_GT(taken[i], 0u) << fuzzer << ": " << decoders[i].name << " takes none of its seeds";
}

TEST(FuzzCorpora, HaveARecordOfEveryKind) {
    every_decoder_takes_a_seed(record_decoders(), "records");
}
TEST(FuzzCorpora, HaveALedgerRecordOfEveryKind) {
    every_decoder_takes_a_seed(ledger_decoders(), "ledger_records");
}
TEST(FuzzCorpora, HaveAMessageOfEveryKind) {
    every_decoder_takes_a_seed(message_decoders(), "messages");
}

}  // namespace
}  // namespace nodex::fuzz
