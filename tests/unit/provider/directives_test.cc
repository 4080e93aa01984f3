// Directives: found anywhere in a text, refused when they would test nothing.
#include "tools/provider/directives.h"

#include <gtest/gtest.h>

namespace nodex::provider {
namespace {

std::string complaint(Bytes text) {
    Directives directives;
    return read_directives(text, directives);
}

TEST(DirectivesReader, ReadsNumbersFlagsAndTexts) {
    Directives directives;
    const Bytes text = "Hello [[nodex: tokens=8 hang  id=a=b\tcut_after=0 silence_ms=5 ]] world";
    EXPECT_EQ(read_directives(text, directives), "");
    EXPECT_EQ(directives.tokens, 8u);
    EXPECT_TRUE(directives.hang);
    EXPECT_EQ(directives.id, "a=b");
    EXPECT_EQ(directives.cut_after, 0u);
    EXPECT_EQ(directives.silence_ms, 5u);
    EXPECT_FALSE(directives.pace_ms);
    EXPECT_FALSE(directives.crlf);
}

TEST(DirectivesReader, TextWithoutDirectivesChangesNothing) {
    Directives directives;
    EXPECT_FALSE(has_directives("[[nodes: tokens=8]]"));
    EXPECT_EQ(read_directives("[[nodes: tokens=8]]", directives), "");
    EXPECT_FALSE(directives.tokens);
    EXPECT_EQ(read_directives("[[nodex:]]", directives), "");
}

TEST(DirectivesReader, RefusesWhatItDoesNotKnow) {
    for (const Bytes text :
         {"[[nodex: token=8]]", "[[nodex: hang=1]]", "[[nodex: tokens]]", "[[nodex: tokens=]]",
          "[[nodex: tokens=-1]]", "[[nodex: tokens=1000001]]", "[[nodex: status=199]]",
          "[[nodex: status=600]]", "[[nodex: chunk_bytes=0]]", "[[nodex: tokens=1"})
        EXPECT_NE(complaint(text), "") << text;
    for (const Bytes text : {"[[nodex: tokens=1000000]]", "[[nodex: status=200]]", "[[nodex: status=599]]"})
        EXPECT_EQ(complaint(text), "") << text;
}

}  // namespace
}  // namespace nodex::provider
