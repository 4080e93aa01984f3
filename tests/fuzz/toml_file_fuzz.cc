// Any bytes as a configuration file. A file is refused with a sentence, or its values are within
// their bounds.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "edge/base/bytes.h"
#include "edge/config/toml_file.h"

namespace nodex::config {
namespace {

// The reader takes a path: a file in memory, the same one every time.
class MemoryFile {
  public:
    MemoryFile() : file_(::memfd_create("fuzz", 0)) { NX_ASSERT(file_ >= 0); }
    void hold(Bytes bytes) {
        NX_ASSERT(::ftruncate(file_, 0) == 0);
        const auto written = ::pwrite(file_, bytes.data(), bytes.size(), 0);
        NX_ASSERT(written == static_cast<ssize_t>(bytes.size()));
    }
    [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(file_); }

  private:
    const int file_;
};

struct Values {
    std::string text = "default";
    std::vector<std::string> texts;
    std::map<std::string, std::string> names;
    bool flag = false;
    std::uint16_t small = 1;
    Nanoseconds time = 10 * millisecond;
};

void read(Section& section, Values& values) {
    section.require("text");
    section.text("text", values.text);
    section.texts("texts", values.texts);
    section.text_map("names", "must be strings", values.names);
    section.flag("flag", values.flag);
    section.integer("small", values.small, 1, 1'000);
    section.milliseconds("time_ms", values.time, 10, 60'000);
    NX_ASSERT(values.small >= 1 && values.small <= 1'000);
    NX_ASSERT(values.time >= 10 * millisecond && values.time <= 60'000 * millisecond);
}

void check(Bytes bytes) {
    static MemoryFile memory;
    memory.hold(bytes);
    std::string problem;
    const Result<std::unique_ptr<File>> file = File::load(memory.path(), problem);
    if (!file) {
        NX_ASSERT(!problem.empty());
        return;
    }
    (*file)->only({"one", "many"});
    Values values;
    {
        Section one = (*file)->section("one");
        read(one, values);
    }
    (*file)->each("many", [](Section& section) {
        Values each;
        read(section, each);
    });
}

}  // namespace
}  // namespace nodex::config

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    nodex::config::check({reinterpret_cast<const char*>(data), size});
    return 0;
}
