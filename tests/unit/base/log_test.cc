// Escaping: client text cannot break a log line.
#include "edge/base/log.h"

#include <gtest/gtest.h>

namespace nodex {
namespace {

TEST(Log, EscapesEverythingThatIsNotPlainAscii) {
    std::string target;
    log::append_escaped(target, "a\"b\\c\n\x7f\xff");
    EXPECT_EQ(target, "a\\\"b\\\\c\\u000a\\u007f\\u00ff");
}

}  // namespace
}  // namespace nodex
