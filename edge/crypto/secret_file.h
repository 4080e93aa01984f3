// Files that hold secrets: only their owner may read them, or the process refuses to start.
#pragma once
#include <string>

#include "edge/base/random.h"
#include "edge/base/result.h"
#include "edge/crypto/crypto.h"

namespace nodex::crypto {

// The whole of a regular file of at most `bytes_max` octets that is owned by root or by us and that neither
// group nor others may read or write (mode 0600 or 0400). Start-up only: it blocks.
// Errors: bad_configuration(configuration), and a log line "secret_file_refused" that says what to do.
Result<std::string> read_private_file(const std::string& path, std::size_t bytes_max);

// A secret of 32 octets in hex (a final newline is allowed), in a file as above.
Result<SecretKey> read_secret_file(const std::string& path);

// As read_secret_file; a missing file is first made from `random`, mode 0600 and durable before it is
// returned. When several processes race to make it, all return the same secret.
Result<SecretKey> read_or_create_secret_file(const std::string& path, Random& random);

}  // namespace nodex::crypto
