// Reading and making operators' files.
#include "tools/nodex/operator_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "edge/base/bytes.h"
#include "edge/base/limits.h"
#include "edge/base/operator_name.h"

namespace nodex::cli {
namespace {

constexpr std::string_view label = "nodex-operator ";
constexpr std::size_t file_bytes_max = 256;

// A descriptor that closes itself.
class Descriptor {
  public:
    explicit Descriptor(int fd) noexcept : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const noexcept { return fd_; }

  private:
    int fd_;
};

std::string failed(const std::string& path, std::string_view what) {
    return "the operator's file " + path + ' ' + std::string(what);
}
std::string failed_with_errno(const std::string& path, std::string_view what) {
    return failed(path, std::string(what) + ": " + std::strerror(errno));
}

std::variant<OperatorKey, std::string> parse(const std::string& path, std::string_view text) {
    const std::string no_operator =
        failed(path,
               "is none: wanted \"nodex-operator NAME 64-HEX-DIGITS\", as nodex admin "
               "operator new makes it");
    if (text.ends_with('\n')) text.remove_suffix(1);
    if (!text.starts_with(label)) return no_operator;
    text.remove_prefix(label.size());
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos || !is_operator_name(text.substr(0, space))) return no_operator;
    OperatorKey key;
    key.name = text.substr(0, space);
    std::optional<std::string> octets = from_hex(text.substr(space + 1));
    if (!octets || octets->size() != key.octets.size()) return no_operator;
    std::copy(octets->begin(), octets->end(), key.octets.begin());
    std::fill(octets->begin(), octets->end(), '\0');
    return key;
}

}  // namespace

std::variant<OperatorKey, std::string> load_operator(const std::string& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0) return failed_with_errno(path, "cannot be opened");
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return failed_with_errno(path, "cannot be read");
    if (!S_ISREG(status.st_mode)) return failed(path, "is not a regular file");
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return failed(path,
                      "can be read by others than you: chmod 600 it, and make a new key if "
                      "somebody may have");
    std::string text(file_bytes_max, '\0');
    const ssize_t size = ::read(file.get(), text.data(), text.size());
    if (size < 0) return failed_with_errno(path, "cannot be read");
    text.resize(static_cast<std::size_t>(size));
    return parse(path, text);
}

std::optional<std::string> create_operator(const std::string& name, const std::string& path) {
    if (!is_operator_name(name))
        return "an operator's name is 1 to " + std::to_string(limits::operator_name_bytes_max) +
               " of a-z, 0-9, '-', '_' and '.'";
    OperatorKey key;
    fill_random(key.octets.data(), key.octets.size());
    std::string text(label);
    text.append(name).append(" ");
    text.append(to_hex({key.octets.data(), key.octets.size()})).append("\n");
    const Descriptor file(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
    if (file.get() < 0) return failed_with_errno(path, "cannot be made");
    const bool written =
        ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
        ::fsync(file.get()) == 0;
    std::fill(text.begin(), text.end(), '\0');
    if (written) return std::nullopt;
    std::string problem = failed_with_errno(path, "cannot be written");
    ::unlink(path.c_str());
    return problem;
}

}  // namespace nodex::cli
