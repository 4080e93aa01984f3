// Reading and creating files that hold secrets.
#include "edge/crypto/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "edge/base/log.h"

namespace nodex::crypto {
namespace {

constexpr std::size_t secret_text_bytes_max = 128;  // 64 hex digits, and room to say "wrong size" of the rest

// A descriptor that closes itself.
class File {
  public:
    explicit File(int fd) noexcept : fd_(fd) {}
    ~File() {
        if (fd_ >= 0) ::close(fd_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    [[nodiscard]] int fd() const noexcept { return fd_; }
    [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }

  private:
    int fd_;
};

Error refused(const std::string& path, const char* reason, const char* advice, int os_errno = 0) {
    log::error("secret_file_refused", {{"path", path},
                                       {"reason", reason},
                                       {"detail", os_errno == 0 ? "" : std::strerror(os_errno)},
                                       {"advice", advice}});
    return {ErrorCode::bad_configuration, ErrorSource::configuration, false, os_errno};
}

// The checks are made on the open descriptor, so that the file checked is the file read.
Status check_private(const std::string& path, const struct stat& status, std::size_t bytes_max) {
    if (!S_ISREG(status.st_mode))
        return refused(path, "not a regular file", "give the path of a regular file");
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return refused(path, "group or others have access to it",
                       "run: chmod 600 on it, then replace the secret");
    if (status.st_uid != 0 && status.st_uid != ::geteuid())
        return refused(path, "it is owned by another user",
                       "run: chown it to root or to the user of this process");
    if (status.st_size < 0 || static_cast<std::size_t>(status.st_size) > bytes_max)
        return refused(path, "it is too large", "check that the path names the right file");
    return {};
}

bool write_all(int fd, Bytes bytes) noexcept {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

// Writes `text` to a new file that has its final name only when it is complete and durable. link() and not
// rename(): it never replaces a secret that another process made meanwhile.
Status write_new_file(const std::string& path, Bytes text, Random& random) {
    const std::uint64_t suffix = random.next_u64();
    const std::string draft =
        path + "." + to_hex(Bytes(reinterpret_cast<const char*>(&suffix), sizeof suffix)) + ".new";
    constexpr const char* advice = "make its folder exist and writable by the user of this process";
    {
        const File file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
        if (!file.is_open()) return refused(path, "it cannot be created", advice, errno);
        if (!write_all(file.fd(), text) || ::fsync(file.fd()) != 0) {
            const int os_errno = errno;
            ::unlink(draft.c_str());
            return refused(path, "it cannot be written", "check the disk", os_errno);
        }
    }
    const int linked = ::link(draft.c_str(), path.c_str());
    const int os_errno = errno;
    ::unlink(draft.c_str());
    if (linked != 0 && os_errno != EEXIST) return refused(path, "it cannot be created", advice, os_errno);
    const File folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder.is_open() || ::fsync(folder.fd()) != 0)
        return refused(path, "its folder cannot be made durable", "check the disk", errno);
    return {};
}

}  // namespace

Result<std::string> read_private_file(const std::string& path, std::size_t bytes_max) {
    const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a FIFO must not hang us
    if (!file.is_open()) return refused(path, "it cannot be opened", "check the path and its owner", errno);
    struct stat status {};
    if (::fstat(file.fd(), &status) != 0) return refused(path, "it cannot be read", "check the disk", errno);
    if (const Status checked = check_private(path, status, bytes_max); !checked) return checked.error();
    std::string text(bytes_max + 1, '\0');  // one more than allowed: a file that grew meanwhile is noticed
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t got = ::read(file.fd(), text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return refused(path, "it cannot be read", "check the disk", errno);
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    if (size > bytes_max) return refused(path, "it is too large", "check that the path names the right file");
    text.resize(size);
    return text;
}

Result<SecretKey> read_secret_file(const std::string& path) {
    Result<std::string> text = read_private_file(path, secret_text_bytes_max);
    if (!text) return text.error();
    Bytes digits = *text;
    if (digits.ends_with('\n')) digits.remove_suffix(1);
    std::optional<std::string> octets = from_hex(digits);
    if (!octets || octets->size() != 32) {
        cleanse(text->data(), text->size());
        return refused(path, "it does not hold 64 hexadecimal digits",
                       "restore it from its backup; a new one is made with: openssl rand -hex 32");
    }
    SecretKey key(*octets);
    cleanse(octets->data(), octets->size());
    cleanse(text->data(), text->size());
    return key;
}

Result<SecretKey> read_or_create_secret_file(const std::string& path, Random& random) {
    if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) {
        const SecretKey key = SecretKey::generate(random);
        std::string text = to_hex(key.view()) + "\n";
        const Status written = write_new_file(path, text, random);
        cleanse(text.data(), text.size());
        if (!written) return written.error();
        log::info("secret_file_created",
                  {{"path", path}, {"advice", "back it up: what it seals is lost without it"}});
    }
    return read_secret_file(path);  // also when we made it: what counts is what the file holds
}

}  // namespace nodex::crypto
