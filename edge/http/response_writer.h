// Serialises heads and chunks into a caller's string. Pure. Field values must be free of CR, LF and NUL
// (asserted: values from clients and providers are checked before they come here).
#pragma once
#include <string>

#include "edge/base/bytes.h"
#include "edge/http/message.h"

namespace nodex::http {

const char* reason_phrase(int status) noexcept;  // "" for unknown ones

// Writes "HTTP/1.1 200 OK\r\n", then fields, then end(). `date` is added once per second from a cache.
class HeadWriter {
  public:
    static HeadWriter response(std::string& target, int status);
    static HeadWriter request(std::string& target, Bytes method, Bytes target_path);
    HeadWriter& field(Bytes name, Bytes value);
    HeadWriter& field(Bytes name, std::uint64_t value);
    void end();

  private:
    explicit HeadWriter(std::string& target) noexcept : target_(target) {}
    std::string& target_;
};

void append_chunk(std::string& target, Bytes data);  // data not empty
void append_last_chunk(std::string& target);

}  // namespace nodex::http
