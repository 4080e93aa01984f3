// Escaping: client text cannot break a log line.
#include "edge/base/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace nodex {
namespace {

TEST(Log, EscapesEverythingThatIsNotPlainAscii) {
    std::string target;
    log::append_escaped(target, "a\"b\\c\n\x7f\xff");
    EXPECT_EQ(target, "a\\\"b\\\\c\\u000a\\u007f\\u00ff");
}

std::string content_of(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

struct AccessLogTest : testing::Test {
    AccessLogTest() {
        std::string pattern = (std::filesystem::temp_directory_path() / "nodex-log-XXXXXX").string();
        NX_ASSERT(::mkdtemp(pattern.data()) != nullptr);
        folder = pattern;
        log::start(log::Level::error);
    }
    ~AccessLogTest() override {
        if (!stopped) log::stop();
        std::filesystem::remove_all(folder);
    }
    void stop() {
        log::stop();
        stopped = true;
    }
    std::string folder;
    bool stopped = false;
};

TEST_F(AccessLogTest, GoesOnInANewFileWhenTheOldOneWasRenamed) {
    const std::string path = folder + "/access.log";
    ASSERT_TRUE(log::open_access_log(path));
    log::access("one");
    log::flush_access();
    ASSERT_EQ(std::rename(path.c_str(), (path + ".1").c_str()), 0);
    ASSERT_TRUE(log::open_access_log(path));
    log::access("two");
    stop();
    // A line that was still in the queue may be in the new file; none is lost, none is in both.
    EXPECT_EQ(content_of(path + ".1") + content_of(path), "one\ntwo\n");
    EXPECT_TRUE(content_of(path).ends_with("two\n"));
}

TEST_F(AccessLogTest, KeepsTheOldFileWhenTheNewOneCannotBeOpened) {
    const std::string path = folder + "/access.log";
    ASSERT_TRUE(log::open_access_log(path));
    const Status refused = log::open_access_log(folder + "/missing/access.log");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::io_failure);
    log::access("still here");
    stop();
    EXPECT_EQ(content_of(path), "still here\n");
}

TEST_F(AccessLogTest, CanBeSwitchedOffAndOn) {
    const std::string path = folder + "/access.log";
    log::access("before any file");
    ASSERT_TRUE(log::open_access_log(path));
    log::access("on");
    log::flush_access();
    while (content_of(path).empty()) std::this_thread::yield();
    ASSERT_TRUE(log::open_access_log(""));
    log::access("off");
    ASSERT_TRUE(log::open_access_log(path));
    stop();
    EXPECT_EQ(content_of(path), "on\n");
}

TEST_F(AccessLogTest, IsExchangedWhileThreadsWrite) {
    constexpr int lines = 2'000;
    const std::string path = folder + "/access.log";
    ASSERT_TRUE(log::open_access_log(path + ".0"));
    {
        std::jthread writer([] {
            for (int i = 0; i < lines; ++i) log::access("line");
            log::flush_access();
        });
        for (int i = 1; i < 20; ++i) {
            EXPECT_TRUE(log::open_access_log(path + "." + std::to_string(i % 3)));
            log::set_level(i % 2 == 0 ? log::Level::error : log::Level::warning);
        }
    }
    stop();
    std::size_t bytes = 0;
    for (int i = 0; i < 3; ++i) bytes += content_of(path + "." + std::to_string(i)).size();
    EXPECT_EQ(bytes, lines * std::string_view("line\n").size());
}

// A start that fails ends the process while threads of it still write: nothing is torn down, but its last
// words are out.
TEST_F(AccessLogTest, FlushWaitsForWhatWasWrittenBefore) {
    const int saved = ::dup(STDERR_FILENO);
    const std::string path = folder + "/stderr";
    ASSERT_NE(std::freopen(path.c_str(), "w", stderr), nullptr);
    for (int i = 0; i < 100; ++i) log::error("last_words", {{"number", i}});
    log::flush();
    const std::string text = content_of(path);
    ASSERT_GE(::dup2(saved, STDERR_FILENO), 0);
    ::close(saved);
    EXPECT_NE(text.find("\"number\":99"), std::string::npos) << text;
}

}  // namespace
}  // namespace nodex
