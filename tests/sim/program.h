// What the simulator's programs share: their arguments, and silence.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace nodex::replication {

// `--name VALUE` and `--name`, in any order; each may be asked for once.
class Arguments {
  public:
    Arguments(int count, char** values);
    bool flag(const char* name);
    // False: it is there without a value, or (number) its value is none. Absent: nothing changes.
    bool number(const char* name, std::uint64_t& value);
    bool text(const char* name, std::string& value);
    [[nodiscard]] bool all_read() const noexcept { return rest_.empty(); }

  private:
    std::vector<std::string> rest_;
};

// Standard error leads nowhere from here on: the worlds log what their operators would look at.
void silence_log();

}  // namespace nodex::replication
